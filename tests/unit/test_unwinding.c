/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/unwinding: samples wait for the tables that they need, and none is ever dropped.
 *
 * The builder is a fake, so that a table comes when the test says so; the stacks are made by hand.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/procstat.h"
#include "daemon/collector/unwinding.c"
#include "tests/unit/fake_builder.h"
#include "tests/unit/made_walk.h"
#include "tests/unit/scratch_dir.h"

/* Above any pid there can be (PID_MAX_LIMIT): a process that is gone. */
#define GONE 5000001

#define START_NS 123456789000
#define T0 (1000 * NSEC_PER_SEC)

#define STACK 0x7ffd00000000
#define CODE 0x400000
#define LIB 0x7f0000000000
#define VDSO 0x7ffe00000000

struct delivered {
	struct window *window;
	uint32_t tgid, seq;
	enum stack_end end;
	uint16_t n_user;
	uint64_t frames[4]; /* of user space */
	const struct sample_record *at;
};

struct scene {
	char *dir;
	struct objects *objects;
	struct processes *ps;
	struct process *me; /* of ps, but with mappings of our making */
	struct unwinding *u;
	struct delivered got[1000];
	size_t n_got;
	int error;		  /* of deliver */
	struct window now, later; /* nobody looks into them */
	struct made_table leaf, root;
	struct made_walk walk;
	uint32_t seq;
};

static int on_deliver(void *ctx, struct window *window, const struct process *p,
		      const struct sample_record *sample)
{
	struct scene *s = ctx;
	struct delivered *d = &s->got[s->n_got++];

	if (s->n_got == ARRAY_SIZE(s->got))
		abort();
	*d = (struct delivered){.window = window,
				.tgid = p->tgid,
				.seq = sample->seq,
				.end = sample->user_end,
				.n_user = sample->n_user,
				.at = sample};
	for (unsigned i = 0; i < sample->n_user && i < ARRAY_SIZE(d->frames); i++)
		d->frames[i] = sample_frames(sample)[sample->n_kernel + i];
	assert_true(p->maps->n_refs > 0); /* they are there, whatever the process does */
	return s->error;
}

/* Another mapping of P, of the file at PATH. */
static void map(struct scene *s, struct process *p, uint64_t start, const char *path)
{
	struct object_id id = {.path = path, .dev = 1, .ino = start};
	struct object *o = NULL;
	struct stat st;

	if (stat(path, &st) == 0) {
		id.dev = st.st_dev;
		id.ino = st.st_ino;
	}
	assert_int_equal(objects__get(s->objects, &id, &o), 0);
	assert_int_equal(mapset__add(&p->maps, s->objects, start, start + 0x2000, 0, o), 0);
	objects__unref(s->objects, o);
}

static const char *file(struct scene *s, const char *name)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	return path;
}

static int make_unwinding(struct scene *s)
{
	const struct unwinding_options options = {
	    .objects = s->objects, .symbolizer = "fake", .deliver = on_deliver, .ctx = s};

	return unwinding__new(&s->u, &options);
}

/* Ourselves, with two files as mappings: CODE calls nobody but LIB, and LIB is the root. */
static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	uint32_t me = (uint32_t)getpid();

	*state = s;
	if (!s || scratch_dir__enter((void **)&s->dir) < 0 || objects__new(&s->objects) < 0 ||
	    processes__new(&s->ps, s->objects) < 0 || processes__scan(s->ps, me, me) < 0)
		return -1;
	s->me = processes__find(s->ps, me);
	mapset__unref(s->me->maps, s->objects);
	if (mapset__new(&s->me->maps) < 0)
		return -1;
	s->me->start_ns = START_NS;
	map(s, s->me, CODE, file(s, "code"));
	map(s, s->me, LIB, file(s, "lib"));
	s->leaf = made_table_of(0x2000, made_rule(0));
	s->root = made_table_of(0x2000, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	return make_unwinding(s);
}

static int free_scene(void **state)
{
	struct scene *s = *state;
	int r = scratch_dir__leave((void **)&s->dir);

	unwinding__free(s->u);
	processes__free(s->ps);
	objects__free(s->objects); /* after the tables, as the collector does */
	free(s);
	return r;
}

/* A sample in CODE, called by LIB; both need their tables. */
static struct sample_record *sample(struct scene *s, uint32_t tgid)
{
	const struct unwind_regs regs = made_regs(CODE + 1, STACK, 0);
	const uint64_t stack[2] = {LIB + 5};

	made_walk(&s->walk, tgid, &regs, stack, sizeof(stack));
	s->walk.sample.record.seq = ++s->seq;
	s->walk.sample.record.start_ns = START_NS;
	s->walk.sample.record.exec_id = 3;
	return &s->walk.sample.record;
}

static void add(struct scene *s, struct window *w, const struct process *p,
		const struct sample_record *record)
{
	assert_int_equal(unwinding__add(s->u, w, p, record), 0);
}

static void pump(struct scene *s)
{
	assert_int_equal(unwinding__pump(s->u, s->ps, T0), 0);
}

/* The builder answers its question number I. */
static void make_table(struct scene *s, size_t i, const struct made_table *t)
{
	fake_builder__make(fake_builder, i, t->lines, t->n_lines);
	pump(s);
}

static void expect_whole(const struct scene *s, size_t i)
{
	assert_true(i < s->n_got);
	assert_int_equal(s->got[i].end, STACK_END_ROOT);
	assert_int_equal(s->got[i].n_user, 2);
	assert_int_equal(s->got[i].frames[0], CODE + 1);
	assert_int_equal(s->got[i].frames[1], LIB + 5);
}

static void expect_as_it_came(const struct scene *s, size_t i)
{
	assert_true(i < s->n_got);
	assert_int_equal(s->got[i].end, STACK_END_NO_INFO);
	assert_int_equal(s->got[i].n_user, 1);
	assert_int_equal(s->got[i].frames[0], CODE + 1);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void without_a_symbolizer_there_is_none(void **state)
{
	struct scene *s = *state;
	struct unwinding *u = NULL;
	const struct unwinding_options options = {
	    .objects = s->objects, .symbolizer = "/nonexistent", .deliver = on_deliver};

	assert_int_equal(unwinding__new(&u, &options), -ENOENT);
	assert_null(u);
	assert_null(unwinding__free(NULL));
	assert_int_equal(unwinding__fd(s->u), FAKE_BUILDER_FD);
	pump(s);
	assert_int_equal(unwinding__flush(s->u, &s->now), 0);
}

/* What the kernel side has walked to its end goes through as it is. */
static void a_whole_sample_is_delivered_at_once(void **state)
{
	struct scene *s = *state;
	struct made_sample whole =
	    made_sample(GONE, GONE, "a", NO_FRAMES, FRAMES(CODE + 1), STACK_END_UNREADABLE);

	add(s, &s->now, s->me, &whole.record);
	assert_int_equal(s->n_got, 1);
	assert_ptr_equal(s->got[0].at, &whole.record);
	assert_ptr_equal(s->got[0].window, &s->now);
	assert_int_equal(fake_builder->n_asked, 0);
	assert_int_equal(unwinding__n_parked(s->u), 0);
	assert_int_equal(spaces__n_processes(s->u->spaces), 0); /* the walker did well without */
}

/* The first sample of a program is as good as the hundredth. */
static void a_sample_waits_for_its_tables(void **state)
{
	struct scene *s = *state;

	add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(s->n_got, 0);
	assert_int_equal(unwinding__n_parked(s->u), 1);
	assert_int_equal(fake_builder->n_asked, 1);
	pump(s); /* nothing has come */
	assert_int_equal(unwinding__n_parked(s->u), 1);
	make_table(s, 0, &s->leaf); /* now it is seen who called */
	assert_int_equal(s->n_got, 0);
	assert_int_equal(unwinding__n_parked(s->u), 1);
	assert_int_equal(fake_builder->n_asked, 2);
	make_table(s, 1, &s->root);
	assert_int_equal(s->n_got, 1);
	expect_whole(s, 0);
	assert_ptr_equal(s->got[0].window, &s->now);
	assert_int_equal(s->got[0].tgid, s->me->tgid);
	assert_int_equal(unwinding__n_parked(s->u), 0);
	assert_int_equal(s->u->parked_bytes, 0);
	assert_int_equal(unwinding__stats(s->u)->n_built, 2);
	/* The next need not wait. */
	add(s, &s->later, s->me, sample(s, s->me->tgid));
	expect_whole(s, 1);
	assert_ptr_equal(s->got[1].window, &s->later);
	assert_int_equal(fake_builder->n_asked, 2);
}

static void each_file_is_asked_for_once(void **state)
{
	struct scene *s = *state;

	for (unsigned i = 0; i < 10; i++)
		add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(fake_builder->n_asked, 1);
	assert_int_equal(unwinding__n_parked(s->u), 10);
	make_table(s, 0, &s->leaf);
	assert_int_equal(fake_builder->n_asked, 2);
	make_table(s, 1, &s->root);
	assert_int_equal(s->n_got, 10);
	for (unsigned i = 0; i < 10; i++) {
		expect_whole(s, i);
		assert_int_equal(s->got[i].seq, i + 1); /* in the order of arrival */
	}
}

/* A file has one table, under whatever names it is mapped. */
static void a_file_under_two_names(void **state)
{
	struct scene *s = *state;
	char other[64];

	snprintf(other, sizeof(other), "%s/other", s->dir);
	assert_int_equal(link(file(s, "code"), other), 0);
	map(s, s->me, CODE, other);
	map(s, s->me, LIB, file(s, "code"));
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	make_table(s, 0, &s->root);
	assert_int_equal(s->n_got, 1);
	assert_int_equal(s->got[0].end, STACK_END_ROOT);
	sample(s, s->me->tgid);
	s->walk.sample.frames[0] = ((struct unwind_regs *)&s->walk.sample.frames[1])->ip = LIB + 1;
	add(s, &s->now, s->me, &s->walk.sample.record);
	assert_int_equal(s->got[1].end, STACK_END_ROOT);
	assert_int_equal(fake_builder->n_asked, 1);
}

static void a_table_that_cannot_be_made(void **state)
{
	struct scene *s = *state;

	add(s, &s->now, s->me, sample(s, s->me->tgid));
	fake_builder__fail(fake_builder, 0, -ENOEXEC);
	pump(s);
	expect_as_it_came(s, 0);
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	expect_as_it_came(s, 1);
	assert_int_equal(fake_builder->n_asked, 1);
	assert_int_equal(unwinding__stats(s->u)->n_failed, 1);
}

/* The process may be gone and its mappings forgotten before the table is there. */
static void a_parked_sample_keeps_its_mappings(void **state)
{
	struct scene *s = *state;
	struct process gone = {.tgid = GONE, .start_ns = START_NS};

	assert_int_equal(mapset__new(&gone.maps), 0);
	map(s, &gone, CODE, file(s, "code"));
	map(s, &gone, LIB, file(s, "lib"));
	add(s, &s->now, &gone, sample(s, GONE));
	mapset__unref(gone.maps, s->objects);
	memset(&gone, 0xee, sizeof(gone));
	make_table(s, 0, &s->leaf);
	make_table(s, 1, &s->root);
	expect_whole(s, 0);
	assert_int_equal(s->got[0].tgid, GONE);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The window is about to be written: its samples go as far as they were walked. */
static void flush_gives_what_there_is(void **state)
{
	struct scene *s = *state;

	add(s, &s->now, s->me, sample(s, s->me->tgid));
	add(s, &s->later, s->me, sample(s, s->me->tgid));
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(unwinding__flush(s->u, &s->now), 0);
	assert_int_equal(s->n_got, 2);
	expect_as_it_came(s, 0);
	expect_as_it_came(s, 1);
	assert_int_equal(s->got[0].seq, 1);
	assert_int_equal(s->got[1].seq, 3);
	assert_int_equal(unwinding__n_parked(s->u), 1);
	assert_int_equal(unwinding__flush(s->u, &s->now), 0);
	assert_int_equal(s->n_got, 2);
	/* The other window's still gets its tables. */
	make_table(s, 0, &s->leaf);
	make_table(s, 1, &s->root);
	assert_int_equal(s->n_got, 3);
	expect_whole(s, 2);
	assert_ptr_equal(s->got[2].window, &s->later);
}

/* Tables that have come since help, even if nobody has pumped. */
static void flush_walks_as_far_as_tables_go(void **state)
{
	struct scene *s = *state;

	add(s, &s->now, s->me, sample(s, s->me->tgid));
	make_table(s, 0, &s->leaf);
	assert_int_equal(unwinding__flush(s->u, &s->now), 0);
	assert_int_equal(s->n_got, 1);
	assert_int_equal(s->got[0].end, STACK_END_NO_INFO);
	assert_int_equal(unwinding__n_parked(s->u), 0);
}

/* Over the limit samples are not dropped: they are given out at once. */
static void parked_bytes_are_bounded(void **state)
{
	static const uint64_t stack[STACK_COPY_MAX / 8];
	const struct unwind_regs regs = made_regs(CODE + 1, STACK, 0);
	struct scene *s = *state;
	size_t size =
	    sizeof(struct sample_record) + 8 + sizeof(regs) + STACK_COPY_BELOW + sizeof(stack);
	size_t n;

	made_walk(&s->walk, s->me->tgid, &regs, stack, sizeof(stack));
	for (n = 0; s->n_got == 0; n++)
		add(s, &s->now, s->me, &s->walk.sample.record);
	expect_as_it_came(s, 0);
	assert_int_equal(unwinding__n_parked(s->u), n - 1);
	assert_int_equal(s->u->parked_bytes, (n - 1) * size);
	assert_true((n - 2) * size < UNWINDING_PARKED_BYTES_MIN);
	assert_true((n - 1) * size >= UNWINDING_PARKED_BYTES_MIN);
	/* The end frees what is parked. */
}

/* A sample whose question found no room waits for it, even if none of that file follows. */
static void a_question_without_room_is_asked_later(void **state)
{
	struct scene *s = *state;

	fake_builder->error = TABLE_BUILDER_FULL;
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	pump(s);
	assert_int_equal(fake_builder->n_asked, 0);
	assert_int_equal(unwinding__n_parked(s->u), 1);
	fake_builder->error = 0;
	pump(s);
	assert_int_equal(fake_builder->n_asked, 1);
	make_table(s, 0, &s->leaf);
	make_table(s, 1, &s->root);
	expect_whole(s, 0);
}

static void an_error_of_who_takes_them_goes_up(void **state)
{
	struct scene *s = *state;

	s->error = -ENOMEM;
	for (unsigned i = 0; i < 3; i++)
		add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(unwinding__flush(s->u, &s->now), -ENOMEM);
	assert_int_equal(s->n_got, 1);
	assert_int_equal(unwinding__n_parked(s->u), 2);
	fake_builder__fail(fake_builder, 0, -EIO);
	assert_int_equal(unwinding__pump(s->u, s->ps, T0), -ENOMEM);
	assert_int_equal(s->n_got, 2);
	assert_int_equal(unwinding__add(s->u, &s->now, s->me, sample(s, s->me->tgid)), -ENOMEM);
	s->error = 0;
	assert_int_equal(unwinding__flush(s->u, &s->now), 0);
	assert_int_equal(s->n_got, 4);
	assert_int_equal(s->got[3].seq, 3);
}

/* ---- stacks that are longer than their copy ------------------------------------------------- */

/* Our own memory in place of a stack, of which CODE's frame takes all but the last word. */
static uint64_t long_stack[(STACK_COPY_MAX + 2 * USER_PAGE) / 8]
    __attribute__((aligned(USER_PAGE)));

/* Reads are answered by a thread. */
static void pump_a_little_later(struct scene *s)
{
	usleep(1000);
	pump(s);
}

static void await_delivery(struct scene *s, size_t n)
{
	while (s->n_got < n)
		pump_a_little_later(s);
}

/* Adds a sample with a full copy, and waits until the rest has been read. */
static void add_long(struct scene *s, const struct sample_record *record)
{
	size_t n_got = s->n_got;

	add(s, &s->now, s->me, record);
	await_delivery(s, n_got + 1);
}

/* A sample with a full copy of the begin of long_stack, from word FROM on. */
static struct sample_record *long_sample(struct scene *s, size_t from)
{
	const uint64_t *sp = long_stack + from;
	struct unwind_regs regs = made_regs(CODE + 1, (uintptr_t)sp, 0);

	made_walk(&s->walk, s->me->tgid, &regs, sp, STACK_COPY_MAX - 8 * from);
	s->walk.sample.record.start_ns = s->me->start_ns;
	return &s->walk.sample.record;
}

static void make_long_scene(struct scene *s)
{
	struct procstat st;

	assert_int_equal(procstat_read(s->me->tgid, &st), 0);
	s->me->start_ns = st.start_ns;
	for (size_t i = 0; i < ARRAY_SIZE(long_stack); i++)
		long_stack[i] = i;
	long_stack[ARRAY_SIZE(long_stack) - 1] = LIB + 5;
	/* Both tables at once. */
	s->leaf = made_table_of(0x2000, made_rule((int)ARRAY_SIZE(long_stack) - 2));
	add(s, &s->now, s->me, long_sample(s, 1));
	make_table(s, 0, &s->leaf);
	while (fake_builder->n_asked < 2)
		pump_a_little_later(s);
	make_table(s, 1, &s->root);
	await_delivery(s, 1);
}

/* Of a sample that has to wait (the first), and of one that need not. */
static void what_lies_beyond_the_copy_is_read(void **state)
{
	struct scene *s = *state;

	make_long_scene(s);
	expect_whole(s, 0);
	add_long(s, long_sample(s, 1));
	expect_whole(s, 1);
}

/* What its end overlaps has changed: who knows what else has. */
static void a_stack_that_has_changed_is_cut(void **state)
{
	struct scene *s = *state;
	struct sample_record *r;

	make_long_scene(s);
	r = long_sample(s, 1);
	long_stack[STACK_COPY_MAX / 8 - 1]++;
	add_long(s, r);
	assert_int_equal(s->got[1].end, STACK_END_CUT);
	assert_int_equal(s->got[1].n_user, 1);
	/* So is that of a process that has the tgid now. */
	r = long_sample(s, 1);
	s->me->start_ns += 1000 * NSEC_PER_SEC;
	add_long(s, r);
	assert_int_equal(s->got[2].end, STACK_END_CUT);
}

/* A copy that is not full has ended because there was no more. */
static void a_copy_that_is_not_full_is_all_there_is(void **state)
{
	struct scene *s = *state;
	struct sample_record *r;

	make_long_scene(s);
	r = long_sample(s, 0);
	r->stack_bytes = STACK_COPY_MAX - USER_PAGE;
	add(s, &s->now, s->me, r);
	assert_int_equal(s->got[1].end, STACK_END_UNREADABLE);
}

/* ---- samples without anything to walk by ----------------------------------------------------- */

static void a_process_without_mappings(void **state)
{
	struct scene *s = *state;
	struct process bare = {.tgid = GONE};

	assert_int_equal(mapset__new(&bare.maps), 0);
	add(s, &s->now, &bare, sample(s, GONE));
	assert_int_equal(s->n_got, 1);
	assert_int_equal(s->got[0].end, STACK_END_NO_MAPPING);
	assert_int_equal(s->got[0].n_user, 1);
	mapset__unref(bare.maps, s->objects);
}

/* Nobody waits for a file that cannot be opened, and the walker does not ask for it again. */
static void a_file_that_is_not_there(void **state)
{
	struct scene *s = *state;

	assert_int_equal(unlink(file(s, "code")), 0);
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	expect_as_it_came(s, 0);
	assert_int_equal(mapset__find(s->me->maps, CODE)->object->open, OBJECT_ABSENT);
	assert_int_equal(fake_builder->n_asked, 0);
	pump(s);
	assert_int_equal(unwinding__n_parked(s->u), 0);
}

/* Within exec the registers may be of the program that has gone. */
static void between_two_programs(void **state)
{
	struct scene *s = *state;
	const struct unwind_regs old = made_regs(0x1234567, STACK, 0);
	struct sample_record *record = &s->walk.sample.record;

	made_walk(&s->walk, s->me->tgid, &old, NULL, 0);
	s->walk.sample = made_sample(s->me->tgid, s->me->tgid, "x", FRAMES(91, 92),
				     FRAMES(0x1234567), STACK_END_UNKNOWN);
	record->flags = SAMPLE_IN_EXEC;
	made_walk__goes_on(&s->walk, &old, NULL, 0);
	add(s, &s->now, s->me, record);
	assert_int_equal(s->got[0].end, STACK_END_NO_MM);
	assert_int_equal(s->got[0].n_user, 0);
	assert_int_equal(s->got[0].at->n_kernel, 2);
	assert_int_equal(s->got[0].at->stack_bytes, 0);
	assert_int_equal(sample_frames(s->got[0].at)[1], 92);
	/* Old registers over the new program's stack. */
	made_walk__goes_on(&s->walk, &old, ((uint64_t[]){1, 2}), 16);
	add(s, &s->now, s->me, record);
	assert_int_equal(s->got[1].end, STACK_END_NO_MM);
	/* A stack for which the ring had no room is there. */
	sample(s, s->me->tgid);
	record->flags = SAMPLE_IN_EXEC | SAMPLE_STACK_CUT;
	assert_false(between_programs(s->me, record));
	/* No stack any more, though there is code at that address. */
	sample(s, s->me->tgid);
	record->flags = SAMPLE_IN_EXEC;
	record->stack_bytes = 0;
	add(s, &s->now, s->me, record);
	assert_int_equal(s->got[2].end, STACK_END_NO_MM);
	assert_int_equal(s->got[2].n_user, 0);
	/* The walker of the kernel knew the code, but there was no stack. */
	sample(s, s->me->tgid);
	record->flags = SAMPLE_IN_EXEC;
	record->user_end = STACK_END_UNREADABLE;
	record->stack_bytes = 0;
	add(s, &s->now, s->me, record);
	assert_int_equal(s->got[3].end, STACK_END_NO_MM);
	assert_int_equal(s->got[3].n_user, 0);
	/* Code and a stack: exec has not begun to replace them, or is through. */
	sample(s, s->me->tgid);
	record->flags = SAMPLE_IN_EXEC;
	add(s, &s->now, s->me, record);
	assert_int_equal(s->n_got, 4);
	assert_int_equal(unwinding__n_parked(s->u), 1);
}

/* The kernel's own code in the process has a table too. */
static void the_vdso(void **state)
{
	struct scene *s = *state;
	const struct unwind_regs regs = made_regs(VDSO + 1, STACK, 0);

	if (s->u->vdso_fd < 0) {
		print_message("this kernel has no vdso\n");
		skip();
	}
	map(s, s->me, VDSO, "[vdso]");
	made_walk(&s->walk, s->me->tgid, &regs, NULL, 0);
	add(s, &s->now, s->me, &s->walk.sample.record);
	assert_int_equal(unwinding__n_parked(s->u), 1);
	make_table(s, 0, &s->root);
	assert_int_equal(s->got[0].end, STACK_END_ROOT);
}

/* ---- what the walker is told ----------------------------------------------------------------- */

/* The code of the mapping at START in the only list there is. */
static enum unwind_code code_at(const struct scene *s, uint64_t start)
{
	const struct unwind_line *lines = unwind_memory__lines(s->u->memory);

	for (uint32_t line = 1; line < unwind_memory__n_used(s->u->memory) + 1; line++) {
		const struct unwind_mapping *m = (const void *)&lines[line];

		for (unsigned i = 0; i < UNWIND_MAPPINGS_PER_LINE; i++)
			if (m[i].start == start && m[i].end == start + 0x2000)
				return m[i].code;
	}
	return UNWIND_CODE_UNKNOWN;
}

/* So that from the next tick on it walks itself. */
static void the_walker_learns_of_a_process_that_runs(void **state)
{
	struct scene *s = *state;

	add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(spaces__n_processes(s->u->spaces), 1);
	assert_int_equal(code_at(s, CODE), UNWIND_CODE_UNKNOWN);
	make_table(s, 0, &s->leaf);
	assert_int_equal(code_at(s, CODE), UNWIND_CODE_TABLE);
	fake_builder__fail(fake_builder, 1, -ENOEXEC);
	pump(s);
	assert_int_equal(code_at(s, LIB), UNWIND_CODE_NONE);
	/* It ends. */
	s->me->dead_ns = T0;
	pump(s);
	assert_int_equal(spaces__n_processes(s->u->spaces), 0);
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	assert_int_equal(spaces__n_processes(s->u->spaces), 0);
}

static void it_is_not_told_of_one_that_is_gone(void **state)
{
	struct scene *s = *state;
	struct process gone = *s->me;

	gone.tgid = GONE;
	add(s, &s->now, &gone, sample(s, GONE));
	assert_int_equal(spaces__n_processes(s->u->spaces), 0);
}

/* Processes of others run as well, even if we may not send them signals. */
static void it_is_told_of_what_others_run(void **state)
{
	struct scene *s = *state;
	struct process init = *s->me;
	uid_t me = getuid(), nobody = 65534;
	int r;

	init.tgid = 1;
	if (me == 0 && setresuid(nobody, nobody, 0) < 0) {
		print_message("there is no other user here\n");
		skip();
	}
	r = unwinding__add(s->u, &s->now, &init, sample(s, 1));
	assert_int_equal(setresuid(me, me, me), 0);
	assert_int_equal(r, 0);
	assert_int_equal(spaces__n_processes(s->u->spaces), 1);
}

/* What could not be opened through one process may have been through another, for its names. */
static void the_walker_learns_of_files_that_are_opened_later(void **state)
{
	struct scene *s = *state;
	struct object *o = mapset__find(s->me->maps, CODE)->object;

	assert_int_equal(unlink(file(s, "code")), 0);
	add(s, &s->now, s->me, sample(s, s->me->tgid));
	pump(s);
	assert_int_equal(code_at(s, CODE), UNWIND_CODE_NONE);
	objects__opened(s->objects, o, open(file(s, "again"), O_RDONLY | O_CLOEXEC));
	pump(s);
	assert_int_equal(code_at(s, CODE), UNWIND_CODE_UNKNOWN);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(without_a_symbolizer_there_is_none),
	    in_scene(a_whole_sample_is_delivered_at_once),
	    in_scene(a_sample_waits_for_its_tables),
	    in_scene(each_file_is_asked_for_once),
	    in_scene(a_file_under_two_names),
	    in_scene(a_table_that_cannot_be_made),
	    in_scene(a_parked_sample_keeps_its_mappings),
	    in_scene(flush_gives_what_there_is),
	    in_scene(flush_walks_as_far_as_tables_go),
	    in_scene(parked_bytes_are_bounded),
	    in_scene(a_question_without_room_is_asked_later),
	    in_scene(an_error_of_who_takes_them_goes_up),
	    in_scene(what_lies_beyond_the_copy_is_read),
	    in_scene(a_stack_that_has_changed_is_cut),
	    in_scene(a_copy_that_is_not_full_is_all_there_is),
	    in_scene(a_process_without_mappings),
	    in_scene(a_file_that_is_not_there),
	    in_scene(between_two_programs),
	    in_scene(the_vdso),
	    in_scene(the_walker_learns_of_a_process_that_runs),
	    in_scene(it_is_not_told_of_one_that_is_gone),
	    in_scene(it_is_told_of_what_others_run),
	    in_scene(the_walker_learns_of_files_that_are_opened_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
