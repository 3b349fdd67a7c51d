/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window over the running test itself, filled by hand: what its functions and lines are is known
 * from this source.
 */
#ifndef TESTS_SELF_WINDOW_H
#define TESTS_SELF_WINDOW_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/collector/processes.h"
#include "daemon/collector/window.h"
#include "tests/unit/made_sample.h"

#define SELF_START_NS 1772409547500000000 /* 2026-03-01 23:59:07.5 UTC */
#define SELF_PERIOD_NS 10101010

/* Leaves its own address in the section self_pcs, wherever it is inlined: once. */
enum { SELF_INNER_LINE = __LINE__ + 1 };
static inline __attribute__((always_inline)) void self_inner(void)
{
	__asm__ volatile("1:\tnop\n\t.pushsection self_pcs, \"aw\"\n\t.quad 1b\n\t.popsection");
}

enum { SELF_OUTER_LINE = __LINE__ + 1 };
static __attribute__((noinline, used)) void self_outer(void)
{
	self_inner();
}

extern const uint64_t __start_self_pcs[];

/* An address in self_inner(), inlined into self_outer(). */
static inline uint64_t self_pc(void)
{
	return __start_self_pcs[0];
}

/* The program's first function, as a caller's return address. */
extern void _start(void);
static inline uint64_t self_root(void)
{
	return (uint64_t)(uintptr_t)_start + 1;
}

struct self_window {
	struct objects *objects;
	struct processes *processes;
	struct process *process; /* ourselves */
	struct window *w;
};

static inline int self_window__new_window(struct self_window *s)
{
	return window__new(&s->w, s->objects, SELF_START_NS, SELF_PERIOD_NS);
}

/* Reads our own mappings; of the files only our program is open. */
static inline int self_window__init(struct self_window *s)
{
	uint32_t me = (uint32_t)getpid();
	struct object *exe;
	int fd;

	*s = (struct self_window){0};
	if (objects__new(&s->objects) < 0 || processes__new(&s->processes, s->objects) < 0 ||
	    processes__scan(s->processes, me, me) < 0)
		return -1;
	s->process = processes__find(s->processes, me);
	if (!s->process || !s->process->maps->exe)
		return -1;
	exe = s->process->maps->exe->object;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	objects__opened(s->objects, exe, fd);
	return self_window__new_window(s);
}

static inline void self_window__fini(struct self_window *s)
{
	window__free(s->w);
	processes__free(s->processes);
	objects__free(s->objects);
}

/* Counts N samples of a process like ours, but with this tgid and name. */
static inline int self_window__count(struct self_window *s, uint32_t tgid, const char *comm,
				     const struct made_sample *sample, unsigned n)
{
	struct process p = *s->process;
	struct made_sample copy = *sample;
	int r = 0;

	p.tgid = copy.record.tgid = tgid;
	snprintf(p.comm, sizeof(p.comm), "%s", comm);
	for (unsigned i = 0; i < n && r == 0; i++)
		r = window__add(s->w, &p, &copy.record);
	return r;
}

/* The symbolizer that was built with this test: two directories up. False where there is none. */
static inline bool self_symbolizer(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	if (n <= 0)
		return false;
	path[n] = '\0';
	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return false;
		*slash = '\0';
	}
	n = (ssize_t)strlen(path);
	snprintf(path + n, size - (size_t)n, "/cprofd-symbolizer");
	return access(path, X_OK) == 0;
}

#endif
