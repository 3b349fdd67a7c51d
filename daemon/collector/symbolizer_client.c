/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/symbolizer_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

/* Milliseconds that a killed symbolizer is waited for. */
#define REAP_TRIES 1000

/* Until it is in its sandbox: a few milliseconds, on a host that is not overloaded. */
#define READY_TIMEOUT_NS (5 * NSEC_PER_SEC)

struct symbolizer_client {
	char *path;
	symbolizer_started_fn started;
	void *ctx;
	pthread_mutex_t lock; /* of sock and cancelled, against symbolizer_client__cancel() */
	bool cancelled;
	int sock;  /* -1 = not running */
	pid_t pid; /* 0 = not running */
	uint32_t next_id;
	bool died; /* the last one did not end by our will */
	uint32_t n_restarts;
	bool has_landlock;
	char trouble[192]; /* why the last one that was started was not ready; "" = it was */
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

/*
 * In the child, between fork and exec: only calls that are safe there. The signals that end us must
 * not end the symbolizer, which is still needed to write the last window: it ends when its stream
 * does.
 */
static _Noreturn void become_symbolizer(const char *path, int sock)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	char *argv[] = {(char *)path, NULL};
	char *envp[] = {NULL};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* when the thread that started it ends */
	/* dup2() clears close-on-exec, except when there is nothing to move. */
	if (sock == IPC_SYMBOLIZER_FD)
		fcntl(sock, F_SETFD, 0);
	else if (dup2(sock, IPC_SYMBOLIZER_FD) < 0)
		_exit(127);
	execve(path, argv, envp);
	_exit(127);
}

/* Waits until the symbolizer that was just started is in its sandbox. 0 or -errno. */
static int await_ready(struct symbolizer_client *c)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT;
	const struct msg_ready *ready;
	const struct msg_failed *failed;
	int r = ipc_recv(c->sock, &msg, clock_ns(CLOCK_MONOTONIC) + READY_TIMEOUT_NS);

	if (r < 0) {
		snprintf(c->trouble, sizeof(c->trouble), "it ends or hangs before it is ready");
		return -ECHILD;
	}
	ready = msg.payload;
	failed = msg.payload;
	if (msg.type == MSG_READY && msg.n_bytes == sizeof(*ready)) {
		c->has_landlock = ready->has_landlock;
		c->trouble[0] = '\0';
		return 0;
	}
	if (msg.type == MSG_FAILED && msg.n_bytes == sizeof(*failed))
		snprintf(c->trouble, sizeof(c->trouble), "it cannot enter its sandbox: %.128s",
			 failed->text);
	else
		snprintf(c->trouble, sizeof(c->trouble), "it is no symbolizer of this version");
	return -ECHILD;
}

static int start(struct symbolizer_client *c)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_symbolizer(c->path, pair[1]);
	close_fd(pair[1]);
	if (pid < 0) {
		close_fd(pair[0]);
		return -errno;
	}
	pthread_mutex_lock(&c->lock);
	c->sock = pair[0];
	if (c->cancelled) /* by now: then nobody will wait for it */
		shutdown(c->sock, SHUT_RDWR);
	pthread_mutex_unlock(&c->lock);
	c->pid = pid;
	c->n_restarts += c->died;
	c->died = false;
	if (c->started)
		c->started(c->ctx, (uint32_t)pid);
	return await_ready(c);
}

static void stop(struct symbolizer_client *c)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	pthread_mutex_lock(&c->lock);
	c->sock = close_fd(c->sock);
	pthread_mutex_unlock(&c->lock);
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	/* One that reads from a dead network disk does not die until the disk answers: then it is
	 * left behind, as a zombie. */
	for (unsigned i = 0; i < REAP_TRIES && waitpid(c->pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&moment, NULL);
	c->pid = 0;
}

/* Ends one that does not do what it should. */
static void give_up(struct symbolizer_client *c)
{
	stop(c);
	c->died = true;
}

int symbolizer_client__new(struct symbolizer_client **ret, const char *path,
			   symbolizer_started_fn started, void *ctx)
{
	_cleanup_(symbolizer_client__freep) struct symbolizer_client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->sock = -1;
	c->started = started;
	c->ctx = ctx;
	c->path = strdup(path);
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
	stop(c);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
	return NULL;
}

int symbolizer_client__start(struct symbolizer_client *c)
{
	int r = c->sock < 0 ? start(c) : 0;

	if (r < 0)
		give_up(c);
	return r;
}

const char *symbolizer_client__trouble(const struct symbolizer_client *c)
{
	return c->trouble[0] ? c->trouble : NULL;
}

bool symbolizer_client__has_landlock(const struct symbolizer_client *c)
{
	return c->has_landlock;
}

uint32_t symbolizer_client__restarts(const struct symbolizer_client *c)
{
	return c->n_restarts;
}

/* One attempt; starts the process where there is none. 0 or -errno of the stream. */
static int exchange(struct symbolizer_client *c, struct ipc_msg *question, struct ipc_msg *ret)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + SYMBOLIZER_TIMEOUT_NS;
	int r = c->sock < 0 ? start(c) : 0;

	if (r < 0) {
		give_up(c);
		return r;
	}
	question->id = ++c->next_id;
	r = ipc_send(c->sock, question, deadline);
	if (r == 0)
		r = ipc_recv(c->sock, ret, deadline);
	if (r < 0)
		give_up(c);
	return r;
}

void symbolizer_client__rest(struct symbolizer_client *c)
{
	stop(c);
}

static bool is_cancelled(struct symbolizer_client *c)
{
	bool cancelled;

	pthread_mutex_lock(&c->lock);
	cancelled = c->cancelled;
	pthread_mutex_unlock(&c->lock);
	return cancelled;
}

void symbolizer_client__cancel(struct symbolizer_client *c)
{
	pthread_mutex_lock(&c->lock);
	c->cancelled = true;
	if (c->sock >= 0)
		shutdown(c->sock, SHUT_RDWR);
	pthread_mutex_unlock(&c->lock);
}

/* Asks and waits for the answer, which must be of TYPE or MSG_FAILED. The result as in the
 * header. */
static int ask(struct symbolizer_client *c, struct ipc_msg *question, uint32_t type,
	       struct ipc_msg *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = exchange(c, question, &answer);

	/* Somebody may have killed it for no fault of this file's: a second death proves the
	 * fault. */
	if (r == -EPIPE && !is_cancelled(c))
		r = exchange(c, question, &answer);
	if (r == -EPIPE || r == -ETIMEDOUT || r == -EBADMSG)
		return SYMBOLIZER_DIED;
	if (r < 0)
		return r;
	if (answer.id != question->id || answer.n_fds != (answer.type == MSG_UNWIND_TABLE_OK) ||
	    (answer.type != type && answer.type != MSG_FAILED)) {
		give_up(c);
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
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = ask(c, &question, MSG_IDENTIFY_OK, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	if (answer.n_bytes != sizeof(*ret) || !identity_valid(answer.payload)) {
		give_up(c);
		return SYMBOLIZER_DIED;
	}
	memcpy(ret, answer.payload, sizeof(*ret));
	return SYMBOLIZER_OK;
}

int symbolizer_client__symbolize(struct symbolizer_client *c, const struct symbolizer_files *files,
				 const uint64_t *offs, uint32_t n, struct ipc_msg *ret_msg,
				 struct symbols_view *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct msg_symbolize head = {.n_addrs = n};
	struct ipc_msg question = {.type = MSG_SYMBOLIZE, .fds = {files->file, -1, -1, -1}};
	cleanup_free char *payload = NULL;
	int r;

	question.n_fds = 1;
	if (files->debug >= 0) {
		head.has_debug = 1;
		question.fds[question.n_fds++] = files->debug;
	}
	if (files->alt >= 0) {
		head.has_alt = 1;
		question.fds[question.n_fds++] = files->alt;
	}
	if (files->split >= 0) {
		head.has_split = 1;
		question.fds[question.n_fds++] = files->split;
	}
	question.n_bytes = (uint32_t)(sizeof(head) + n * sizeof(*offs));
	payload = malloc(question.n_bytes);
	if (!payload)
		return -ENOMEM;
	memcpy(payload, &head, sizeof(head));
	memcpy(payload + sizeof(head), offs, n * sizeof(*offs));
	question.payload = payload;
	r = ask(c, &question, MSG_SYMBOLIZE_OK, &answer);
	if (r != SYMBOLIZER_OK)
		return r;
	if (symbols_view__init(ret, answer.payload, answer.n_bytes, n) < 0) {
		give_up(c);
		return SYMBOLIZER_DIED;
	}
	*ret_msg = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return SYMBOLIZER_OK;
}

int symbolizer_client__unwind_table(struct symbolizer_client *c, int fd, int *ret_fd,
				    struct msg_unwind_table *ret)
{
	struct ipc_msg question = {.type = MSG_UNWIND_TABLE, .fds = {fd, -1, -1, -1}, .n_fds = 1};
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct msg_unwind_table made = {0};
	int r = ask(c, &question, MSG_UNWIND_TABLE_OK, &answer);

	if (r != SYMBOLIZER_OK)
		return r;
	memcpy(&made, answer.payload, MIN(answer.n_bytes, sizeof(made)));
	if (answer.n_bytes != sizeof(made) || made.build_id.size > BUILD_ID_MAX) {
		give_up(c);
		return SYMBOLIZER_DIED;
	}
	*ret = made;
	*ret_fd = steal_fd(&answer.fds[0]);
	return SYMBOLIZER_OK;
}

int symbolizer_client__jit(struct symbolizer_client *c, int map_fd, int dump_fd,
			   const struct msg_jit_addr *addrs, uint32_t n, struct ipc_msg *ret_msg,
			   struct symbols_view *ret)
{
	struct msg_jit head = {.n_addrs = n, .has_map = map_fd >= 0, .has_dump = dump_fd >= 0};
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct ipc_msg question = {.type = MSG_JIT, .fds = {-1, -1, -1, -1}};
	cleanup_free char *payload = NULL;
	int r;

	if (map_fd >= 0)
		question.fds[question.n_fds++] = map_fd;
	if (dump_fd >= 0)
		question.fds[question.n_fds++] = dump_fd;
	question.n_bytes = (uint32_t)(sizeof(head) + n * sizeof(*addrs));
	payload = malloc(question.n_bytes);
	if (!payload)
		return -ENOMEM;
	memcpy(payload, &head, sizeof(head));
	memcpy(payload + sizeof(head), addrs, n * sizeof(*addrs));
	question.payload = payload;
	r = ask(c, &question, MSG_JIT_OK, &answer);
	if (r != SYMBOLIZER_OK)
		return r;
	if (symbols_view__init(ret, answer.payload, answer.n_bytes, n) < 0) {
		give_up(c);
		return SYMBOLIZER_DIED;
	}
	*ret_msg = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return SYMBOLIZER_OK;
}
