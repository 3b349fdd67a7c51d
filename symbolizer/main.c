/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cprofd-symbolizer: the only code that reads bytes other people wrote.
 *
 * It enters its sandbox, says so, and serves the socket IPC_SYMBOLIZER_FD until that ends:
 * questions and read-only descriptors come in, names and unwind tables go out. It opens no file,
 * follows no path, starts no program and keeps nothing between questions. A file that cannot be
 * used is answered with MSG_FAILED; one that kills the process costs that file only, since whoever
 * asked starts another.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "daemon/ipc/frame.h"
#include "daemon/ipc/messages.h"
#include "symbolizer/jit.h"
#include "symbolizer/sandbox.h"
#include "symbolizer/symbolize.h"
#include "symbolizer/unwind_file.h"

static int answer_identify(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	struct msg_identity *identity;
	int r;

	if (msg->n_fds != 1)
		return -EINVAL;
	identity = calloc(1, sizeof(*identity));
	if (!identity)
		return -ENOMEM;
	r = symbolize_identify(msg->fds[0], identity);
	if (r < 0) {
		free(identity);
		return r;
	}
	ret->type = MSG_IDENTIFY_OK;
	ret->payload = identity;
	ret->n_bytes = sizeof(*identity);
	return 0;
}

static int answer_symbolize(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	const struct msg_symbolize *q = msg->payload;
	const void *offs = q + 1;
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct limits limits;
	uint32_t n_fds = 0;
	size_t n;
	int r;

	if (msg->n_bytes < sizeof(*q) || q->n_addrs > SYMBOLIZE_ADDRS_MAX || q->has_debug > 1 ||
	    q->has_alt > 1 || q->has_split > 1 ||
	    msg->n_fds != 1 + q->has_debug + q->has_alt + q->has_split ||
	    msg->n_bytes != sizeof(*q) + (size_t)q->n_addrs * sizeof(uint64_t))
		return -EINVAL;
	fds.file = msg->fds[n_fds++];
	if (q->has_debug)
		fds.debug = msg->fds[n_fds++];
	if (q->has_alt)
		fds.alt = msg->fds[n_fds++];
	if (q->has_split)
		fds.split = msg->fds[n_fds++];
	r = symbolize_offsets(&fds, offs, q->n_addrs, &ret->payload, &n, &limits);
	if (r < 0)
		return r;
	ret->type = MSG_SYMBOLIZE_OK;
	ret->n_bytes = (uint32_t)n;
	return 0;
}

static int answer_unwind_table(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	struct msg_unwind_table *table;
	int r;

	if (msg->n_fds != 1)
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	r = unwind_file_build(msg->fds[0], &ret->fds[0], table);
	if (r < 0) {
		free(table);
		return r;
	}
	ret->type = MSG_UNWIND_TABLE_OK;
	ret->payload = table;
	ret->n_bytes = sizeof(*table);
	ret->n_fds = 1;
	return 0;
}

static int answer_jit(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	const struct msg_jit *q = msg->payload;
	const void *addrs = q + 1;
	struct jit_fds fds = {-1, -1};
	struct limits limits;
	size_t n;
	int r;

	if (msg->n_bytes < sizeof(*q) || q->n_addrs > SYMBOLIZE_ADDRS_MAX || q->has_map > 1 ||
	    q->has_dump > 1 || msg->n_fds != q->has_map + q->has_dump ||
	    msg->n_bytes != sizeof(*q) + (size_t)q->n_addrs * sizeof(struct msg_jit_addr))
		return -EINVAL;
	if (q->has_map)
		fds.map = msg->fds[0];
	if (q->has_dump)
		fds.dump = msg->fds[q->has_map];
	r = jit_name(&fds, addrs, q->n_addrs, &ret->payload, &n, &limits);
	if (r < 0)
		return r;
	ret->type = MSG_JIT_OK;
	ret->n_bytes = (uint32_t)n;
	return 0;
}

static int answer_failed(int error, const char *text, struct ipc_msg *ret)
{
	struct msg_failed *failed = calloc(1, sizeof(*failed));

	if (!failed)
		return -ENOMEM;
	failed->error = error;
	snprintf(failed->text, sizeof(failed->text), "%s", text);
	ret->type = MSG_FAILED;
	ret->payload = failed;
	ret->n_bytes = sizeof(*failed);
	return 0;
}

/* Makes the answer to MSG, if only that it failed. 0, or -errno where there can be none. */
static int answer_question(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	int r;

	switch (msg->type) {
	case MSG_IDENTIFY:
		r = answer_identify(msg, ret);
		break;
	case MSG_SYMBOLIZE:
		r = answer_symbolize(msg, ret);
		break;
	case MSG_UNWIND_TABLE:
		r = answer_unwind_table(msg, ret);
		break;
	case MSG_JIT:
		r = answer_jit(msg, ret);
		break;
	default:
		return -EBADMSG;
	}
	if (r == 0)
		return 0;
	return answer_failed(r, r == -ENOEXEC ? "not a usable ELF file" : strerror(-r), ret);
}

/* Serves one question. Returns 0, -EPIPE at the end of the stream, or -errno where it broke. */
static int serve_one(int sock)
{
	struct ipc_msg msg = IPC_MSG_INIT, answer = IPC_MSG_INIT;
	int r = ipc_recv(sock, &msg, IPC_FOREVER);

	if (r < 0)
		return r;
	r = answer_question(&msg, &answer);
	answer.id = msg.id;
	if (r == 0)
		r = ipc_send(sock, &answer, IPC_FOREVER);
	ipc_msg__fini(&msg);
	ipc_msg__fini(&answer);
	/* A large file must not count against us until the next one comes. */
	malloc_trim(0);
	return r;
}

/* Tells whoever started us that we are in the sandbox, or why not. 0 or -errno. */
static int say_ready(int sock, const struct sandbox *sandbox)
{
	struct msg_ready ready = {.has_landlock = sandbox->has_landlock};
	struct ipc_msg msg = {.type = MSG_READY, .payload = &ready, .n_bytes = sizeof(ready)};

	return ipc_send(sock, &msg, IPC_FOREVER);
}

static void say_failed(int sock, int error, const char *step)
{
	struct ipc_msg msg = IPC_MSG_INIT;
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", step, strerror(-error));
	if (answer_failed(error, text, &msg) == 0)
		(void)ipc_send(sock, &msg, IPC_FOREVER); /* we end in any case */
	ipc_msg__fini(&msg);
}

/* Gets ready to serve SOCK. 0 or -errno. */
static int begin(int sock)
{
	struct sandbox sandbox;
	int r;

	/* No library below may fetch anything from anywhere. */
	unsetenv("DEBUGINFOD_URLS");
	r = sandbox_enter(sock, &sandbox);
	if (r < 0) {
		say_failed(sock, r, sandbox.step);
		return r;
	}
	return say_ready(sock, &sandbox);
}

int main(int argc, char **argv)
{
	int r;

	log_setup("cprofd-symbolizer", LOG_INFO);
	if (argc > 1) {
		log_error("started by cprofd only; it takes no arguments (got %s)", argv[1]);
		return 2;
	}
	r = begin(IPC_SYMBOLIZER_FD);
	while (r == 0)
		r = serve_one(IPC_SYMBOLIZER_FD);
	/* Without stderr: whoever asked sees that the stream has ended. */
	return r == -EPIPE ? 0 : 1;
}
