/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/symbolizer_client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

struct symbolizer_client {
	char *path;
	struct symbolizer_worker workers[OWNER_MAX];
};

DEFINE_CLEANUP(struct symbolizer_client *, symbolizer_client__free);

int symbolizer_client_locate(char *path, size_t size)
{
	/* Beside us where we were built, and where `make install` puts it. */
	static const char *const places[] = {"/cprofd-symbolizer",
					     "/../libexec/cprofd/cprofd-symbolizer"};
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(places); i++) {
		own[n] = '\0';
		snprintf(path, size, "%.*s%s", (int)(strrchr(own, '/') - own), own, places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	snprintf(path, size, "%s/cprofd-symbolizer", CPROFD_LIBEXECDIR);
	return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

int symbolizer_client__new(struct symbolizer_client **ret, const char *path,
			   symbolizer_started_fn started, void *ctx)
{
	_cleanup_(symbolizer_client__freep) struct symbolizer_client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->path = strdup(path);
	for (enum owner i = 0; i < OWNER_MAX; i++)
		symbolizer_worker__init(&c->workers[i], c->path, i, started, ctx);
	if (!c->path)
		return -ENOMEM;
	if (access(path, X_OK) < 0)
		return -errno;
	*ret = steal_ptr(c);
	return 0;
}

struct symbolizer_client *symbolizer_client__free(struct symbolizer_client *c)
{
	if (!c)
		return NULL;
	for (enum owner i = 0; i < OWNER_MAX; i++)
		symbolizer_worker__fini(&c->workers[i]);
	free(c->path);
	free(c);
	return NULL;
}

int symbolizer_client__probe(struct symbolizer_client *c, bool *ret_has_landlock)
{
	struct symbolizer_worker *w = &c->workers[OWNER_ROOT];
	int r = symbolizer_worker__start(w);

	if (r == 0)
		*ret_has_landlock = w->has_landlock;
	return r;
}

const char *symbolizer_client__trouble(const struct symbolizer_client *c)
{
	for (enum owner i = 0; i < OWNER_MAX; i++)
		if (c->workers[i].trouble[0])
			return c->workers[i].trouble;
	return NULL;
}

uint32_t symbolizer_client__restarts(const struct symbolizer_client *c)
{
	uint32_t n = 0;

	for (enum owner i = 0; i < OWNER_MAX; i++)
		n += c->workers[i].n_restarts;
	return n;
}

void symbolizer_client__rest(struct symbolizer_client *c)
{
	for (enum owner i = 0; i < OWNER_MAX; i++)
		symbolizer_worker__rest(&c->workers[i]);
}

void symbolizer_client__cancel(struct symbolizer_client *c)
{
	for (enum owner i = 0; i < OWNER_MAX; i++)
		symbolizer_worker__cancel(&c->workers[i]);
}

/* A question about N files: who is asked, since one of them may be anybody's. */
static struct symbolizer_worker *worker_of(struct symbolizer_client *c, const int *fds, uint32_t n)
{
	enum owner owner = OWNER_ROOT;

	for (uint32_t i = 0; i < n; i++)
		owner = MAX(owner, owner_of(fds[i]));
	return &c->workers[owner];
}

/* Asks and waits for the answer, which must be of TYPE or MSG_FAILED. The result as in the
 * header. */
static int ask(struct symbolizer_worker *w, struct ipc_msg *question, uint32_t type,
	       struct ipc_msg *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = symbolizer_worker__ask(w, question, &answer);

	/* Somebody may have killed it for no fault of this file's: a second death proves the
	 * fault. */
	if (r == -EPIPE && !symbolizer_worker__is_cancelled(w))
		r = symbolizer_worker__ask(w, question, &answer);
	if (r == -EPIPE || r == -ETIMEDOUT || r == -EBADMSG)
		return SYMBOLIZER_DIED;
	if (r < 0)
		return r;
	if (answer.n_fds != (answer.type == MSG_UNWIND_TABLE_OK) ||
	    (answer.type != type && answer.type != MSG_FAILED)) {
		symbolizer_worker__give_up(w);
		return SYMBOLIZER_DIED;
	}
	if (answer.type == MSG_FAILED)
		return SYMBOLIZER_UNUSABLE;
	*ret = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return SYMBOLIZER_OK;
}

/* Names in what the symbolizer says must end somewhere. */
static bool identity_valid(const struct msg_identity *id)
{
	return id->build_id.size <= BUILD_ID_MAX && id->alt_build_id.size <= BUILD_ID_MAX &&
	       memchr(id->debuglink, 0, sizeof(id->debuglink)) &&
	       memchr(id->alt_path, 0, sizeof(id->alt_path));
}

int symbolizer_client__identify(struct symbolizer_client *c, int fd, struct msg_identity *ret)
{
	struct ipc_msg question = {.type = MSG_IDENTIFY, .fds = {fd, -1, -1, -1}, .n_fds = 1};
	struct symbolizer_worker *w = worker_of(c, &fd, 1);
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = ask(w, &question, MSG_IDENTIFY_OK, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	if (answer.n_bytes != sizeof(*ret) || !identity_valid(answer.payload)) {
		symbolizer_worker__give_up(w);
		return SYMBOLIZER_DIED;
	}
	memcpy(ret, answer.payload, sizeof(*ret));
	return SYMBOLIZER_OK;
}

/* The payload of a question about addresses: N_HEAD bytes of HEAD and N of addresses. */
static int make_payload(struct ipc_msg *question, const void *head, size_t n_head,
			const void *addrs, size_t n)
{
	char *payload = malloc(n_head + n);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, head, n_head);
	memcpy(payload + n_head, addrs, n);
	question->payload = payload;
	question->n_bytes = (uint32_t)(n_head + n);
	return 0;
}

/* Asks for the names of N addresses; the answer is of TYPE. */
static int ask_names(struct symbolizer_client *c, struct ipc_msg *question, uint32_t type,
		     uint32_t n, struct ipc_msg *ret_msg, struct symbols_view *ret)
{
	struct symbolizer_worker *w = worker_of(c, question->fds, question->n_fds);
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = ask(w, question, type, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	if (symbols_view__init(ret, answer.payload, answer.n_bytes, n) < 0) {
		symbolizer_worker__give_up(w);
		return SYMBOLIZER_DIED;
	}
	*ret_msg = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return SYMBOLIZER_OK;
}

/* Adds FD to the question. Returns 1, or 0 where there is none. */
static uint32_t add_file(struct ipc_msg *question, int fd)
{
	if (fd < 0)
		return 0;
	question->fds[question->n_fds++] = fd;
	return 1;
}

int symbolizer_client__symbolize(struct symbolizer_client *c, const struct symbolizer_files *files,
				 const uint64_t *offs, uint32_t n, struct ipc_msg *ret_msg,
				 struct symbols_view *ret)
{
	struct ipc_msg question = {.type = MSG_SYMBOLIZE, .fds = {-1, -1, -1, -1}};
	struct msg_symbolize head = {.n_addrs = n};
	int r;

	add_file(&question, files->file);
	head.has_debug = add_file(&question, files->debug);
	head.has_alt = add_file(&question, files->alt);
	head.has_split = add_file(&question, files->split);
	r = make_payload(&question, &head, sizeof(head), offs, n * sizeof(*offs));
	if (r == 0)
		r = ask_names(c, &question, MSG_SYMBOLIZE_OK, n, ret_msg, ret);
	free(question.payload);
	return r;
}

int symbolizer_client__jit(struct symbolizer_client *c, int map_fd, int dump_fd,
			   const struct msg_jit_addr *addrs, uint32_t n, struct ipc_msg *ret_msg,
			   struct symbols_view *ret)
{
	struct ipc_msg question = {.type = MSG_JIT, .fds = {-1, -1, -1, -1}};
	struct msg_jit head = {.n_addrs = n};
	int r;

	head.has_map = add_file(&question, map_fd);
	head.has_dump = add_file(&question, dump_fd);
	r = make_payload(&question, &head, sizeof(head), addrs, n * sizeof(*addrs));
	if (r == 0)
		r = ask_names(c, &question, MSG_JIT_OK, n, ret_msg, ret);
	free(question.payload);
	return r;
}

int symbolizer_client__unwind_table(struct symbolizer_client *c, int fd, int *ret_fd,
				    struct msg_unwind_table *ret)
{
	struct ipc_msg question = {.type = MSG_UNWIND_TABLE, .fds = {fd, -1, -1, -1}, .n_fds = 1};
	struct symbolizer_worker *w = worker_of(c, &fd, 1);
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct msg_unwind_table made = {0};
	int r = ask(w, &question, MSG_UNWIND_TABLE_OK, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	memcpy(&made, answer.payload, MIN(answer.n_bytes, sizeof(made)));
	if (answer.n_bytes != sizeof(made) || made.build_id.size > BUILD_ID_MAX) {
		symbolizer_worker__give_up(w);
		return SYMBOLIZER_DIED;
	}
	*ret = made;
	*ret_fd = steal_fd(&answer.fds[0]);
	return SYMBOLIZER_OK;
}
