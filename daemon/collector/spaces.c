/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/spaces.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"

#define TABLE_BYTES (UNWIND_PROCESS_LINES * sizeof(struct unwind_line))

/* How often walks that fail in the kernel are tried once more in user space, where that failed. */
#define RETRY_NS NSEC_PER_SEC

struct space {
	struct mapset *maps; /* a reference */
	uint32_t line, n_lines;
	uint32_t n_users;
};

/* A process that the walker knows. */
struct known {
	uint32_t tgid, exec_id;
	uint32_t n_execs; /* of struct process, when it was told of */
	uint64_t start_ns;
	uint32_t space; /* place in all */
	struct unwind_process *entry;
};

struct spaces {
	struct unwind_memory *memory;
	struct objects *objects;
	struct unwind_process *table; /* shared with the walker */
	struct space *all;	      /* n_users 0 = a free place */
	struct known *known;
	size_t n_all, cap_all, n_lists, n_known, cap_known;
	struct hindex by_maps, by_tgid; /* entries are places in all and known */
	uint64_t hoped_ns;		/* when all were given hope */
	uint32_t generation;
};

DEFINE_CLEANUP(struct spaces *, spaces__free);

int spaces__new(struct spaces **ret, struct unwind_memory *memory, int processes_fd,
		struct objects *objects)
{
	_cleanup_(spaces__freep) struct spaces *s = calloc(1, sizeof(*s));
	void *p;

	if (!s)
		return -ENOMEM;
	s->memory = memory;
	s->objects = objects;
	p = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
		 processes_fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, processes_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->table = p;
	*ret = steal_ptr(s);
	return 0;
}

static uint64_t maps_hash(const struct mapset *maps)
{
	return hash_mix((uintptr_t)maps, 0);
}

static uint64_t tgid_hash(uint32_t tgid)
{
	return hash_mix(tgid, 0);
}

struct spaces *spaces__free(struct spaces *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_all; i++)
		if (s->all[i].n_users)
			mapset__unref(s->all[i].maps, s->objects);
	hindex__fini(&s->by_maps);
	hindex__fini(&s->by_tgid);
	if (s->table)
		munmap(s->table, TABLE_BYTES);
	free(s->all);
	free(s->known);
	free(s);
	return NULL;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static struct unwind_space_head *list_head(const struct spaces *s, const struct space *space)
{
	return (void *)(unwind_memory__lines(s->memory) + space->line);
}

/* What the walker is to do in each mapping. */
static void write_codes(const struct spaces *s, const struct space *space)
{
	struct unwind_space_head *head = list_head(s, space);
	struct unwind_mapping *list = (void *)(head + 1);

	for (size_t i = 0; i < space->maps->n; i++) {
		const struct object *o = space->maps->mappings[i]->object;
		uint32_t line = 0;
		enum unwind_code code = unwind_code_of(o, &line);

		head->all_regs |= code == UNWIND_CODE_TABLE && o->unwind->all_regs;
		/* A walk that sees the code must see a table. The line of one that has gone stays:
		 * what a walk under way reads there is whole for a second yet. */
		if (code == UNWIND_CODE_TABLE)
			__atomic_store_n(&list[i].table, line, __ATOMIC_RELAXED);
		__atomic_store_n(&list[i].code, code, __ATOMIC_RELEASE);
	}
}

static void write_list(struct spaces *s, const struct space *space)
{
	struct unwind_space_head *head = list_head(s, space);
	struct unwind_mapping *list = (void *)(head + 1);

	if (++s->generation == 0)
		s->generation = 1;
	for (size_t i = 0; i < space->maps->n; i++) {
		const struct mapping *m = space->maps->mappings[i];

		list[i] = (struct unwind_mapping){.start = m->start, .end = m->end, .off = m->off};
	}
	write_codes(s, space);
	head->generation = s->generation;
	head->n_lines = space->n_lines;
	head->n_mappings = (uint32_t)space->maps->n;
}

static bool find_list(const struct spaces *s, const struct mapset *maps, uint32_t *ret)
{
	struct hindex_iter it = hindex__find(&s->by_maps, maps_hash(maps));

	while (hindex_iter__next(&it, ret))
		if (s->all[*ret].maps == maps)
			return true;
	return false;
}

/* A free place among the lists. */
static int take_place(struct spaces *s, uint32_t *ret)
{
	int r;

	for (size_t i = 0; s->n_lists < s->n_all && i < s->n_all; i++) {
		if (!s->all[i].n_users) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	r = array_reserve(&s->all, &s->cap_all, s->n_all + 1, sizeof(*s->all));
	if (r < 0)
		return r;
	s->all[s->n_all] = (struct space){0};
	*ret = (uint32_t)s->n_all++;
	return 0;
}

/* The list of MAPS, with one more user. 0, -ENOSPC, or -errno. */
static int use_list(struct spaces *s, struct mapset *maps, uint32_t *ret)
{
	struct space *space;
	uint32_t n_lines =
	    1 + (uint32_t)(maps->n + UNWIND_MAPPINGS_PER_LINE - 1) / UNWIND_MAPPINGS_PER_LINE;
	uint32_t line;
	int r;

	if (find_list(s, maps, ret)) {
		s->all[*ret].n_users++;
		return 0;
	}
	r = take_place(s, ret);
	if (r == 0)
		r = unwind_memory__take(s->memory, n_lines, &line);
	if (r < 0)
		return r;
	r = hindex__add(&s->by_maps, maps_hash(maps), *ret);
	if (r < 0) {
		unwind_memory__give(s->memory, line, n_lines, 0);
		return r;
	}
	space = &s->all[*ret];
	*space = (struct space){.maps = maps, .line = line, .n_lines = n_lines, .n_users = 1};
	mapset__ref(maps);
	s->n_lists++;
	write_list(s, space);
	return 0;
}

static void release_list(struct spaces *s, uint32_t i, uint64_t now_ns)
{
	struct space *space = &s->all[i];

	assert(space->n_users > 0);
	if (--space->n_users > 0)
		return;
	hindex__remove(&s->by_maps, maps_hash(space->maps), i);
	unwind_memory__give(s->memory, space->line, space->n_lines, now_ns);
	mapset__unref(space->maps, s->objects);
	s->n_lists--;
}

void spaces__give_up(struct spaces *s, const struct process *p)
{
	uint32_t i;

	if (find_list(s, p->maps, &i))
		list_head(s, &s->all[i])->hopeless = 1;
}

static void give_hope(struct spaces *s, uint64_t now_ns)
{
	if (now_ns < s->hoped_ns + RETRY_NS)
		return;
	s->hoped_ns = now_ns;
	for (size_t i = 0; i < s->n_all; i++)
		if (s->all[i].n_users)
			list_head(s, &s->all[i])->hopeless = 0;
}

void spaces__rebind(struct spaces *s)
{
	for (size_t i = 0; i < s->n_all; i++)
		if (s->all[i].n_users)
			write_codes(s, &s->all[i]);
}

/* ---- processes ------------------------------------------------------------------------------- */

static bool find_known(const struct spaces *s, uint32_t tgid, uint32_t *ret)
{
	struct hindex_iter it = hindex__find(&s->by_tgid, tgid_hash(tgid));

	while (hindex_iter__next(&it, ret))
		if (s->known[*ret].tgid == tgid)
			return true;
	return false;
}

static void withdraw(struct spaces *s, uint32_t i, uint64_t now_ns)
{
	struct known *k = &s->known[i];

	__atomic_store_n(&k->entry->tgid, 0, __ATOMIC_RELEASE);
	release_list(s, k->space, now_ns);
	hindex__remove(&s->by_tgid, tgid_hash(k->tgid), i);
	/* The last one moves into the gap. */
	s->n_known--;
	if (i < s->n_known) {
		uint64_t hash = tgid_hash(s->known[s->n_known].tgid);

		hindex__remove(&s->by_tgid, hash, (uint32_t)s->n_known);
		s->known[i] = s->known[s->n_known];
		/* An entry was just removed, so there is room. */
		(void)!hindex__add(&s->by_tgid, hash, i);
	}
}

/* A free entry in the line of TGID, or NULL. */
static struct unwind_process *free_entry(const struct spaces *s, uint32_t tgid)
{
	struct unwind_process *line =
	    s->table + unwind_process_line(tgid) * (size_t)UNWIND_PROCESSES_PER_LINE;

	for (size_t i = 0; i < UNWIND_PROCESSES_PER_LINE; i++)
		if (!line[i].tgid)
			return &line[i];
	return NULL;
}

static void write_entry(const struct spaces *s, const struct known *k)
{
	k->entry->exec_id = k->exec_id;
	k->entry->start = unwind_process_start(k->start_ns);
	k->entry->space = s->all[k->space].line;
	/* A walk that finds the process must find the rest. */
	__atomic_store_n(&k->entry->tgid, k->tgid, __ATOMIC_RELEASE);
}

int spaces__publish(struct spaces *s, const struct process *p, uint32_t exec_id, uint64_t now_ns)
{
	struct known k = {
	    .tgid = p->tgid, .exec_id = exec_id, .n_execs = p->n_execs, .start_ns = p->start_ns};
	uint32_t i;
	int r;

	if (find_known(s, p->tgid, &i)) {
		const struct known *old = &s->known[i];

		if (old->exec_id == exec_id && old->start_ns == p->start_ns &&
		    s->all[old->space].maps == p->maps)
			return 0;
		withdraw(s, i, now_ns);
	}
	if (p->maps->n == 0 || p->maps->n > UNWIND_MAPPINGS_MAX)
		return 0;
	k.entry = free_entry(s, p->tgid);
	if (!k.entry)
		return 0;
	r = array_reserve(&s->known, &s->cap_known, s->n_known + 1, sizeof(*s->known));
	if (r == 0)
		r = use_list(s, p->maps, &k.space);
	if (r < 0)
		return r == -ENOSPC ? 0 : r;
	r = hindex__add(&s->by_tgid, tgid_hash(k.tgid), (uint32_t)s->n_known);
	if (r < 0) {
		release_list(s, k.space, now_ns);
		return r;
	}
	s->known[s->n_known++] = k;
	write_entry(s, &k);
	return 0;
}

int spaces__sync(struct spaces *s, const struct processes *processes, uint64_t now_ns)
{
	int r = 0;

	for (size_t i = s->n_known; i-- > 0 && r == 0;) {
		struct known k = s->known[i];
		const struct process *p = processes__find(processes, k.tgid);

		if (!p || p->start_ns != k.start_ns || p->dead_ns || p->n_execs != k.n_execs)
			withdraw(s, (uint32_t)i, now_ns);
		else if (p->maps != s->all[k.space].maps)
			r = spaces__publish(s, p, k.exec_id, now_ns);
	}
	give_hope(s, now_ns);
	unwind_memory__settle(s->memory, now_ns);
	return r;
}

size_t spaces__n_processes(const struct spaces *s)
{
	return s->n_known;
}

size_t spaces__n_lists(const struct spaces *s)
{
	return s->n_lists;
}
