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
#include "daemon/collector/bad_files.h"

struct symbolizer_client {
	char *path;
	struct bad_files *bad;
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
	if (!c->path || bad_files__new(&c->bad) < 0)
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
	bad_files__free(c->bad);
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

/* ---- asking ---------------------------------------------------------------------------------- */

/* A question, and what its answer must be like. */
struct inquiry {
	struct ipc_msg question; /* nothing in it is owned */
	uint32_t type;		 /* of the answer; MSG_FAILED may come as well */
	uint32_t n_fds;		 /* that come with it */
	bool (*is_valid)(struct inquiry *q, const struct ipc_msg *answer);
	struct symbols_view *view; /* of the answer to MSG_SYMBOLIZE, made by IS_VALID */
	uint32_t n_addrs;
};

/* Who is asked: one of the files may be anybody's. */
static struct symbolizer_worker *worker_of(struct symbolizer_client *c, const struct ipc_msg *msg)
{
	enum owner owner = OWNER_ROOT;

	for (uint32_t i = 0; i < msg->n_fds; i++)
		owner = MAX(owner, owner_of(msg->fds[i]));
	return &c->workers[owner];
}

static int identify_files(const struct ipc_msg *msg, struct file_set *ret)
{
	int r = 0;

	*ret = (struct file_set){0};
	for (uint32_t i = 0; r == 0 && i < msg->n_fds; i++)
		r = file_identity_of(msg->fds[i], &ret->files[i]);
	return r;
}

static bool is_answer(struct inquiry *q, const struct ipc_msg *answer)
{
	if (answer->type == MSG_FAILED)
		return answer->n_fds == 0;
	return answer->type == q->type && answer->n_fds == q->n_fds && q->is_valid(q, answer);
}

/* One attempt. As symbolizer_worker__ask(). */
static int attempt(struct symbolizer_worker *w, struct inquiry *q, struct ipc_msg *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = symbolizer_worker__ask(w, &q->question, &answer);

	if (r != WORKER_OK)
		return r;
	if (!is_answer(q, &answer)) {
		symbolizer_worker__give_up(w);
		return WORKER_DIED;
	}
	*ret = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return WORKER_OK;
}

/*
 * Asks W about SET, of which nobody knows that it is bad. One that dies may have been killed, or
 * has suffered from a file before: then another is asked. Only what befalls one that has read
 * nothing else is the fault of SET; and nobody is asked twice to wait for ever.
 */
static int ask_worker(struct symbolizer_client *c, struct symbolizer_worker *w,
		      const struct file_set *set, struct inquiry *q, struct ipc_msg *ret)
{
	for (bool again = false;; again = true) {
		bool fresh = symbolizer_worker__is_fresh(w);
		int r = attempt(w, q, ret);

		if (r < 0)
			return r;
		if (r == WORKER_OK) {
			bad_files__acquit(c->bad, set);
			return ret->type == MSG_FAILED ? SYMBOLIZER_UNUSABLE : SYMBOLIZER_OK;
		}
		if (symbolizer_worker__is_cancelled(w))
			return SYMBOLIZER_LATER;
		if (r == WORKER_STUCK || (fresh && (r == WORKER_DIED || r == WORKER_DEAR))) {
			bad_files__condemn(c->bad, set);
			return SYMBOLIZER_DIED;
		}
		if (again || r == WORKER_DEAR || r == WORKER_SLOW) {
			bad_files__suspect(c->bad, set, clock_ns(CLOCK_MONOTONIC));
			return SYMBOLIZER_LATER;
		}
	}
}

/* Asks and waits for the answer, to be released with ipc_msg__fini() on SYMBOLIZER_OK. The result
 * as in the header. */
static int ask(struct symbolizer_client *c, struct inquiry *q, struct ipc_msg *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct symbolizer_worker *w = worker_of(c, &q->question);
	struct file_set set;
	int r = identify_files(&q->question, &set);

	if (r < 0)
		return r;
	switch (bad_files__verdict(c->bad, &set, clock_ns(CLOCK_MONOTONIC))) {
	case BAD_FILES_BAD:
		return SYMBOLIZER_DIED;
	case BAD_FILES_RESTING:
		return SYMBOLIZER_LATER;
	case BAD_FILES_SUSPECT:
		symbolizer_worker__rest(w);
		break;
	case BAD_FILES_GOOD:
		break;
	}
	r = ask_worker(c, w, &set, q, &answer);
	if (r == SYMBOLIZER_OK) {
		*ret = answer;
		answer = (struct ipc_msg)IPC_MSG_INIT;
	}
	return r;
}

/* Names in what the symbolizer says must end somewhere. */
static bool identity_valid(struct inquiry *q, const struct ipc_msg *answer)
{
	const struct msg_identity *id = answer->payload;

	return answer->n_bytes == sizeof(*id) && id->build_id.size <= BUILD_ID_MAX &&
	       id->alt_build_id.size <= BUILD_ID_MAX &&
	       memchr(id->debuglink, 0, sizeof(id->debuglink)) &&
	       memchr(id->alt_path, 0, sizeof(id->alt_path));
}

int symbolizer_client__identify(struct symbolizer_client *c, int fd, struct msg_identity *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct inquiry q = {
	    .question = {.type = MSG_IDENTIFY, .fds = {fd, -1, -1, -1}, .n_fds = 1},
	    .type = MSG_IDENTIFY_OK,
	    .is_valid = identity_valid,
	};
	int r = ask(c, &q, &answer);

	if (r == SYMBOLIZER_OK)
		memcpy(ret, answer.payload, sizeof(*ret));
	return r;
}

static bool symbols_valid(struct inquiry *q, const struct ipc_msg *answer)
{
	return symbols_view__init(q->view, answer->payload, answer->n_bytes, q->n_addrs) == 0;
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
	struct msg_symbolize head = {.n_addrs = n};
	struct inquiry q = {
	    .question = {.type = MSG_SYMBOLIZE, .fds = {-1, -1, -1, -1}},
	    .type = MSG_SYMBOLIZE_OK,
	    .is_valid = symbols_valid,
	    .view = ret,
	    .n_addrs = n,
	};
	int r;

	add_file(&q.question, files->file);
	head.has_debug = add_file(&q.question, files->debug);
	head.has_alt = add_file(&q.question, files->alt);
	head.has_split = add_file(&q.question, files->split);
	r = make_payload(&q.question, &head, sizeof(head), offs, n * sizeof(*offs));
	if (r == 0)
		r = ask(c, &q, ret_msg);
	free(q.question.payload);
	return r;
}

int symbolizer_client__jit(struct symbolizer_client *c, int map_fd, int dump_fd,
			   const struct msg_jit_addr *addrs, uint32_t n, struct ipc_msg *ret_msg,
			   struct symbols_view *ret)
{
	struct msg_jit head = {.n_addrs = n};
	struct inquiry q = {
	    .question = {.type = MSG_JIT, .fds = {-1, -1, -1, -1}},
	    .type = MSG_JIT_OK,
	    .is_valid = symbols_valid,
	    .view = ret,
	    .n_addrs = n,
	};
	int r;

	head.has_map = add_file(&q.question, map_fd);
	head.has_dump = add_file(&q.question, dump_fd);
	r = make_payload(&q.question, &head, sizeof(head), addrs, n * sizeof(*addrs));
	if (r == 0)
		r = ask(c, &q, ret_msg);
	free(q.question.payload);
	return r;
}

static bool made_valid(struct inquiry *q, const struct ipc_msg *answer)
{
	const struct msg_unwind_table *made = answer->payload;

	return answer->n_bytes == sizeof(*made) && made->build_id.size <= BUILD_ID_MAX;
}

int symbolizer_client__unwind_table(struct symbolizer_client *c, int fd, int *ret_fd,
				    struct msg_unwind_table *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct inquiry q = {
	    .question = {.type = MSG_UNWIND_TABLE, .fds = {fd, -1, -1, -1}, .n_fds = 1},
	    .type = MSG_UNWIND_TABLE_OK,
	    .n_fds = 1,
	    .is_valid = made_valid,
	};
	int r = ask(c, &q, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	memcpy(ret, answer.payload, sizeof(*ret));
	*ret_fd = steal_fd(&answer.fds[0]);
	return SYMBOLIZER_OK;
}
