/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/jit_namer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/names_answer.h"

/* A frame to be named, and what is asked about it. */
struct wanted {
	uint64_t heat; /* samples of the process */
	uint32_t process, frame;
	struct msg_jit_addr at;
};

struct job {
	struct jit_namer *jn;
	struct symbolizer_client *client;
	struct names *names;
	const struct window *w;
	uint32_t *chains;
	struct jit_namer_counts counts;
};

static bool is_bad(const struct jit_namer *jn, const struct object *object)
{
	for (uint32_t i = 0; object && i < MIN(jn->n_bad, JIT_NAMER_BAD_MAX); i++)
		if (jn->bad[i] == object->serial)
			return true;
	return false;
}

static void remember_bad(struct jit_namer *jn, const struct object *object)
{
	if (object)
		jn->bad[jn->n_bad++ % JIT_NAMER_BAD_MAX] = object->serial;
}

/* Whether frame I needs a name that a runtime may know. */
static bool is_wanted(const struct job *job, uint32_t i)
{
	const struct window_frame *f = &job->w->frames[i];
	const struct window_process *p;
	uint16_t source;

	if (f->process == WINDOW_NO_PROCESS)
		return false;
	p = &job->w->processes[f->process];
	source = job->names->chains[job->chains[i]].source;
	return (p->map_fd >= 0 || p->dump_fd >= 0) &&
	       (source == NAME_NONE || source == NAME_PSEUDO);
}

static int by_process(const void *pa, const void *pb)
{
	const struct wanted *a = pa, *b = pb;

	if (a->heat != b->heat)
		return a->heat > b->heat ? -1 : 1;
	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->at.addr != b->at.addr)
		return a->at.addr < b->at.addr ? -1 : 1;
	if (a->at.time_ns != b->at.time_ns)
		return a->at.time_ns < b->at.time_ns ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* Asks about the N addresses at ADDRS of process P. The result as of symbolizer_client__jit(). */
static int ask(struct job *job, const struct window_process *p, const struct msg_jit_addr *addrs,
	       uint32_t n, struct ipc_msg *msg, struct symbols_view *view)
{
	int map_fd = is_bad(job->jn, p->jit.map) ? -1 : p->map_fd;
	int dump_fd = is_bad(job->jn, p->jit.dump) ? -1 : p->dump_fd;
	int r;

	if (map_fd < 0 && dump_fd < 0)
		return SYMBOLIZER_UNUSABLE;
	r = symbolizer_client__jit(job->client, map_fd, dump_fd, addrs, n, msg, view);
	if (r > 0) {
		job->counts.n_bad += r == SYMBOLIZER_DIED;
		remember_bad(job->jn, p->jit.map);
		remember_bad(job->jn, p->jit.dump);
	}
	return r;
}

/* Names the N frames at WANTED, all of one process, sorted, each with an address of its own. */
static int name_process(struct job *job, const struct wanted *wanted, uint32_t n)
{
	_cleanup_(names_answer__fini) struct names_answer answer = {0};
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT;
	cleanup_free struct msg_jit_addr *addrs = malloc(n * sizeof(*addrs));
	struct symbols_view v;
	int r;

	if (!addrs)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		addrs[i] = wanted[i].at;
	r = ask(job, &job->w->processes[wanted->process], addrs, n, &msg, &v);
	if (r == -ENOMEM)
		return r;
	/* No descriptor or no process to be had: this window's names, not its samples. */
	job->counts.n_late += r < 0;
	if (r != SYMBOLIZER_OK)
		return 0;
	job->counts.n_cut += v.header->cut != 0;
	r = names_answer__init(&answer, job->names, &v);
	for (uint32_t i = 0; i < n && r == 0; i++)
		if (v.addrs[i].n_frames)
			r = names_answer__chain(&answer, i, &job->chains[wanted[i].frame]);
	return r;
}

int jit_namer__window(struct jit_namer *jn, struct symbolizer_client *client, struct names *names,
		      const struct window *w, uint64_t deadline_ns, uint32_t *chains,
		      struct jit_namer_counts *ret)
{
	struct job job = {.jn = jn, .client = client, .names = names, .w = w, .chains = chains};
	cleanup_free struct wanted *wanted = NULL;
	size_t n = 0, cap = 0, last;
	int r = 0;

	deadline_ns = MIN(deadline_ns, clock_ns(CLOCK_MONOTONIC) + JIT_NAMER_BUDGET_NS);
	for (uint32_t i = 0; i < w->n_frames; i++) {
		const struct window_frame *f = &w->frames[i];

		if (!is_wanted(&job, i))
			continue;
		r = array_reserve(&wanted, &cap, n + 1, sizeof(*wanted));
		if (r < 0)
			return r;
		wanted[n++] = (struct wanted){
		    w->processes[f->process].n_samples, f->process, i, {f->addr, f->time_ns}};
	}
	if (n)
		qsort(wanted, n, sizeof(*wanted), by_process);
	for (size_t i = 0; i < n && r == 0; i = last) {
		for (last = i + 1; last < n && wanted[last].process == wanted[i].process;)
			last++;
		if (clock_ns(CLOCK_MONOTONIC) > deadline_ns)
			job.counts.n_late++;
		else
			r = name_process(&job, wanted + i,
					 (uint32_t)MIN(last - i, SYMBOLIZE_ADDRS_MAX));
	}
	*ret = job.counts;
	return r;
}
