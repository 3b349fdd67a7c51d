/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/tracee.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void stop__set_regs(struct stop *s, const struct user_regs_struct *from)
{
	const uint64_t r[16] = {from->rax, from->rdx, from->rcx, from->rbx, from->rsi, from->rdi,
				from->rbp, from->rsp, from->r8,	 from->r9,  from->r10, from->r11,
				from->r12, from->r13, from->r14, from->r15};

	s->regs =
	    (struct unwind_regs){.ip = from->rip, .sp = from->rsp, .valid = 0xffff, .exact = 1};
	memcpy(s->regs.r, r, sizeof(r));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* 1 it has stopped, 0 not within MS, -1 it is gone. */
static int wait_for_stop(struct tracee *t, uint64_t ms)
{
	uint64_t end = now_ms() + ms;
	int status;

	for (unsigned turn = 0;; turn++) {
		pid_t r = waitpid(t->tid, &status, __WALL | WNOHANG);

		if (r < 0 || (r > 0 && !WIFSTOPPED(status)))
			return -1;
		if (r > 0) {
			int sig = WSTOPSIG(status);

			/* An event of ptrace's own is no signal of the thread's. */
			if (status >> 16 == 0 && sig != SIGTRAP)
				t->signal = sig;
			return 1;
		}
		if (turn < 200) {
			sched_yield();
		} else {
			usleep(50);
			if (now_ms() > end)
				return 0;
		}
	}
}

bool tracee__attach(struct tracee *t, pid_t tid)
{
	*t = (struct tracee){.tid = tid};
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return false;
	return wait_for_stop(t, 5000) == 1;
}

bool tracee__step(struct tracee *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r;

		if (ptrace(PTRACE_SINGLESTEP, t->tid, NULL, (void *)(long)t->signal) < 0)
			return false;
		t->signal = 0;
		r = wait_for_stop(t, 10);
		if (r == 0) {
			/* It waits in the kernel. */
			ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
			return wait_for_stop(t, 5000) == 1;
		}
		if (r < 0)
			return false;
	}
	return true;
}

bool tracee__regs(const struct tracee *t, struct stop *ret)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		return false;
	ret->tid = t->tid;
	stop__set_regs(ret, &regs);
	return true;
}

/* Whether the trap of a step waits to be delivered: without a tracer it would end the process. */
static bool trap_is_pending(const struct tracee *t)
{
	struct __ptrace_peeksiginfo_args which = {.nr = 8};
	siginfo_t pending[8];
	long n = ptrace(PTRACE_PEEKSIGINFO, t->tid, &which, pending);

	for (long i = 0; i < n; i++)
		if (pending[i].si_signo == SIGTRAP)
			return true;
	return false;
}

void tracee__detach(struct tracee *t)
{
	for (int i = 0; i < 8 && trap_is_pending(t); i++) {
		if (ptrace(PTRACE_CONT, t->tid, NULL, (void *)(long)t->signal) < 0)
			break;
		t->signal = 0;
		if (wait_for_stop(t, 1000) != 1)
			break;
	}
	ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(long)t->signal);
}

/* ---- which ----------------------------------------------------------------------------------- */

#define PROCESSES_MAX 4096

struct process {
	pid_t pid, parent;
	char comm[17];
	char state;
};

static bool read_stat(const char *path, struct process *p)
{
	char text[512], *open, *close;
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || close - open - 1 >= (long)sizeof(p->comm))
		return false;
	memcpy(p->comm, open + 1, (size_t)(close - open - 1));
	p->comm[close - open - 1] = '\0';
	return sscanf(close + 1, " %c %d", &p->state, &p->parent) == 2;
}

static size_t read_processes(struct process *processes)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;
	char path[64];

	while (dir && (entry = readdir(dir)) && n < PROCESSES_MAX) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		processes[n].pid = atoi(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%d/stat", processes[n].pid);
		if (read_stat(path, &processes[n]))
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static pid_t parent_of(const struct process *all, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].pid == pid)
			return all[i].parent;
	return 0;
}

static bool descends(const struct process *all, size_t n, pid_t pid, pid_t root)
{
	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		if (pid == root)
			return true;
		pid = parent_of(all, n, pid);
	}
	return false;
}

/* A random thread of PID, of those that run if there are any. */
static pid_t choose_thread(pid_t pid, bool *ret_runs)
{
	char path[64];
	DIR *dir;
	struct dirent *entry;
	pid_t chosen = 0, running = 0;
	int n = 0, n_running = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct process p;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		p.pid = atoi(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, p.pid);
		if (!read_stat(path, &p) || p.state == 'Z' || p.state == 'X')
			continue;
		if (rand() % ++n == 0)
			chosen = p.pid;
		if (p.state == 'R' && rand() % ++n_running == 0)
			running = p.pid;
	}
	if (dir)
		closedir(dir);
	*ret_runs = n_running > 0;
	/* Now and then one that waits. */
	return running && rand() % 8 ? running : chosen;
}

bool tracee_choose(pid_t root, const char *comm, pid_t *ret_pid, pid_t *ret_tid)
{
	static struct process all[PROCESSES_MAX];
	size_t n = read_processes(all), n_fit = 0, n_run = 0;
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		bool runs;
		pid_t tid;

		if (all[i].state == 'Z' || strcmp(all[i].comm, comm) ||
		    !descends(all, n, all[i].pid, root))
			continue;
		tid = choose_thread(all[i].pid, &runs);
		if (!tid)
			continue;
		if (runs ? rand() % ++n_run == 0 : n_run == 0 && rand() % ++n_fit == 0) {
			*ret_pid = all[i].pid;
			*ret_tid = tid;
			found = true;
		}
	}
	return found;
}

void tracee_kill_tree(pid_t root)
{
	static struct process all[PROCESSES_MAX];

	for (int round = 0; round < 3; round++) {
		size_t n = read_processes(all);

		for (size_t i = 0; i < n; i++)
			if (all[i].pid != root && descends(all, n, all[i].pid, root))
				kill(all[i].pid, round ? SIGKILL : SIGTERM);
		usleep(100000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
