/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/symbolizer_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/symbolizer_client.h"
#include "daemon/ipc/messages.h"

/* Milliseconds that a killed symbolizer is waited for. */
#define REAP_TRIES 1000

/* Until it is in its sandbox: a few milliseconds, on a host that is not overloaded. */
#define READY_TIMEOUT_NS (5 * NSEC_PER_SEC)

void symbolizer_worker__init(struct symbolizer_worker *w, const char *path, enum owner owner,
			     symbolizer_started_fn started, void *ctx)
{
	*w = (struct symbolizer_worker){
	    .path = path, .owner = owner, .started = started, .ctx = ctx, .sock = -1};
	pthread_mutex_init(&w->lock, NULL);
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
static int await_ready(struct symbolizer_worker *w)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT;
	const struct msg_ready *ready;
	const struct msg_failed *failed;
	int r = ipc_recv(w->sock, &msg, clock_ns(CLOCK_MONOTONIC) + READY_TIMEOUT_NS);

	if (r < 0) {
		snprintf(w->trouble, sizeof(w->trouble), "it ends or hangs before it is ready");
		return -ECHILD;
	}
	ready = msg.payload;
	failed = msg.payload;
	if (msg.type == MSG_READY && msg.n_bytes == sizeof(*ready)) {
		w->has_landlock = ready->has_landlock;
		w->trouble[0] = '\0';
		return 0;
	}
	if (msg.type == MSG_FAILED && msg.n_bytes == sizeof(*failed))
		snprintf(w->trouble, sizeof(w->trouble), "it cannot enter its sandbox: %.128s",
			 failed->text);
	else
		snprintf(w->trouble, sizeof(w->trouble), "it is no symbolizer of this version");
	return -ECHILD;
}

static int start(struct symbolizer_worker *w)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_symbolizer(w->path, pair[1]);
	close_fd(pair[1]);
	if (pid < 0) {
		close_fd(pair[0]);
		return -errno;
	}
	pthread_mutex_lock(&w->lock);
	w->sock = pair[0];
	if (w->cancelled) /* by now: then nobody will wait for it */
		shutdown(w->sock, SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
	w->pid = pid;
	w->n_restarts += w->died;
	w->died = false;
	if (w->started)
		w->started(w->ctx, w->owner, (uint32_t)pid);
	return await_ready(w);
}

static void stop(struct symbolizer_worker *w)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	pthread_mutex_lock(&w->lock);
	w->sock = close_fd(w->sock);
	pthread_mutex_unlock(&w->lock);
	if (!w->pid)
		return;
	kill(w->pid, SIGKILL);
	/* One that reads from a dead network disk does not die until the disk answers: then it is
	 * left behind, as a zombie. */
	for (unsigned i = 0; i < REAP_TRIES && waitpid(w->pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&moment, NULL);
	w->pid = 0;
}

void symbolizer_worker__fini(struct symbolizer_worker *w)
{
	stop(w);
	pthread_mutex_destroy(&w->lock);
}

void symbolizer_worker__rest(struct symbolizer_worker *w)
{
	stop(w);
}

void symbolizer_worker__give_up(struct symbolizer_worker *w)
{
	stop(w);
	w->died = true;
}

int symbolizer_worker__start(struct symbolizer_worker *w)
{
	int r = w->sock < 0 ? start(w) : 0;

	if (r < 0)
		symbolizer_worker__give_up(w);
	return r;
}

int symbolizer_worker__ask(struct symbolizer_worker *w, struct ipc_msg *question,
			   struct ipc_msg *ret)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + SYMBOLIZER_TIMEOUT_NS;
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r = symbolizer_worker__is_cancelled(w) ? -EPIPE : symbolizer_worker__start(w);

	if (r < 0)
		return r;
	question->id = ++w->next_id;
	r = ipc_send(w->sock, question, deadline);
	if (r == 0)
		r = ipc_recv(w->sock, &answer, deadline);
	if (r == 0 && answer.id != question->id)
		r = -EBADMSG;
	if (r < 0) {
		symbolizer_worker__give_up(w);
		return r;
	}
	*ret = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return 0;
}

bool symbolizer_worker__is_cancelled(struct symbolizer_worker *w)
{
	bool cancelled;

	pthread_mutex_lock(&w->lock);
	cancelled = w->cancelled;
	pthread_mutex_unlock(&w->lock);
	return cancelled;
}

void symbolizer_worker__cancel(struct symbolizer_worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->cancelled = true;
	if (w->sock >= 0)
		shutdown(w->sock, SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
}
