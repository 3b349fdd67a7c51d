/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cprofd-symbolizer: the only code that reads bytes other people wrote.
 *
 * It serves the socket IPC_SYMBOLIZER_FD until that ends: questions and read-only descriptors come
 * in, names and unwind tables go out. It opens no file, follows no path, starts no program and
 * keeps nothing between questions. A file that cannot be used is answered with MSG_FAILED; one that
 * kills the process costs that file only, since whoever asked starts another.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "daemon/ipc/frame.h"
#include "daemon/ipc/messages.h"
#include "symbolizer/symbolize.h"
#include "symbolizer/unwind_file.h"

static const char *const limit_names[LIMIT_MAX] = {
    [LIMIT_BYTES] = "section bytes",  [LIMIT_SYMBOLS] = "symbols",
    [LIMIT_UNITS] = "units",	      [LIMIT_RANGES] = "ranges of an entry",
    [LIMIT_DIES] = "debug entries",   [LIMIT_DEPTH] = "nesting",
    [LIMIT_MATCHES] = "matches",      [LIMIT_LINES] = "line program bytes",
    [LIMIT_HOPS] = "name references", [LIMIT_ANSWER] = "answer bytes",
};

static void log_limits(const struct limits *limits)
{
	for (size_t i = 0; i < LIMIT_MAX; i++)
		if (limits->hits[i])
			log_debug("limit of %s reached %llu times", limit_names[i],
				  (unsigned long long)limits->hits[i]);
}

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
	struct symbolize_fds fds = {-1, -1, -1};
	struct limits limits;
	uint32_t n_fds = 0;
	size_t n;
	int r;

	if (msg->n_bytes < sizeof(*q) || q->n_addrs > SYMBOLIZE_ADDRS_MAX || q->has_debug > 1 ||
	    q->has_alt > 1 || msg->n_fds != 1 + q->has_debug + q->has_alt ||
	    msg->n_bytes != sizeof(*q) + (size_t)q->n_addrs * sizeof(uint64_t))
		return -EINVAL;
	fds.file = msg->fds[n_fds++];
	if (q->has_debug)
		fds.debug = msg->fds[n_fds++];
	if (q->has_alt)
		fds.alt = msg->fds[n_fds++];
	r = symbolize_offsets(&fds, offs, q->n_addrs, &ret->payload, &n, &limits);
	if (r < 0)
		return r;
	log_limits(&limits);
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

static int answer_failed(int error, struct ipc_msg *ret)
{
	struct msg_failed *failed = calloc(1, sizeof(*failed));
	const char *text = error == -ENOEXEC ? "not a usable ELF file" : strerror(-error);

	if (!failed)
		return -ENOMEM;
	failed->error = error;
	memcpy(failed->text, text, MIN(strlen(text), sizeof(failed->text) - 1));
	ret->type = MSG_FAILED;
	ret->payload = failed;
	ret->n_bytes = sizeof(*failed);
	return 0;
}

/* Answers one question. Returns 0, -EPIPE at the end of the stream, or -errno where it broke. */
static int serve_one(int sock)
{
	struct ipc_msg msg = IPC_MSG_INIT, answer = IPC_MSG_INIT;
	int r = ipc_recv(sock, &msg, IPC_FOREVER);

	if (r < 0)
		return r;
	switch (msg.type) {
	case MSG_IDENTIFY:
		r = answer_identify(&msg, &answer);
		break;
	case MSG_SYMBOLIZE:
		r = answer_symbolize(&msg, &answer);
		break;
	case MSG_UNWIND_TABLE:
		r = answer_unwind_table(&msg, &answer);
		break;
	default:
		r = -EBADMSG;
	}
	if (r < 0 && r != -EBADMSG)
		r = answer_failed(r, &answer);
	answer.id = msg.id;
	if (r == 0)
		r = ipc_send(sock, &answer, IPC_FOREVER);
	ipc_msg__fini(&msg);
	ipc_msg__fini(&answer);
	/* A large file must not count against us until the next one comes. */
	malloc_trim(0);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	log_setup("cprofd-symbolizer", LOG_INFO);
	if (argc > 1) {
		log_error("started by cprofd only; it takes no arguments (got %s)", argv[1]);
		return 2;
	}
	/* No library below may fetch anything from anywhere. */
	unsetenv("DEBUGINFOD_URLS");
	if (close_range(IPC_SYMBOLIZER_FD + 1, ~0u, 0) < 0) {
		log_error("cannot close inherited descriptors: %s", strerror(errno));
		return 1;
	}
	do
		r = serve_one(IPC_SYMBOLIZER_FD);
	while (r == 0);
	if (r != -EPIPE) {
		log_error("the stream of questions broke: %s", strerror(-r));
		return 1;
	}
	return 0;
}
