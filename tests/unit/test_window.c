/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/window: the samples of one window, counted. */
#include "daemon/collector/window.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "daemon/collector/unwind_tables.h"
#include "tests/unit/made_sample.h"

#define EXE 0x400000
#define LIB 0x7f0000000000
#define KERNEL 0xffffffff81000000

/* One process with a program and a library of a page each, right after another. */
struct scene {
	struct objects *objects;
	struct object *exe, *lib;
	struct process process;
	struct window *w;
};

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s || objects__new(&s->objects) < 0 || mapset__new(&s->process.maps) < 0 ||
	    window__new(&s->w, s->objects, 1000, 10101010) < 0)
		return -1;
	s->exe = made_object(s->objects, "/bin/exe", 1);
	s->lib = made_object(s->objects, "/lib/lib.so", 2);
	if (!s->exe || !s->lib ||
	    mapset__add(&s->process.maps, s->objects, EXE, EXE + 4096, 0x1000, s->exe) < 0 ||
	    mapset__add(&s->process.maps, s->objects, LIB, LIB + 4096, 0, s->lib) < 0)
		return -1;
	s->process.tgid = 42;
	s->process.start_ns = 7000;
	strcpy(s->process.comm, "exe");
	return 0;
}

/* The window gave back every reference it took. */
static int free_scene(void **state)
{
	struct scene *s = *state;
	int leaked;

	window__free(s->w);
	leaked = s->process.maps->n_refs != 1;
	mapset__unref(s->process.maps, s->objects);
	leaked |= s->exe->n_refs != 1 || s->lib->n_refs != 1;
	objects__unref(s->objects, s->exe);
	objects__unref(s->objects, s->lib);
	objects__free(s->objects);
	free(s);
	return leaked ? -1 : 0;
}

static void count(struct scene *s, const struct made_sample *sample)
{
	assert_int_equal(window__add(s->w, &s->process, &sample->record), 0);
}

/* One sample of thread 42 with only user frames. */
static void count_user(struct scene *s, size_t n, const uint64_t *user, enum stack_end end)
{
	struct made_sample sample = made_sample(42, 42, "exe", NO_FRAMES, n, user, end);

	count(s, &sample);
}

/* The frames of stack I from its leaf on. */
static size_t frames_of(const struct window *w, size_t i, const struct window_frame **ret,
			size_t max)
{
	size_t n = 0;

	assert_true(i < w->n_stacks);
	for (uint32_t node = w->stacks[i].node; node != WINDOW_ROOT; node = w->nodes[node].parent) {
		assert_true(n < max);
		assert_true(node < w->n_nodes);
		assert_true(w->nodes[node].parent == WINDOW_ROOT || w->nodes[node].parent < node);
		ret[n++] = &w->frames[w->nodes[node].frame];
	}
	return n;
}

static void frame_is(const struct window_frame *f, enum frame_kind kind, uint64_t addr,
		     const struct object *object)
{
	assert_int_equal(f->kind, kind);
	assert_int_equal(f->addr, addr);
	if (object)
		assert_ptr_equal(f->mapping->object, object);
	else
		assert_null(f->mapping);
}

static void starts_empty(void **state)
{
	struct scene *s = *state;

	assert_int_equal(s->w->start_ns, 1000);
	assert_int_equal(s->w->period_ns, 10101010);
	assert_int_equal(s->w->n_samples, 0);
	assert_int_equal(window__close(s->w, 5), 0);
	assert_int_equal(s->w->duration_ns, 5);
	assert_int_equal(s->w->n_objects, 0);
	assert_null(window__free(NULL));
}

static void equal_stacks_are_counted_not_kept(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 100; i++)
		count_user(s, FRAMES(EXE + 0x10, EXE + 0x20, EXE + 0x30), STACK_END_ROOT);
	assert_int_equal(s->w->n_samples, 100);
	assert_int_equal(s->w->n_stacks, 1);
	assert_int_equal(s->w->stacks[0].count, 100);
	assert_int_equal(s->w->n_nodes, 3);
	assert_int_equal(s->w->n_frames, 3);
	/* Another leaf under the same callers adds one node; another caller a new branch. */
	count_user(s, FRAMES(EXE + 0x11, EXE + 0x20, EXE + 0x30), STACK_END_ROOT);
	assert_int_equal(s->w->n_nodes, 4);
	count_user(s, FRAMES(EXE + 0x10, EXE + 0x20, EXE + 0x31), STACK_END_ROOT);
	assert_int_equal(s->w->n_nodes, 7);
	assert_int_equal(s->w->n_frames, 5);
	assert_int_equal(s->w->n_stacks, 3);
}

/* A return address stands behind its call; the interrupted instructions stand for themselves, in
 * both parts of the stack. */
static void callers_are_placed_in_their_call(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f[8];
	struct made_sample sample =
	    made_sample(42, 42, "exe", FRAMES(KERNEL + 0x100, KERNEL + 0x200),
			FRAMES(LIB + 0x10, EXE + 0x500, EXE + 4096), STACK_END_ROOT);

	count(s, &sample);
	assert_int_equal(frames_of(s->w, 0, f, ARRAY_SIZE(f)), 5);
	frame_is(f[0], FRAME_KERNEL, KERNEL + 0x100, NULL);
	frame_is(f[1], FRAME_KERNEL, KERNEL + 0x1ff, NULL);
	frame_is(f[2], FRAME_USER, LIB + 0x10, s->lib);
	frame_is(f[3], FRAME_USER, EXE + 0x4ff, s->exe);
	/* The call is the mapping's last instruction, the return address lies outside of it. */
	frame_is(f[4], FRAME_USER, EXE + 4095, s->exe);
}

static void only_kernel_frames(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f[8];
	struct made_sample sample =
	    made_sample(42, 42, "kworker", FRAMES(KERNEL), NO_FRAMES, STACK_END_NO_USER);

	count(s, &sample);
	assert_int_equal(frames_of(s->w, 0, f, ARRAY_SIZE(f)), 1);
	frame_is(f[0], FRAME_KERNEL, KERNEL, NULL);
}

/* Never no frame at all: without kernel stacks a kernel thread has one that says so. */
static void no_frames_at_all(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f[8];

	count_user(s, NO_FRAMES, STACK_END_NO_USER);
	assert_int_equal(frames_of(s->w, 0, f, ARRAY_SIZE(f)), 1);
	frame_is(f[0], FRAME_TRUNCATED, STACK_END_NO_USER, NULL);
}

/* Why a stack is not whole stands where the missing callers would. */
static void truncated_stacks_say_so_at_the_root(void **state)
{
	static const enum stack_end ends[] = {STACK_END_UNREADABLE, STACK_END_BAD_CFA,
					      STACK_END_DEPTH, STACK_END_COMPAT, STACK_END_NO_REGS};
	struct scene *s = *state;
	const struct window_frame *f[8];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		count_user(s, FRAMES(EXE + 1, EXE + 9), ends[i]);
		assert_int_equal(frames_of(s->w, i, f, ARRAY_SIZE(f)), 3);
		frame_is(f[0], FRAME_USER, EXE + 1, s->exe);
		frame_is(f[1], FRAME_USER, EXE + 8, s->exe);
		frame_is(f[2], FRAME_TRUNCATED, ends[i], NULL);
	}
	assert_int_equal(s->w->n_stacks, ARRAY_SIZE(ends));
}

/* From the leaf outwards, the first address in no mapping ends what is believed. */
static void cut_where_it_leaves_the_mappings(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f[8];

	count_user(s, FRAMES(EXE + 1, LIB + 9, 0x1234, EXE + 5, LIB + 7), STACK_END_ROOT);
	assert_int_equal(frames_of(s->w, 0, f, ARRAY_SIZE(f)), 3);
	frame_is(f[0], FRAME_USER, EXE + 1, s->exe);
	frame_is(f[1], FRAME_USER, LIB + 8, s->lib);
	frame_is(f[2], FRAME_TRUNCATED, STACK_END_NO_MAPPING, NULL);
	/* A return address at a mapping's first byte has no call before it. */
	count_user(s, FRAMES(EXE + 1, LIB), STACK_END_ROOT);
	assert_int_equal(frames_of(s->w, 1, f, ARRAY_SIZE(f)), 2);
	frame_is(f[1], FRAME_TRUNCATED, STACK_END_NO_MAPPING, NULL);
	/* An address of 0 less 1 wraps around, and is in no mapping either. */
	count_user(s, FRAMES(EXE + 2, 0), STACK_END_ROOT);
	assert_int_equal(frames_of(s->w, 2, f, ARRAY_SIZE(f)), 2);
}

/* The interrupted instruction is a fact, mapped or not; its callers are believed where they lie. */
static void the_interrupted_instruction_stays(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f[8];

	count_user(s, FRAMES(0xdead000, EXE + 9), STACK_END_ROOT);
	assert_int_equal(frames_of(s->w, 0, f, ARRAY_SIZE(f)), 2);
	frame_is(f[0], FRAME_UNMAPPED, 0xdead000, NULL);
	frame_is(f[1], FRAME_USER, EXE + 8, s->exe);
}

static void threads_by_number_and_name(void **state)
{
	struct scene *s = *state;
	struct made_sample a = made_sample(42, 42, "exe", NO_FRAMES, FRAMES(EXE), STACK_END_ROOT);
	struct made_sample b = made_sample(42, 43, "exe", NO_FRAMES, FRAMES(EXE), STACK_END_ROOT);
	struct made_sample renamed =
	    made_sample(42, 43, "worker", NO_FRAMES, FRAMES(EXE), STACK_END_ROOT);

	count(s, &a);
	count(s, &b);
	count(s, &b);
	count(s, &renamed);
	assert_int_equal(s->w->n_processes, 1);
	assert_int_equal(s->w->n_threads, 3);
	assert_int_equal(s->w->n_stacks, 3);
	assert_int_equal(s->w->n_nodes, 1);
	assert_string_equal(s->w->threads[1].comm, "exe");
	assert_string_equal(s->w->threads[2].comm, "worker");
	assert_int_equal(s->w->threads[2].tid, 43);
	assert_int_equal(s->w->stacks[1].count, 2);
}

/* A process is described as it was last; what the samples lie in stays what it was. */
static void a_process_is_as_it_was_at_its_last_sample(void **state)
{
	struct scene *s = *state;
	struct mapset *old = s->process.maps;
	const struct window_frame *f[8];

	count_user(s, FRAMES(EXE + 1), STACK_END_ROOT);
	strcpy(s->process.comm, "after");
	assert_int_equal(mapset__new(&s->process.maps), 0); /* exec */
	assert_int_equal(mapset__add(&s->process.maps, s->objects, EXE, EXE + 4096, 0, s->lib), 0);
	mapset__unref(old, s->objects);
	count_user(s, FRAMES(EXE + 1), STACK_END_ROOT);
	assert_int_equal(s->w->n_processes, 1);
	assert_string_equal(s->w->processes[0].comm, "after");
	assert_ptr_equal(s->w->processes[0].maps, s->process.maps);
	assert_int_equal(s->w->processes[0].n_samples, 2);
	assert_int_equal(s->w->n_stacks, 2);
	frames_of(s->w, 0, f, ARRAY_SIZE(f));
	frame_is(f[0], FRAME_USER, EXE + 1, s->exe);
	frames_of(s->w, 1, f, ARRAY_SIZE(f));
	frame_is(f[0], FRAME_USER, EXE + 1, s->lib);
}

/* A sample that waited for a table comes late: it does not bring the old program back. */
static void a_late_sample_does_not_rename_a_process(void **state)
{
	struct scene *s = *state;
	struct process before = s->process;
	struct made_sample late = made_sample(s->process.tgid, s->process.tgid, "before", NO_FRAMES,
					      FRAMES(EXE + 1), STACK_END_ROOT);
	struct made_sample last = late;

	last.record.time_ns = 2000;
	late.record.time_ns = 1000;
	mapset__ref(before.maps);
	strcpy(s->process.comm, "after");
	mapset__unref(s->process.maps, s->objects);
	assert_int_equal(mapset__new(&s->process.maps), 0);
	assert_int_equal(window__add(s->w, &s->process, &last.record), 0);
	assert_int_equal(window__add(s->w, &before, &late.record), 0);
	assert_int_equal(s->w->n_processes, 1);
	assert_int_equal(s->w->processes[0].n_samples, 2);
	assert_string_equal(s->w->processes[0].comm, "after");
	assert_ptr_equal(s->w->processes[0].maps, s->process.maps);
	mapset__unref(before.maps, s->objects);
}

/* Each sample keeps the tables of all its frames in use, not only those of new frames. */
static void samples_use_the_tables_of_their_frames(void **state)
{
	struct scene *s = *state;
	struct unwind_file exe = {.n_refs = 1}, lib = {.n_refs = 1};
	struct made_sample sample = made_sample(s->process.tgid, s->process.tgid, "t", NO_FRAMES,
						FRAMES(LIB + 1, EXE + 2), STACK_END_ROOT);

	s->exe->unwind = &exe;
	s->lib->unwind = &lib;
	for (uint64_t t = 1000; t < 1003; t++) {
		sample.record.time_ns = t;
		assert_int_equal(window__add(s->w, &s->process, &sample.record), 0);
		assert_int_equal(exe.used_ns, t);
		assert_int_equal(lib.used_ns, t);
	}
	sample.record.time_ns = 500; /* one that had to wait */
	assert_int_equal(window__add(s->w, &s->process, &sample.record), 0);
	assert_int_equal(exe.used_ns, 1002);
	s->exe->unwind = s->lib->unwind = NULL;
}

static void a_reused_tgid_is_another_process(void **state)
{
	struct scene *s = *state;

	count_user(s, FRAMES(EXE), STACK_END_ROOT);
	s->process.start_ns++;
	count_user(s, FRAMES(EXE), STACK_END_ROOT);
	assert_int_equal(s->w->n_processes, 2);
	assert_int_equal(s->w->n_threads, 2);
	assert_int_equal(s->w->n_stacks, 2);
	assert_int_equal(s->w->n_nodes, 1);
}

/* However many frames lie in an object: one entry, in the order of the serials, with what is open
 * of it. */
static void close_lists_each_object_once(void **state)
{
	struct scene *s = *state;

	s->exe->fd = 123; /* as if pinned; not ours to close */
	for (uint64_t i = 0; i < 50; i++)
		count_user(s, FRAMES(LIB + i, EXE + 1 + i), STACK_END_ROOT);
	assert_int_equal(window__close(s->w, 60), 0);
	assert_int_equal(s->w->n_objects, 2);
	assert_ptr_equal(s->w->objects[0].object, s->exe);
	assert_ptr_equal(s->w->objects[1].object, s->lib);
	assert_int_equal(s->w->objects[0].fd, 123);
	assert_int_equal(s->w->objects[1].fd, -1);
	s->exe->fd = -1;
}

static uint64_t sum_of_counts(const struct window *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->n_stacks; i++)
		n += w->stacks[i].count;
	return n;
}

/* Over the limit a sample keeps its process and its time and loses its stack. */
static void at_the_limit_samples_overflow(void **state)
{
	struct scene *s = *state;
	struct made_sample deep = {.record = {.tgid = 42, .tid = 42, .n_user = USER_FRAMES_MAX}};
	const struct window_frame *f[8];
	uint64_t n = 0;

	while (!s->w->n_overflow) {
		assert_true(n < 2000);
		/* Different from the root on, so that nothing is shared. */
		for (size_t i = 0; i < USER_FRAMES_MAX; i++)
			deep.frames[i] = EXE + 1 + (n + i) % 4000;
		deep.frames[USER_FRAMES_MAX - 1] = EXE + 1 + n;
		count(s, &deep);
		n++;
	}
	assert_in_range(s->w->n_nodes, WINDOW_NODES_MAX - 2 * USER_FRAMES_MAX, WINDOW_NODES_MAX);
	assert_int_equal(frames_of(s->w, s->w->n_stacks - 1, f, ARRAY_SIZE(f)), 1);
	frame_is(f[0], FRAME_OVERFLOW, 0, NULL);
	for (int i = 0; i < 100; i++)
		count(s, &deep);
	assert_int_equal(s->w->n_overflow, 101);
	assert_int_equal(s->w->n_samples, n + 100);
	assert_int_equal(s->w->processes[0].n_samples, n + 100);
	assert_int_equal(sum_of_counts(s->w), n + 100);
	assert_true(s->w->n_nodes <= WINDOW_NODES_MAX);
	/* A shallow stack still finds room. */
	count_user(s, FRAMES(EXE), STACK_END_ROOT);
	assert_int_equal(s->w->n_overflow, 101);
}

/* So do samples of more threads than there is room for: under a process of their own. */
static void too_many_threads_overflow(void **state)
{
	struct scene *s = *state;
	struct made_sample sample =
	    made_sample(42, 0, "exe", NO_FRAMES, FRAMES(EXE), STACK_END_ROOT);
	const struct window_frame *f[8];

	for (uint32_t i = 0; i < WINDOW_THREADS_MAX + 50; i++) {
		sample.record.tid = i + 1;
		count(s, &sample);
	}
	assert_in_range(s->w->n_threads, WINDOW_THREADS_MAX, WINDOW_THREADS_MAX + 1);
	assert_int_equal(s->w->n_overflow, 50);
	assert_int_equal(s->w->n_processes, 2);
	assert_string_equal(s->w->processes[1].comm, "[overflow]");
	assert_int_equal(s->w->processes[1].n_samples, 50);
	assert_int_equal(frames_of(s->w, s->w->n_stacks - 1, f, ARRAY_SIZE(f)), 1);
	frame_is(f[0], FRAME_OVERFLOW, 0, NULL);
	assert_int_equal(s->w->n_samples, WINDOW_THREADS_MAX + 50);
	assert_int_equal(sum_of_counts(s->w), WINDOW_THREADS_MAX + 50);
}

/* Random samples of a few processes, threads and depths: nothing is lost or counted twice. */
static void frames_have_the_samples_that_pass_through_them(void **state)
{
	struct scene *s = *state;
	uint64_t *samples;

	assert_int_equal(window__frame_samples(s->w, &samples), 0);
	free(samples);
	for (int i = 0; i < 3; i++)
		count_user(s, FRAMES(EXE + 0x10), STACK_END_ROOT);
	count_user(s, FRAMES(LIB + 0x10, EXE + 0x11), STACK_END_ROOT);
	count_user(s, FRAMES(LIB + 0x20, EXE + 0x11), STACK_END_ROOT);
	assert_int_equal(window__frame_samples(s->w, &samples), 0);
	assert_int_equal(s->w->n_frames, 3);
	assert_int_equal(samples[0], 5);
	assert_int_equal(samples[1], 1);
	assert_int_equal(samples[2], 1);
	free(samples);
}

static void counts_add_up(void **state)
{
	struct scene *s = *state;
	uint64_t by_tgid[4] = {0}, by_process[4] = {0};

	srand(3);
	for (int i = 0; i < 20000; i++) {
		struct made_sample sample = {
		    .record = {.tid = 1 + (uint32_t)rand() % 5,
			       .n_kernel = (uint16_t)(rand() % 4),
			       .n_user = (uint16_t)(rand() % 6),
			       .user_end = (uint8_t)(rand() % STACK_END_NO_MAPPING)}};

		for (unsigned k = 0; k < sample.record.n_kernel; k++)
			sample.frames[k] = KERNEL + (uint64_t)rand() % 8;
		for (unsigned k = 0; k < sample.record.n_user; k++)
			sample.frames[sample.record.n_kernel + k] =
			    (rand() % 8 ? EXE : 0x1000) + (uint64_t)rand() % 8;
		s->process.tgid = (uint32_t)rand() % 4;
		by_tgid[s->process.tgid]++;
		count(s, &sample);
	}
	assert_int_equal(s->w->n_samples, 20000);
	assert_int_equal(sum_of_counts(s->w), 20000);
	assert_int_equal(s->w->n_processes, 4);
	assert_int_equal(s->w->n_threads, 20);
	for (size_t i = 0; i < s->w->n_stacks; i++)
		by_process[s->w->threads[s->w->stacks[i].thread].process] += s->w->stacks[i].count;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(by_process[i], s->w->processes[i].n_samples);
		assert_int_equal(by_tgid[s->w->processes[i].tgid], by_process[i]);
	}
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

#define JIT 0x7f1000000000

/* A sample of process TGID, which shares its mappings with the scene's, at TIME_NS in JIT code. */
static const struct window_frame *jit_frame(struct scene *s, uint32_t tgid, uint64_t time_ns)
{
	struct made_sample sample =
	    made_sample(tgid, tgid, "exe", NO_FRAMES, FRAMES(JIT + 8), STACK_END_ROOT);
	struct process p = s->process;
	size_t before = s->w->n_frames;

	p.tgid = tgid;
	sample.record.time_ns = time_ns;
	assert_int_equal(window__add(s->w, &p, &sample.record), 0);
	return s->w->n_frames > before ? &s->w->frames[before] : NULL;
}

static void map_jit(struct scene *s)
{
	struct object *anon = made_object(s->objects, "//anon", 0);

	assert_int_equal(mapset__add(&s->process.maps, s->objects, JIT, JIT + 4096, 0, anon), 0);
	objects__unref(s->objects, anon);
}

/* A child has the mapping of its parent, and its own code in it by now. */
static void code_of_runtimes_is_each_process_s_own(void **state)
{
	struct scene *s = *state;
	const struct window_frame *f;

	map_jit(s);
	count_user(s, FRAMES(EXE + 0x10), STACK_END_ROOT);
	assert_int_equal(s->w->frames[0].process, WINDOW_NO_PROCESS);
	f = jit_frame(s, 42, 7);
	assert_int_equal(f->process, 0);
	assert_int_equal(f->time_ns, 7);
	assert_false(f->is_timed);
	assert_null(jit_frame(s, 42, 7 + 10 * WINDOW_JIT_NS));
	assert_int_equal(jit_frame(s, 43, 9)->process, 1);
	assert_int_equal(window__close(s->w, 1), 0);
	assert_int_equal(s->w->processes[0].map_fd, -1);
	assert_int_equal(s->w->processes[0].dump_fd, -1);
}

/* Where somebody can tell what was there when, the time matters. */
static void and_each_time_s_own_where_there_is_a_jitdump(void **state)
{
	struct scene *s = *state;
	struct object *dump = made_object(s->objects, "/tmp/jit-42.dump", 3);
	uint64_t t = 70 * WINDOW_JIT_NS;

	map_jit(s);
	jit_frame(s, 42, t);
	objects__opened(s->objects, dump, open("/dev/null", O_RDONLY | O_CLOEXEC));
	s->w->processes[0].jit.dump = dump; /* the window's reference */
	assert_int_equal(jit_frame(s, 42, t)->time_ns, t);
	assert_true(s->w->frames[1].is_timed);
	assert_null(jit_frame(s, 42, t + WINDOW_JIT_NS - 1));
	assert_int_equal(jit_frame(s, 42, t + WINDOW_JIT_NS)->time_ns, t + WINDOW_JIT_NS);
	assert_int_equal(s->w->n_frames, 3);
	assert_int_equal(window__close(s->w, 1), 0);
	assert_int_equal(s->w->processes[0].dump_fd, dump->fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(starts_empty),
	    in_scene(equal_stacks_are_counted_not_kept),
	    in_scene(callers_are_placed_in_their_call),
	    in_scene(only_kernel_frames),
	    in_scene(no_frames_at_all),
	    in_scene(truncated_stacks_say_so_at_the_root),
	    in_scene(cut_where_it_leaves_the_mappings),
	    in_scene(the_interrupted_instruction_stays),
	    in_scene(threads_by_number_and_name),
	    in_scene(a_process_is_as_it_was_at_its_last_sample),
	    in_scene(a_late_sample_does_not_rename_a_process),
	    in_scene(samples_use_the_tables_of_their_frames),
	    in_scene(a_reused_tgid_is_another_process),
	    in_scene(close_lists_each_object_once),
	    in_scene(at_the_limit_samples_overflow),
	    in_scene(too_many_threads_overflow),
	    in_scene(frames_have_the_samples_that_pass_through_them),
	    in_scene(counts_add_up),
	    in_scene(code_of_runtimes_is_each_process_s_own),
	    in_scene(and_each_time_s_own_where_there_is_a_jitdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
