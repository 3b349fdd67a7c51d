/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/procstat.h"
#include "base/util.h"
#include "daemon/collector/procfs.h"

/* How long an ended process is kept: longer than a sample takes from the kernel to us. */
#define LINGER_NS NSEC_PER_SEC

/* A process whose list of mappings is full is read from /proc again at most so often. */
#define RESCAN_NS (10 * NSEC_PER_SEC)

struct processes {
	struct objects *objects; /* borrowed */
	struct hindex index;	 /* by tgid; entries are places in all */
	struct process **all;	 /* NULL = a free place */
	size_t n, cap;
};

int processes__new(struct processes **ret, struct objects *objects)
{
	struct processes *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	ps->objects = objects;
	*ret = ps;
	return 0;
}

static uint64_t tgid_hash(uint32_t tgid)
{
	return hash_mix(tgid, 0);
}

static void process__free(struct process *p, struct objects *objects)
{
	mapset__unref(p->maps, objects);
	free(p);
}

struct processes *processes__free(struct processes *ps)
{
	if (!ps)
		return NULL;
	for (size_t i = 0; i < ps->n; i++)
		if (ps->all[i])
			process__free(ps->all[i], ps->objects);
	hindex__fini(&ps->index);
	free(ps->all);
	free(ps);
	return NULL;
}

static bool find_place(const struct processes *ps, uint32_t tgid, uint32_t *ret)
{
	struct hindex_iter it = hindex__find(&ps->index, tgid_hash(tgid));

	while (hindex_iter__next(&it, ret))
		if (ps->all[*ret]->tgid == tgid)
			return true;
	return false;
}

struct process *processes__find(const struct processes *ps, uint32_t tgid)
{
	uint32_t i;

	return find_place(ps, tgid, &i) ? ps->all[i] : NULL;
}

static void remove_at(struct processes *ps, uint32_t i)
{
	hindex__remove(&ps->index, tgid_hash(ps->all[i]->tgid), i);
	process__free(ps->all[i], ps->objects);
	/* The last one moves into the gap, so that places stay dense. */
	ps->n--;
	if (i < ps->n) {
		uint64_t hash = tgid_hash(ps->all[ps->n]->tgid);

		hindex__remove(&ps->index, hash, (uint32_t)ps->n);
		ps->all[i] = ps->all[ps->n];
		/* An entry was just removed, so there is room. */
		(void)!hindex__add(&ps->index, hash, i);
	}
	ps->all[ps->n] = NULL;
}

static void forget(struct processes *ps, uint32_t tgid)
{
	uint32_t i;

	if (find_place(ps, tgid, &i))
		remove_at(ps, i);
}

/* A process without anything, in place of any other that has the tgid. */
static int add(struct processes *ps, uint32_t tgid, struct process **ret)
{
	struct process *p;
	int r;

	forget(ps, tgid);
	r = array_reserve(&ps->all, &ps->cap, ps->n + 1, sizeof(struct process *));
	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->tgid = tgid;
	r = mapset__new(&p->maps);
	if (r == 0)
		r = hindex__add(&ps->index, tgid_hash(tgid), (uint32_t)ps->n);
	if (r < 0) {
		process__free(p, ps->objects);
		return r;
	}
	ps->all[ps->n++] = p;
	*ret = p;
	return 0;
}

/* BEFORE, which may be NULL, holds mappings that are taken over where they are the same. */
static int add_mapping(struct processes *ps, struct process *p, const struct mapset *before,
		       uint64_t start, uint64_t end, uint64_t off, const struct object_id *id)
{
	struct mapping *same = before ? mapset__find(before, start) : NULL;
	struct object *object;
	int r = objects__get(ps->objects, id, &object);

	if (r < 0)
		return r;
	if (same && same->start == start && same->end == end && same->off == off &&
	    same->object == object)
		r = mapset__share(&p->maps, ps->objects, same);
	else
		r = mapset__add(&p->maps, ps->objects, start, end, off, object);
	objects__unref(ps->objects, object);
	return r;
}

struct scan {
	struct processes *ps;
	struct process *p;
	const struct mapset *before; /* what was known; NULL = nothing */
	char exe[4096];
};

static int scan_mapping(void *ctx, const struct procfs_mapping *m)
{
	struct scan *scan = ctx;
	int r = add_mapping(scan->ps, scan->p, scan->before, m->start, m->end, m->off, &m->object);

	if (r == 0 && !scan->p->maps->exe && !strcmp(m->object.path, scan->exe))
		scan->p->maps->exe = mapset__find(scan->p->maps, m->start);
	return r == -ENOMEM ? r : 0;
}

/* The mappings of the process that is known as TGID now, held until mapset__unref(); or NULL. */
static struct mapset *hold_maps(const struct processes *ps, uint32_t tgid)
{
	struct process *p = processes__find(ps, tgid);

	if (!p)
		return NULL;
	mapset__ref(p->maps);
	return p->maps;
}

int processes__scan(struct processes *ps, uint32_t tgid, uint32_t tid)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct procstat before, after;
	struct scan scan = {.ps = ps};
	struct mapset *known;
	int r;

	if (procstat_read(tgid, &before) < 0 || (before.state == 'Z' && tid == tgid))
		return 0;
	known = hold_maps(ps, tgid);
	r = add(ps, tgid, &scan.p);
	if (r < 0) {
		mapset__unref(known, ps->objects);
		return r;
	}
	scan.before = known;
	scan.p->scanned_ns = now;
	scan.p->parent_tgid = before.parent_tgid;
	scan.p->start_ns = before.start_ns;
	scan.p->start_coarse = true;
	memcpy(scan.p->comm, before.comm, COMM_SIZE);
	if (procfs_read_exe(tgid, scan.exe, sizeof(scan.exe)) < 0)
		scan.exe[0] = '\0'; /* a kernel thread, or gone */
	r = procfs_read_maps(tgid, tid, scan_mapping, &scan);
	mapset__unref(known, ps->objects);
	if (r == -ENOMEM)
		return r;
	/* Another process by now? Then what we read may be of either: forget it. */
	if (procstat_read(tgid, &after) < 0 || after.start_ns != before.start_ns)
		forget(ps, tgid);
	return 0;
}

static int scan_one(void *ctx, uint32_t tgid)
{
	return processes__scan(ctx, tgid, tgid);
}

int processes__scan_all(struct processes *ps)
{
	return procfs_each_process(scan_one, ps);
}

static int on_fork(struct processes *ps, const struct sideband_event *ev)
{
	struct process *p, *parent;
	int r;

	if (ev->tid != ev->tgid)
		return 0; /* a thread: samples name theirs themselves */
	p = processes__find(ps, ev->tgid);
	if (p && ev->time_ns < p->scanned_ns)
		return 0; /* /proc has told more than this */
	if (!processes__find(ps, ev->parent_tgid)) {
		/* Nothing to copy: the first sample will have /proc read. */
		forget(ps, ev->tgid);
		return 0;
	}
	r = add(ps, ev->tgid, &p);
	if (r < 0)
		return r;
	/* The child starts as a copy: the same name and the same mappings, shared until one
	 * changes. */
	parent = processes__find(ps, ev->parent_tgid);
	p->parent_tgid = ev->parent_tgid;
	if (parent != p) {
		memcpy(p->comm, parent->comm, COMM_SIZE);
		mapset__unref(p->maps, ps->objects);
		p->maps = parent->maps;
		mapset__ref(p->maps);
	}
	return 0;
}

static int on_exec(struct processes *ps, struct process *p, const struct sideband_event *ev)
{
	struct mapset *empty;
	int r = mapset__new(&empty);

	if (r < 0)
		return r;
	mapset__unref(p->maps, ps->objects);
	p->maps = empty;
	p->n_execs++;
	memcpy(p->comm, ev->comm, COMM_SIZE);
	/* Another thread than the first may have called exec, which ends the first: it lives on. */
	p->leader_exited = false;
	p->dead_ns = 0;
	return 0;
}

static int on_mmap(struct processes *ps, struct process *p, const struct sideband_event *ev)
{
	bool first = p->maps->n == 0;
	int r = add_mapping(ps, p, NULL, ev->start, ev->start + ev->len, ev->off, &ev->object);

	/* The kernel does not tell what is unmapped, so the list of a process that maps and
	 * unmaps all the time fills up: what is really there is read now and then. */
	if (r == -E2BIG && ev->time_ns > p->scanned_ns + RESCAN_NS)
		return processes__scan(ps, ev->tgid, ev->tid);
	/* After exec the kernel maps the program itself first (load_elf_binary). */
	if (r == 0 && first)
		p->maps->exe = mapset__find(p->maps, ev->start);
	return r == -ENOMEM ? r : 0;
}

int processes__apply(struct processes *ps, const struct sideband_event *ev)
{
	struct process *p;

	if (ev->type == SIDEBAND_FORK)
		return on_fork(ps, ev);
	p = processes__find(ps, ev->tgid);
	if (!p)
		return 0; /* not known: read from /proc if it is ever sampled */
	if (ev->time_ns < p->scanned_ns && ev->type != SIDEBAND_EXIT)
		return 0; /* older than what /proc has told */
	switch (ev->type) {
	case SIDEBAND_EXEC:
		return on_exec(ps, p, ev);
	case SIDEBAND_MMAP:
		return on_mmap(ps, p, ev);
	case SIDEBAND_COMM:
		if (ev->tid == ev->tgid)
			memcpy(p->comm, ev->comm, COMM_SIZE);
		return 0;
	case SIDEBAND_EXIT:
		if (ev->tid == ev->tgid) {
			p->leader_exited = true;
			p->dead_ns = ev->time_ns;
		}
		return 0;
	default:
		return 0;
	}
}

/* Whether P can be the process that started at START_NS. */
static bool same_start(const struct process *p, uint64_t start_ns)
{
	if (p->start_ns == 0)
		return true;
	if (p->start_coarse)
		return procstat_same_start(p->start_ns, start_ns);
	return p->start_ns == start_ns;
}

int processes__of_sample(struct processes *ps, const struct sample_record *sample,
			 struct process **ret)
{
	struct process *p = processes__find(ps, sample->tgid);
	int r;

	if (!p || !same_start(p, sample->start_ns)) {
		r = processes__scan(ps, sample->tgid, sample->tid);
		if (r < 0)
			return r;
		p = processes__find(ps, sample->tgid);
	}
	if (!p || !same_start(p, sample->start_ns)) {
		r = add(ps, sample->tgid, &p);
		if (r < 0)
			return r;
		memcpy(p->comm, sample->comm, COMM_SIZE - 1);
	}
	p->start_ns = sample->start_ns;
	p->start_coarse = false;
	*ret = p;
	return 0;
}

int processes__resync(struct processes *ps, uint64_t now_ns)
{
	for (size_t i = 0; i < ps->n; i++)
		if (!ps->all[i]->dead_ns)
			ps->all[i]->dead_ns = now_ns;
	return processes__scan_all(ps);
}

void processes__reap(struct processes *ps, uint64_t now_ns)
{
	for (size_t i = ps->n; i-- > 0;) {
		struct process *p = ps->all[i];

		if (!p->dead_ns || p->dead_ns + LINGER_NS > now_ns)
			continue;
		/* The kernel has the last word: other threads may live on after the first. */
		if (kill((pid_t)p->tgid, 0) < 0 && errno == ESRCH)
			remove_at(ps, (uint32_t)i);
		else
			p->dead_ns = p->leader_exited ? now_ns : 0;
	}
}

size_t processes__count(const struct processes *ps)
{
	return ps->n;
}
