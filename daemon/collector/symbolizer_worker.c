/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/symbolizer_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/ipc/messages.h"

/* Milliseconds that a symbolizer which should have ended is waited for. */
#define REAP_TRIES 1000

/* Starts in a row that somebody may kill before they are ready. */
#define KILLED_STARTS_MAX 5

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
		snprintf(w->trouble, sizeof(w->trouble), "it cannot enter its sandbox: %.96s",
			 failed->text);
	else
		snprintf(w->trouble, sizeof(w->trouble), "it is no symbolizer of this version");
	return -ECHILD;
}

/* Its memory, as far as it is resident. 0 where that is not known. */
static uint64_t resident_bytes(const struct symbolizer_worker *w)
{
	cleanup_free char *text = NULL;
	unsigned long long pages = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)w->pid);
	if (read_text_file(AT_FDCWD, path, 4096, &text, NULL) < 0 ||
	    sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int spawn(struct symbolizer_worker *w)
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
	return 0;
}

/* Whether it ends within a second; *RET is how (wait(2)). */
static bool has_ended(struct symbolizer_worker *w, int *ret)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (unsigned i = 0; w->pid && i < REAP_TRIES; i++) {
		if (waitpid(w->pid, ret, WNOHANG) != 0) {
			w->pid = 0;
			return true;
		}
		nanosleep(&moment, NULL);
	}
	return false;
}

/* Whether it is gone then. */
static bool stop(struct symbolizer_worker *w)
{
	bool gone;
	int status;

	pthread_mutex_lock(&w->lock);
	w->sock = close_fd(w->sock);
	pthread_mutex_unlock(&w->lock);
	if (!w->pid)
		return true;
	kill(w->pid, SIGKILL);
	/* One that reads from a dead network disk does not die until the disk answers: then it is
	 * left behind, as a zombie. */
	gone = has_ended(w, &status);
	w->pid = 0;
	return gone;
}

/* Ends one whose stream has ended. Whether it was somebody else who has ended it. */
static bool was_killed(struct symbolizer_worker *w)
{
	int status = 0;
	bool killed = has_ended(w, &status) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	(void)stop(w);
	w->died = true;
	return killed;
}

void symbolizer_worker__fini(struct symbolizer_worker *w)
{
	(void)stop(w);
	pthread_mutex_destroy(&w->lock);
}

void symbolizer_worker__rest(struct symbolizer_worker *w)
{
	(void)stop(w);
}

void symbolizer_worker__give_up(struct symbolizer_worker *w)
{
	(void)stop(w);
	w->died = true;
}

/* ---- starting -------------------------------------------------------------------------------- */

static void note_start(struct symbolizer_worker *w)
{
	w->n_questions = 0;
	w->n_false_starts = 0;
	w->started_ns = clock_ns(CLOCK_MONOTONIC);
	w->start_bytes = resident_bytes(w);
	if (clock_getcpuclockid(w->pid, &w->cpu_clock) != 0)
		w->cpu_clock = CLOCK_MONOTONIC; /* then the one limit is the other */
}

/* It did not get ready: a host where it cannot run must not be kept busy with starting it. */
static void note_false_start(struct symbolizer_worker *w)
{
	uint64_t wait = WORKER_RETRY_NS << MIN(w->n_false_starts, 16);

	w->n_false_starts++;
	w->retry_ns = clock_ns(CLOCK_MONOTONIC) + MIN(wait, WORKER_RETRY_MAX_NS);
}

int symbolizer_worker__start(struct symbolizer_worker *w)
{
	if (w->sock >= 0)
		return 0;
	if (w->n_false_starts && clock_ns(CLOCK_MONOTONIC) < w->retry_ns)
		return -ECHILD;
	for (unsigned i = 0; i < KILLED_STARTS_MAX; i++) {
		int r = spawn(w);

		if (r < 0)
			return r;
		if (await_ready(w) == 0) {
			note_start(w);
			return 0;
		}
		if (!was_killed(w))
			break;
	}
	note_false_start(w);
	return -ECHILD;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool is_worn(const struct symbolizer_worker *w)
{
	return w->n_questions >= WORKER_QUESTIONS_MAX ||
	       clock_ns(CLOCK_MONOTONIC) - w->started_ns >= WORKER_AGE_MAX_NS ||
	       resident_bytes(w) > w->start_bytes + WORKER_GROWTH_BYTES_MAX;
}

bool symbolizer_worker__is_fresh(const struct symbolizer_worker *w)
{
	return w->sock < 0 || w->n_questions == 0;
}

/*
 * Waits for an answer to begin. The process has one thread, so it cannot have used its CPU time up
 * before as much time has passed: until then there is nothing to look at. 0, -ETIMEDOUT, -EDQUOT
 * when the CPU time is used up, or -errno.
 */
static int await_answer(struct symbolizer_worker *w, uint64_t cpu_end_ns, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = w->sock, .events = POLLIN};

	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(w->cpu_clock);
		int r;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		if (cpu >= cpu_end_ns)
			return -EDQUOT;
		r = poll(&p, 1,
			 (int)(MIN(deadline_ns - now, cpu_end_ns - cpu) / NSEC_PER_MSEC + 1));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int exchange(struct symbolizer_worker *w, struct ipc_msg *question, struct ipc_msg *ret)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + SYMBOLIZER_TIMEOUT_NS;
	uint64_t cpu_end = clock_ns(w->cpu_clock) + SYMBOLIZER_CPU_NS;
	int r;

	question->id = ++w->next_id;
	w->n_questions++;
	r = ipc_send(w->sock, question, deadline);
	if (r == 0)
		r = await_answer(w, cpu_end, deadline);
	if (r == 0)
		r = ipc_recv(w->sock, ret, deadline);
	return r == 0 && ret->id != question->id ? -EBADMSG : r;
}

/* Ends the process, over which an exchange failed with R. An enum worker_result or -errno. */
static int give_up_over(struct symbolizer_worker *w, int r)
{
	bool gone;

	if (r == -EPIPE)
		return was_killed(w) ? WORKER_KILLED : WORKER_DIED;
	gone = stop(w);
	w->died = true;
	if (!gone)
		return WORKER_STUCK;
	switch (r) {
	case -EBADMSG:
		return WORKER_DIED;
	case -EDQUOT:
		return WORKER_DEAR;
	case -ETIMEDOUT:
		return WORKER_SLOW;
	default:
		return r;
	}
}

int symbolizer_worker__ask(struct symbolizer_worker *w, struct ipc_msg *question,
			   struct ipc_msg *ret)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	int r;

	if (symbolizer_worker__is_cancelled(w))
		return WORKER_KILLED;
	if (w->sock >= 0 && is_worn(w))
		(void)stop(w);
	r = symbolizer_worker__start(w);
	if (r < 0)
		return r;
	r = exchange(w, question, &answer);
	if (r < 0)
		return give_up_over(w, r);
	*ret = answer;
	answer = (struct ipc_msg)IPC_MSG_INIT;
	return WORKER_OK;
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
