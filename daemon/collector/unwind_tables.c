/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/unwind_tables.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"

/* Files nobody refers to that are kept, with their tables, for the next process that runs them. */
#define IDLE_FILES_MAX 1024

/* A table that was used so lately is in use: to put it out would have it back at once. */
#define IN_USE_NS (2 * NSEC_PER_SEC)

/*
 * A table in use goes for one that is so many times smaller: the memory serves more programs by
 * small tables than by large ones, and no single file can take it from all that come later.
 */
#define FAIR_RATIO 4

/* When a table that found no room, or failed for want of something else, is tried again. */
#define RETRY_NS (3 * NSEC_PER_SEC)

struct unwind_tables {
	struct unwind_memory *memory;
	struct table_builder *builder;
	struct hindex index; /* entries are places in files */
	struct unwind_file **files;
	size_t n, cap;
	size_t n_wanted, n_refused; /* files in those states */
	uint64_t last_id;
	struct unwind_tables_stats stats;
};

int unwind_tables__new(struct unwind_tables **ret, struct unwind_memory *memory,
		       struct table_builder *builder)
{
	struct unwind_tables *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->memory = memory;
	t->builder = builder;
	*ret = t;
	return 0;
}

struct unwind_tables *unwind_tables__free(struct unwind_tables *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		struct unwind_file *f = t->files[i];

		f->state = UNWIND_FILE_NONE;
		f->orphan = true;
		if (!f->n_refs)
			free(f);
	}
	hindex__fini(&t->index);
	free(t->files);
	free(t);
	return NULL;
}

static uint64_t file_hash(const struct unwind_file *f)
{
	return hash_mix(f->dev ^ f->size << 20, f->ino ^ f->mtime_ns);
}

static uint64_t time_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
}

static bool same_file(const struct unwind_file *a, const struct unwind_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* Gives the table's memory back. Nothing may point to it any more. */
static void drop_table(struct unwind_tables *t, struct unwind_file *f, uint64_t now_ns)
{
	assert(f->state == UNWIND_FILE_READY);
	t->stats.n_tables--;
	t->stats.n_lines -= f->n_lines;
	unwind_memory__give(t->memory, f->line, f->n_lines, now_ns);
	f->state = UNWIND_FILE_NEW;
}

static void remove_at(struct unwind_tables *t, uint32_t i, uint64_t now_ns)
{
	struct unwind_file *f = t->files[i];

	if (f->state == UNWIND_FILE_READY)
		drop_table(t, f, now_ns);
	t->n_refused -= f->state == UNWIND_FILE_NO_ROOM;
	hindex__remove(&t->index, file_hash(f), i);
	free(f);
	/* The last one moves into the gap. */
	t->n--;
	if (i < t->n) {
		f = t->files[t->n];
		hindex__remove(&t->index, file_hash(f), (uint32_t)t->n);
		t->files[i] = f;
		/* An entry was just removed, so there is room. */
		(void)!hindex__add(&t->index, file_hash(f), i);
	}
}

/* Forgets the files that nobody refers to, the longest unused first, down to half their limit. */
static void forget_idle(struct unwind_tables *t)
{
	size_t n_idle = 0;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < t->n; i++)
		n_idle += t->files[i]->n_refs == 0;
	while (n_idle > IDLE_FILES_MAX / 2) {
		size_t oldest = t->n;

		for (size_t i = 0; i < t->n; i++)
			if (t->files[i]->n_refs == 0 && t->files[i]->state != UNWIND_FILE_WANTED &&
			    (oldest == t->n || t->files[i]->used_ns < t->files[oldest]->used_ns))
				oldest = i;
		if (oldest == t->n)
			break;
		remove_at(t, (uint32_t)oldest, now);
		n_idle--;
	}
}

static int add_file(struct unwind_tables *t, const struct unwind_file *like,
		    struct unwind_file **ret)
{
	struct unwind_file *f;
	int r;

	if (t->n >= IDLE_FILES_MAX && t->n % (IDLE_FILES_MAX / 4) == 0)
		forget_idle(t);
	r = array_reserve(&t->files, &t->cap, t->n + 1, sizeof(struct unwind_file *));
	if (r < 0)
		return r;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = *like;
	f->id = ++t->last_id;
	r = hindex__add(&t->index, file_hash(f), (uint32_t)t->n);
	if (r < 0) {
		free(f);
		return r;
	}
	t->files[t->n++] = f;
	*ret = f;
	return 0;
}

int unwind_tables__file(struct unwind_tables *t, int fd, struct unwind_file **ret)
{
	struct unwind_file key = {0}, *f;
	struct hindex_iter it;
	struct stat st;
	uint32_t i;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	key.dev = st.st_dev;
	key.ino = st.st_ino;
	key.size = (uint64_t)st.st_size;
	key.mtime_ns = time_ns(&st.st_mtim);
	key.ctime_ns = time_ns(&st.st_ctim);
	for (it = hindex__find(&t->index, file_hash(&key)); hindex_iter__next(&it, &i);) {
		f = t->files[i];
		if (same_file(f, &key)) {
			f->n_refs++;
			*ret = f;
			return 0;
		}
	}
	r = add_file(t, &key, &f);
	if (r < 0)
		return r;
	f->n_refs = 1;
	*ret = f;
	return 0;
}

void unwind_file__unref(struct unwind_file *file)
{
	if (!file)
		return;
	assert(file->n_refs > 0);
	if (--file->n_refs == 0 && file->orphan)
		free(file);
}

int unwind_tables__want(struct unwind_tables *t, struct unwind_file *file, int fd, uint64_t now_ns)
{
	int r;

	if (file->state != UNWIND_FILE_NEW ||
	    (file->refused_ns && file->refused_ns + RETRY_NS > now_ns))
		return 0;
	r = table_builder__ask(t->builder, fd, file->id);
	/* Descriptors may be short because of the questions that wait. */
	if (r == TABLE_BUILDER_FULL || r == -EMFILE || r == -ENFILE)
		return 0;
	if (r < 0)
		return r;
	file->state = UNWIND_FILE_WANTED;
	file->used_ns = now_ns;
	t->n_wanted++;
	return 0;
}

/* Whether F has a table that may go. */
static bool not_in_use(const struct unwind_file *f, uint64_t now_ns)
{
	return f->state == UNWIND_FILE_READY && f->used_ns + IN_USE_NS <= now_ns;
}

/* Whether F may go for a table of N_LINES. */
static bool may_go(const struct unwind_file *f, uint32_t n_lines, uint64_t now_ns)
{
	return not_in_use(f, now_ns) ||
	       (f->state == UNWIND_FILE_READY && f->n_lines / FAIR_RATIO >= n_lines);
}

/* Whether of two that may go A goes first: the longer unused, and of those in use the larger. */
static bool goes_before(const struct unwind_file *a, const struct unwind_file *b, uint64_t now_ns)
{
	bool idle = not_in_use(a, now_ns);

	if (idle != not_in_use(b, now_ns))
		return idle;
	return idle ? a->used_ns < b->used_ns : a->n_lines > b->n_lines;
}

/* The table that goes first for one of N_LINES, or NULL. */
static struct unwind_file *next_to_go(const struct unwind_tables *t, uint32_t n_lines,
				      uint64_t now_ns)
{
	struct unwind_file *best = NULL;

	for (size_t i = 0; i < t->n; i++) {
		struct unwind_file *f = t->files[i];

		if (may_go(f, n_lines, now_ns) && (!best || goes_before(f, best, now_ns)))
			best = f;
	}
	return best;
}

/* Lines that are handed out and not on their way back. */
static uint64_t n_held(const struct unwind_tables *t)
{
	return unwind_memory__n_used(t->memory) - unwind_memory__n_resting(t->memory);
}

/* Whether N_LINES could be had, at least after a second, if all tables went that may. */
static bool could_fit(const struct unwind_tables *t, uint32_t n_lines, uint64_t now_ns)
{
	uint64_t n = n_held(t) + n_lines;

	for (size_t i = 0; i < t->n; i++)
		if (may_go(t->files[i], n_lines, now_ns))
			n -= t->files[i]->n_lines;
	return n < unwind_memory__n_lines(t->memory);
}

/* Notes that F, whose table has N_LINES, has found no room. */
static void refuse(struct unwind_tables *t, struct unwind_file *f, uint32_t n_lines,
		   uint64_t now_ns)
{
	t->stats.n_refused++;
	if (n_lines >= unwind_memory__n_lines(t->memory)) {
		f->state = UNWIND_FILE_NONE; /* never */
		return;
	}
	f->state = UNWIND_FILE_NO_ROOM;
	f->n_lines = n_lines;
	f->refused_ns = now_ns;
	t->n_refused++;
}

/*
 * Puts tables out until N_LINES fit and an eighth of the memory is free besides: what goes is there
 * again only a second later, so that room has to be made ahead.
 */
static void make_room(struct unwind_tables *t, uint32_t n_lines, uint64_t now_ns,
		      unwind_changed_fn changed, void *ctx)
{
	uint64_t all = unwind_memory__n_lines(t->memory);
	struct unwind_file *old;

	while (n_held(t) + n_lines > all - all / 8 && (old = next_to_go(t, n_lines, now_ns))) {
		bool was_in_use = !not_in_use(old, now_ns);

		drop_table(t, old, now_ns);
		t->stats.n_evicted++;
		/* The next sample would have it back. */
		if (was_in_use)
			refuse(t, old, old->n_lines, now_ns);
		changed(ctx, old);
	}
}

/* Lets those that found no room try again, if there may be room: to make a table takes seconds. */
static void retry(struct unwind_tables *t, uint64_t now_ns, unwind_changed_fn changed, void *ctx)
{
	for (size_t i = 0; i < t->n && t->n_refused; i++) {
		struct unwind_file *f = t->files[i];

		if (f->state != UNWIND_FILE_NO_ROOM || f->refused_ns + RETRY_NS > now_ns ||
		    !could_fit(t, f->n_lines, now_ns))
			continue;
		f->state = UNWIND_FILE_NEW;
		f->refused_ns = 0;
		t->n_refused--;
		changed(ctx, f);
	}
}

/* Notes that the table of F could not be made. */
static void fail(struct unwind_tables *t, struct unwind_file *f, int error, uint64_t now_ns)
{
	t->stats.n_failed++;
	f->state = table_builder_is_final(error) ? UNWIND_FILE_NONE : UNWIND_FILE_NEW;
	f->refused_ns = now_ns;
}

static int take_one(struct unwind_tables *t, const struct built_table *built, uint64_t now_ns,
		    unwind_changed_fn changed, void *ctx)
{
	struct unwind_file *f = NULL;
	const struct unwind_table_head *head;
	int r;

	for (size_t i = 0; i < t->n && !f; i++)
		if (t->files[i]->id == built->id)
			f = t->files[i];
	assert(f && f->state == UNWIND_FILE_WANTED);
	t->n_wanted--;
	t->stats.build_ns += built->build_ns;
	t->stats.n_bad += built->n_bad;
	if (built->error) {
		fail(t, f, built->error, now_ns);
		changed(ctx, f);
		return 0;
	}
	t->stats.n_built++;
	r = -ENOSPC;
	if (could_fit(t, built->n_lines, now_ns)) {
		make_room(t, built->n_lines, now_ns, changed, ctx);
		r = unwind_memory__take(t->memory, built->n_lines, &f->line);
	}
	if (r == -ENOSPC) {
		refuse(t, f, built->n_lines, now_ns);
		changed(ctx, f);
		return 0;
	}
	if (r < 0)
		return r;
	head = (const void *)built->lines;
	memcpy(unwind_memory__lines(t->memory) + f->line, built->lines,
	       (size_t)built->n_lines * sizeof(*built->lines));
	f->n_lines = built->n_lines;
	f->all_regs = head->all_regs;
	f->build_id = built->build_id;
	f->used_ns = now_ns; /* samples wait for it */
	f->refused_ns = 0;
	f->state = UNWIND_FILE_READY;
	t->stats.n_tables++;
	t->stats.n_lines += f->n_lines;
	changed(ctx, f);
	return 0;
}

int unwind_tables__take(struct unwind_tables *t, uint64_t now_ns, unwind_changed_fn changed,
			void *ctx)
{
	struct built_table built;
	int r = 0;

	retry(t, now_ns, changed, ctx);
	while (r == 0 && table_builder__take(t->builder, &built)) {
		r = take_one(t, &built, now_ns, changed, ctx);
		built_table__fini(&built);
	}
	return r;
}

bool unwind_tables__busy(const struct unwind_tables *t)
{
	return t->n_wanted > 0;
}

/* Whether the file that was opened for an object is the one that is mapped, as far as can be
 * told. */
static bool fits(const struct object *o)
{
	const struct msg_build_id *want = &o->id.build_id, *have = &o->unwind->build_id;
	uint32_t n = MIN(want->size, have->size);

	/* The kernel cuts build ids at 20 bytes. */
	return !want->size || (n && !memcmp(want->bytes, have->bytes, n));
}

enum unwind_code unwind_code_of(const struct object *o, uint32_t *ret_line)
{
	if (o->kind == OBJECT_ANONYMOUS)
		return UNWIND_CODE_FRAME;
	if (!o->unwind)
		return o->open == OBJECT_ABSENT ? UNWIND_CODE_NONE : UNWIND_CODE_UNKNOWN;
	switch (o->unwind->state) {
	case UNWIND_FILE_NONE:
		return object__is_in_memory(o) ? UNWIND_CODE_FRAME : UNWIND_CODE_NONE;
	case UNWIND_FILE_NO_ROOM:
		return UNWIND_CODE_NONE;
	case UNWIND_FILE_READY:
		if (!fits(o))
			return UNWIND_CODE_NONE;
		*ret_line = o->unwind->line;
		return UNWIND_CODE_TABLE;
	default:
		return UNWIND_CODE_UNKNOWN;
	}
}

const struct unwind_tables_stats *unwind_tables__stats(const struct unwind_tables *t)
{
	return &t->stats;
}
