/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/unwind_tables: which file has a table, and which goes when the memory is full.
 *
 * The builder is a fake, so that the test says when a table comes and how large it is.
 */
#include "daemon/collector/unwind_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/fake_builder.h"
#include "tests/unit/made_sample.h"
#include "tests/unit/scratch_dir.h"

/* 80 lines can be had; tables are put out so that ten of them stay free. */
#define N_LINES 81

/* Of the tables, unless a test says otherwise: eight of them fit and leave ten lines free. */
#define TABLE_LINES 8

#define SECOND NSEC_PER_SEC
#define T0 (1000 * SECOND)

static struct unwind_line table_lines[4 * N_LINES];

struct scene {
	char *dir;
	struct unwind_memory *memory;
	struct table_builder *builder;
	struct unwind_tables *t;
	unsigned n_changed;
	const struct unwind_file *changed[32];
	struct unwind_file *held[64]; /* a reference each */
	size_t n_held;
};

static int make_scene(void **state)
{
	struct unwind_table_head *head = (void *)table_lines;
	struct scene *s = calloc(1, sizeof(*s));

	if (!s || scratch_dir__enter((void **)&s->dir) < 0)
		return -1;
	*state = s;
	memset(table_lines, 0x5a, sizeof(table_lines));
	head->all_regs = 1;
	if (unwind_memory__new(&s->memory, -1, N_LINES) < 0 ||
	    table_builder__new(&s->builder, "fake", NULL, NULL, NULL) < 0)
		return -1;
	return unwind_tables__new(&s->t, s->memory, s->builder);
}

static int free_scene(void **state)
{
	struct scene *s = *state;
	int r = scratch_dir__leave((void **)&s->dir);

	unwind_tables__free(s->t);
	for (size_t i = 0; i < s->n_held; i++)
		unwind_file__unref(s->held[i]);
	table_builder__free(s->builder);
	unwind_memory__free(s->memory);
	free(s);
	return r;
}

static int open_file(const char *name)
{
	return open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

/* A new reference to the file NAME, given back at the end or by release(). */
static struct unwind_file *file(struct scene *s, const char *name)
{
	cleanup_close int fd = open_file(name);
	struct unwind_file *f = NULL;

	assert_int_equal(unwind_tables__file(s->t, fd, &f), 0);
	assert_non_null(f);
	assert_true(s->n_held < ARRAY_SIZE(s->held));
	s->held[s->n_held++] = f;
	return f;
}

static void release(struct scene *s, struct unwind_file *f)
{
	size_t i = 0;

	while (s->held[i] != f)
		assert_true(++i < s->n_held);
	s->held[i] = s->held[--s->n_held];
	unwind_file__unref(f);
}

static void want(struct scene *s, struct unwind_file *f, uint64_t now_ns)
{
	cleanup_close int fd = open_file("wanted");

	assert_int_equal(unwind_tables__want(s->t, f, fd, now_ns), 0);
}

static void on_change(void *ctx, const struct unwind_file *f)
{
	struct scene *s = ctx;

	if (s->n_changed < ARRAY_SIZE(s->changed))
		s->changed[s->n_changed] = f;
	s->n_changed++;
}

/* Takes what there is. Only what changes now is in s->changed. */
static void take(struct scene *s, uint64_t now_ns)
{
	s->n_changed = 0;
	assert_int_equal(unwind_tables__take(s->t, now_ns, on_change, s), 0);
}

/* Asks for a table of F, which comes at once. */
static void get_table(struct scene *s, struct unwind_file *f, uint32_t n_lines, uint64_t now_ns)
{
	want(s, f, now_ns);
	fake_builder__make(s->builder, s->builder->n_asked - 1, table_lines, n_lines);
	take(s, now_ns);
}

/* Eight files with tables, F[0] used first, one after the other by a second; the memory is full. */
static uint64_t fill(struct scene *s, struct unwind_file *f[8])
{
	for (unsigned i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		f[i] = file(s, name);
		get_table(s, f[i], TABLE_LINES, T0 + i * SECOND);
		assert_int_equal(f[i]->state, UNWIND_FILE_READY);
	}
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 0);
	return T0 + 8 * SECOND;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void a_file_is_known_once(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = file(s, "a"), *g;

	assert_int_equal(f->state, UNWIND_FILE_NEW);
	assert_int_equal(f->n_refs, 1);
	assert_int_equal(link("a", "also a"), 0);
	g = file(s, "also a"); /* has changed its ctime, by the link */
	release(s, f);
	f = file(s, "a"); /* another descriptor, another name */
	assert_ptr_equal(f, g);
	assert_int_equal(f->n_refs, 2);
	assert_ptr_not_equal(file(s, "b"), f);
	release(s, f);
	release(s, f);
	assert_int_equal(f->n_refs, 0);
	assert_ptr_equal(file(s, "a"), f); /* kept for the next process that runs it */
	unwind_file__unref(NULL);
	assert_null(unwind_tables__free(NULL));
}

/* What was written over is another file, with a table of its own. */
static void a_file_that_has_changed_is_another(void **state)
{
	struct scene *s = *state;
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct unwind_file *f = file(s, "a"), *g;
	cleanup_close int fd = open_file("a");

	assert_int_equal(write_full(fd, "x", 1), 1);
	g = file(s, "a");
	assert_ptr_not_equal(f, g); /* its size */
	assert_int_not_equal(f->id, g->id);
	assert_int_equal(futimens(fd, old), 0);
	assert_ptr_not_equal(file(s, "a"), g); /* its time */
}

static void what_is_no_file(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = NULL;

	assert_int_equal(unwind_tables__file(s->t, -1, &f), -EBADF);
	assert_null(f);
}

/* References may be given back after the tables are gone: objects outlive them. */
static void references_outlive_the_tables(void **state)
{
	struct scene *s = *state;
	struct objects *objects = NULL;
	struct object *o;
	uint32_t line;

	assert_int_equal(objects__new(&objects), 0);
	o = made_object(objects, "/bin/a", 1);
	o->unwind = file(s, "a");
	s->n_held--; /* it is the object's */
	get_table(s, o->unwind, TABLE_LINES, T0);
	assert_ptr_equal(file(s, "a"), o->unwind); /* a second one */
	s->t = unwind_tables__free(s->t);
	assert_int_equal(unwind_code_of(o, &line), UNWIND_CODE_NONE);
	release(s, o->unwind);
	objects__unref(objects, o);
	objects__free(objects);
}

/* Those that nobody refers to are bounded, the longest unused go first, with their tables. */
static void idle_files_are_bounded(void **state)
{
	struct scene *s = *state;
	struct unwind_file *held = file(s, "held"), *first = file(s, "first"),
			   *wanted = file(s, "wanted one");
	uint64_t first_id = first->id;

	get_table(s, held, TABLE_LINES, T0);
	get_table(s, first, TABLE_LINES, T0);
	release(s, first);
	first->used_ns = 0;
	want(s, wanted, T0);
	release(s, wanted);
	wanted->used_ns = 0;
	for (unsigned i = 0; i < 1100; i++) {
		cleanup_close int fd = memfd_create("idle", MFD_CLOEXEC);
		struct unwind_file *f = NULL;

		assert_int_equal(unwind_tables__file(s->t, fd, &f), 0);
		f->used_ns = i + 1;
		unwind_file__unref(f);
	}
	/* Known again, but as a new one. */
	assert_int_not_equal(file(s, "first")->id, first_id);
	unwind_memory__settle(s->memory, UINT64_MAX);
	assert_int_equal(unwind_memory__n_used(s->memory), TABLE_LINES);
	/* In use, or at the builder, which will answer. */
	assert_ptr_equal(file(s, "held"), held);
	assert_int_equal(held->state, UNWIND_FILE_READY);
	assert_ptr_equal(file(s, "wanted one"), wanted);
	fake_builder__fail(s->builder, 2, -ENOEXEC);
	take(s, T0);
	assert_int_equal(wanted->state, UNWIND_FILE_NONE);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void a_table_is_made_once(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = file(s, "a");
	const struct unwind_tables_stats *stats = unwind_tables__stats(s->t);

	assert_false(unwind_tables__busy(s->t));
	take(s, T0); /* nothing */
	assert_int_equal(s->n_changed, 0);
	want(s, f, T0);
	want(s, f, T0 + 1);
	assert_int_equal(s->builder->n_asked, 1);
	assert_int_equal(f->state, UNWIND_FILE_WANTED);
	assert_int_equal(f->used_ns, T0);
	assert_true(unwind_tables__busy(s->t));
	fake_builder__make(s->builder, 0, table_lines, TABLE_LINES);
	take(s, T0 + 2);
	assert_false(unwind_tables__busy(s->t));
	assert_int_equal(s->n_changed, 1);
	assert_ptr_equal(s->changed[0], f);
	assert_int_equal(f->state, UNWIND_FILE_READY);
	assert_int_equal(f->n_lines, TABLE_LINES);
	assert_true(f->all_regs);
	assert_int_equal(f->build_id.size, 3);
	assert_memory_equal(unwind_memory__lines(s->memory) + f->line, table_lines,
			    TABLE_LINES * sizeof(*table_lines));
	assert_int_equal(s->builder->n_released, 1);
	want(s, f, T0 + 3); /* it has one */
	assert_int_equal(s->builder->n_asked, 1);
	assert_int_equal(stats->n_built, 1);
	assert_int_equal(stats->n_bad, 2);
	assert_int_equal(stats->build_ns, 1000);
	assert_int_equal(stats->n_failed + stats->n_evicted + stats->n_refused, 0);
}

static void a_file_that_cannot_have_one_is_not_asked_again(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = file(s, "a");

	want(s, f, T0);
	fake_builder__fail(s->builder, 0, -ENOEXEC);
	take(s, T0);
	assert_int_equal(f->state, UNWIND_FILE_NONE);
	assert_ptr_equal(s->changed[0], f);
	assert_false(unwind_tables__busy(s->t));
	want(s, f, T0 + 1000 * SECOND);
	assert_int_equal(s->builder->n_asked, 1);
	assert_int_equal(unwind_tables__stats(s->t)->n_failed, 1);
	assert_int_equal(unwind_tables__stats(s->t)->build_ns, 1000);
}

/* What passes does not mark the file for ever; nor is it asked about all the time meanwhile. */
static void a_failure_that_passes(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = file(s, "a");

	want(s, f, T0);
	fake_builder__fail(s->builder, 0, -EMFILE);
	take(s, T0);
	assert_int_equal(f->state, UNWIND_FILE_NEW);
	assert_false(unwind_tables__busy(s->t));
	assert_int_equal(unwind_tables__stats(s->t)->n_failed, 1);
	want(s, f, T0 + 3 * SECOND - 1);
	assert_int_equal(f->state, UNWIND_FILE_NEW);
	want(s, f, T0 + 3 * SECOND);
	assert_int_equal(f->state, UNWIND_FILE_WANTED);
	fake_builder__make(s->builder, 1, table_lines, TABLE_LINES);
	take(s, T0 + 3 * SECOND);
	assert_int_equal(f->state, UNWIND_FILE_READY);
}

static void answers_find_their_files(void **state)
{
	struct scene *s = *state;
	struct unwind_file *a = file(s, "a"), *b = file(s, "b");

	want(s, a, T0);
	want(s, b, T0);
	fake_builder__fail(s->builder, 1, -EIO);
	fake_builder__make(s->builder, 0, table_lines, TABLE_LINES);
	take(s, T0);
	assert_int_equal(a->state, UNWIND_FILE_READY);
	assert_int_equal(b->state, UNWIND_FILE_NONE);
	assert_int_equal(s->n_changed, 2);
}

static void a_question_that_fails(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f = file(s, "a");

	s->builder->error = -ENOMEM;
	assert_int_equal(unwind_tables__want(s->t, f, 0, T0), -ENOMEM);
	assert_int_equal(f->state, UNWIND_FILE_NEW);
	assert_false(unwind_tables__busy(s->t));
	/* Out of descriptors is no reason to end: the next sample asks again. */
	s->builder->error = -EMFILE;
	assert_int_equal(unwind_tables__want(s->t, f, 0, T0), 0);
	assert_int_equal(f->state, UNWIND_FILE_NEW);
	/* Too many questions wait: likewise. */
	s->builder->error = TABLE_BUILDER_FULL;
	assert_int_equal(unwind_tables__want(s->t, f, 0, T0), 0);
	assert_int_equal(f->state, UNWIND_FILE_NEW);
	s->builder->error = 0;
	want(s, f, T0);
	assert_int_equal(f->state, UNWIND_FILE_WANTED);
}

/* ---- room ------------------------------------------------------------------------------------ */

static void the_longest_unused_goes(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *g = file(s, "g");
	uint64_t now = fill(s, f);

	f[0]->used_ns = now; /* a sample lay in it */
	get_table(s, g, TABLE_LINES, now);
	assert_int_equal(g->state, UNWIND_FILE_READY);
	assert_int_equal(f[1]->state, UNWIND_FILE_NEW);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(f[i]->state, i == 1 ? UNWIND_FILE_NEW : UNWIND_FILE_READY);
	/* Both are told of: first the one that goes. */
	assert_int_equal(s->n_changed, 2);
	assert_ptr_equal(s->changed[0], f[1]);
	assert_ptr_equal(s->changed[1], g);
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 1);
	/* What has gone may be asked for again. */
	want(s, f[1], now);
	assert_int_equal(s->builder->n_asked, 10);
}

/* Samples wait for a table that has just been made, however long that took. */
static void one_that_has_just_come_is_in_use(void **state)
{
	struct scene *s = *state;
	struct unwind_file *slow = file(s, "slow"), *f[8];
	uint64_t now = T0 + 100 * SECOND;

	want(s, slow, T0);
	for (unsigned i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		f[i] = file(s, name);
		want(s, f[i], now);
	}
	/* All come at once, the slow one first; for the last there is only what is kept free. */
	for (unsigned i = 0; i < 9; i++)
		fake_builder__make(s->builder, i, table_lines, TABLE_LINES);
	take(s, now);
	assert_int_equal(slow->state, UNWIND_FILE_READY);
	assert_int_equal(slow->used_ns, now);
	assert_int_equal(f[7]->state, UNWIND_FILE_READY);
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 0);
}

/* What was put out is there again only after a second: it must not be put out twice. */
static void no_more_goes_than_has_to(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8];
	uint64_t now = fill(s, f);

	get_table(s, file(s, "g"), TABLE_LINES, now);
	get_table(s, file(s, "h"), TABLE_LINES, now);
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 2);
	assert_int_equal(f[2]->state, UNWIND_FILE_READY);
}

/* A walk may still be in a table that goes. */
static void what_goes_rests_for_a_second(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *g = file(s, "g");
	uint64_t now = fill(s, f);
	uint32_t line = f[0]->line;

	get_table(s, g, TABLE_LINES, now);
	assert_int_equal(f[0]->state, UNWIND_FILE_NEW);
	assert_int_not_equal(g->line, line);
	assert_memory_equal(unwind_memory__lines(s->memory) + line, table_lines,
			    TABLE_LINES * sizeof(*table_lines));
	unwind_memory__settle(s->memory, now + SECOND - 1);
	assert_int_equal(unwind_memory__n_used(s->memory), 9 * TABLE_LINES);
	unwind_memory__settle(s->memory, now + SECOND);
	assert_int_equal(unwind_memory__n_used(s->memory), 8 * TABLE_LINES);
}

/* A table that is in use would be asked for at once: the new one has to wait. */
static void those_in_use_stay(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *g = file(s, "g"), *h = file(s, "h");
	uint64_t now = fill(s, f);

	for (unsigned i = 0; i < 8; i++)
		f[i]->used_ns = now;
	get_table(s, g, TABLE_LINES, now); /* into what is kept free */
	assert_int_equal(g->state, UNWIND_FILE_READY);
	get_table(s, h, TABLE_LINES, now);
	assert_int_equal(h->state, UNWIND_FILE_READY);
	get_table(s, file(s, "i"), TABLE_LINES, now);
	assert_int_equal(file(s, "i")->state, UNWIND_FILE_NO_ROOM);
	assert_int_equal(unwind_tables__stats(s->t)->n_refused, 1);
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 0);
	assert_int_equal(s->n_changed, 1);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(f[i]->state, UNWIND_FILE_READY);
}

/* But not against one that is a quarter of their size. */
static void a_large_one_in_use_goes_for_a_small_one(void **state)
{
	struct scene *s = *state;
	struct unwind_file *large = file(s, "large"), *other = file(s, "other"), *f[3];

	get_table(s, large, 4 * TABLE_LINES, T0);
	for (unsigned i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		f[i] = file(s, name);
		get_table(s, f[i], TABLE_LINES, T0);
	}
	/* Nothing may go for one that is larger than that. */
	get_table(s, other, 3 * TABLE_LINES + 1, T0);
	assert_int_equal(other->state, UNWIND_FILE_NO_ROOM);
	assert_int_equal(large->state, UNWIND_FILE_READY);
	get_table(s, file(s, "3"), TABLE_LINES, T0);
	get_table(s, file(s, "4"), TABLE_LINES, T0);
	assert_int_equal(file(s, "4")->state, UNWIND_FILE_READY);
	assert_int_equal(large->state, UNWIND_FILE_NO_ROOM);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f[i]->state, UNWIND_FILE_READY);
	/* It does not come back at their cost. */
	want(s, large, T0 + SECOND);
	take(s, T0 + SECOND);
	assert_int_equal(large->state, UNWIND_FILE_NO_ROOM);
}

static void one_without_room_tries_again_later(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *big = file(s, "big");
	uint64_t now = fill(s, f);

	/* 24 lines are not free, but three tables can go, and are free a second later. */
	get_table(s, big, 3 * TABLE_LINES, now);
	assert_int_equal(big->state, UNWIND_FILE_NO_ROOM);
	assert_true(unwind_tables__stats(s->t)->n_evicted >= 3);
	want(s, big, now); /* not now */
	assert_int_equal(s->builder->n_asked, 9);
	unwind_memory__settle(s->memory, now + SECOND);
	take(s, now + 3 * SECOND - 1);
	assert_int_equal(big->state, UNWIND_FILE_NO_ROOM);
	take(s, now + 3 * SECOND);
	assert_int_equal(s->n_changed, 1);
	assert_ptr_equal(s->changed[0], big);
	assert_int_equal(big->state, UNWIND_FILE_NEW);
	get_table(s, big, 3 * TABLE_LINES, now + 3 * SECOND);
	assert_int_equal(big->state, UNWIND_FILE_READY);
}

/* To make a table that cannot be put anywhere costs seconds: only when there may be room. */
static void one_is_not_made_again_in_vain(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *big = file(s, "big");
	uint64_t now = fill(s, f);

	for (unsigned i = 0; i < 8; i++)
		f[i]->used_ns = now + 100 * SECOND;
	get_table(s, big, 3 * TABLE_LINES, now);
	assert_int_equal(big->state, UNWIND_FILE_NO_ROOM);
	take(s, now + 50 * SECOND);
	assert_int_equal(big->state, UNWIND_FILE_NO_ROOM);
	assert_int_equal(s->n_changed, 0);
	take(s, now + 103 * SECOND); /* nobody uses the others any more */
	assert_int_equal(big->state, UNWIND_FILE_NEW);
}

/* One that is larger than all of the memory costs no other its place, and is made once. */
static void one_that_never_fits(void **state)
{
	struct scene *s = *state;
	struct unwind_file *f[8], *huge = file(s, "huge");
	uint64_t now = fill(s, f);

	get_table(s, huge, N_LINES, now);
	assert_int_equal(unwind_tables__stats(s->t)->n_evicted, 0);
	assert_int_equal(unwind_tables__stats(s->t)->n_refused, 1);
	take(s, now + 1000 * SECOND);
	want(s, huge, now + 1000 * SECOND);
	assert_int_equal(s->builder->n_asked, 9);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(f[i]->state, UNWIND_FILE_READY);
}

/* Of the environment: the memory cannot be mapped. */
static void memory_that_fails(void **state)
{
	struct scene *s = *state;
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct unwind_file *f;

	unwind_tables__free(s->t);
	unwind_memory__free(s->memory);
	assert_int_equal(unwind_memory__new(&s->memory, null, N_LINES), 0);
	assert_int_equal(unwind_tables__new(&s->t, s->memory, s->builder), 0);
	f = file(s, "a");
	want(s, f, T0);
	fake_builder__make(s->builder, 0, table_lines, TABLE_LINES);
	assert_true(unwind_tables__take(s->t, T0, on_change, s) < 0);
	assert_int_equal(s->builder->n_released, 1);
}

/* ---- unwind_code_of() ------------------------------------------------------------------------ */

static void code_of_files(void **state)
{
	static const struct {
		enum unwind_file_state state;
		enum unwind_code code;
	} cases[] = {
	    {UNWIND_FILE_NEW, UNWIND_CODE_UNKNOWN},  {UNWIND_FILE_WANTED, UNWIND_CODE_UNKNOWN},
	    {UNWIND_FILE_READY, UNWIND_CODE_TABLE},  {UNWIND_FILE_NONE, UNWIND_CODE_NONE},
	    {UNWIND_FILE_NO_ROOM, UNWIND_CODE_NONE},
	};
	struct unwind_file f = {.line = 42};
	struct object o = {.kind = OBJECT_FILE, .open = OBJECT_OPEN, .unwind = &f};
	uint32_t none;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t line = 7;

		f.state = cases[i].state;
		o.kind = OBJECT_FILE;
		assert_int_equal(unwind_code_of(&o, &line), cases[i].code);
		assert_int_equal(line, cases[i].code == UNWIND_CODE_TABLE ? 42 : 7);
		o.kind = OBJECT_VDSO;
		assert_int_equal(unwind_code_of(&o, &line), cases[i].code);
	}
	/* Was no program, after all. */
	f.state = UNWIND_FILE_NONE;
	o.id.path = "/memfd:jit (deleted)";
	assert_int_equal(unwind_code_of(&o, &none), UNWIND_CODE_FRAME);
}

static void code_of_what_nobody_has_opened(void **state)
{
	struct object o = {.kind = OBJECT_FILE, .open = OBJECT_UNTRIED};
	uint32_t line;

	assert_int_equal(unwind_code_of(&o, &line), UNWIND_CODE_UNKNOWN);
	o.open = OBJECT_OPEN;
	assert_int_equal(unwind_code_of(&o, &line), UNWIND_CODE_UNKNOWN);
	o.open = OBJECT_ABSENT;
	assert_int_equal(unwind_code_of(&o, &line), UNWIND_CODE_NONE);
	/* No file: what a JIT compiler makes keeps frame pointers, or cannot be walked. */
	o.kind = OBJECT_ANONYMOUS;
	assert_int_equal(unwind_code_of(&o, &line), UNWIND_CODE_FRAME);
}

/* A table of another file than the one that is mapped would give wrong stacks. */
static void code_of_a_file_with_another_build_id(void **state)
{
	static const struct {
		struct msg_build_id mapped, in_file;
		enum unwind_code code;
	} cases[] = {
	    /* Not known by its build id: by device and inode it is the right one. */
	    {{0}, {3, "abc"}, UNWIND_CODE_TABLE},
	    {{0}, {0}, UNWIND_CODE_TABLE},
	    {{3, "abc"}, {3, "abc"}, UNWIND_CODE_TABLE},
	    {{3, "abd"}, {3, "abc"}, UNWIND_CODE_NONE},
	    {{3, "abc"}, {0}, UNWIND_CODE_NONE},
	    /* The kernel cuts long ones. */
	    {{20, "abcdefghijklmnopqrst"}, {24, "abcdefghijklmnopqrstuvwx"}, UNWIND_CODE_TABLE},
	    {{20, "abcdefghijklmnopqrst"}, {24, "abcdefghijklmnopqrsXuvwx"}, UNWIND_CODE_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unwind_file f = {
		    .state = UNWIND_FILE_READY, .line = 42, .build_id = cases[i].in_file};
		struct object o = {.kind = OBJECT_FILE,
				   .open = OBJECT_OPEN,
				   .id.build_id = cases[i].mapped,
				   .unwind = &f};
		uint32_t line = 7;

		assert_int_equal(unwind_code_of(&o, &line), cases[i].code);
		assert_int_equal(line, cases[i].code == UNWIND_CODE_TABLE ? 42 : 7);
	}
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(a_file_is_known_once),
	    in_scene(a_file_that_has_changed_is_another),
	    in_scene(what_is_no_file),
	    in_scene(references_outlive_the_tables),
	    in_scene(idle_files_are_bounded),
	    in_scene(a_table_is_made_once),
	    in_scene(a_file_that_cannot_have_one_is_not_asked_again),
	    in_scene(a_failure_that_passes),
	    in_scene(answers_find_their_files),
	    in_scene(a_question_that_fails),
	    in_scene(the_longest_unused_goes),
	    in_scene(one_that_has_just_come_is_in_use),
	    in_scene(no_more_goes_than_has_to),
	    in_scene(what_goes_rests_for_a_second),
	    in_scene(those_in_use_stay),
	    in_scene(a_large_one_in_use_goes_for_a_small_one),
	    in_scene(one_without_room_tries_again_later),
	    in_scene(one_is_not_made_again_in_vain),
	    in_scene(one_that_never_fits),
	    in_scene(memory_that_fails),
	    cmocka_unit_test(code_of_files),
	    cmocka_unit_test(code_of_what_nobody_has_opened),
	    cmocka_unit_test(code_of_a_file_with_another_build_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
