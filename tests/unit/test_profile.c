/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/profile: what a window becomes in a file, read back with the generated code. */
#include "daemon/collector/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/read_profile.h"
#include "tests/unit/self_window.h"

#define KERNEL 0xffffffff81000000
#define JIT 0x7f1000000000

struct scene {
	struct self_window self;
	struct naming *naming;
	struct named_window named;
	struct profile_writer *writer;
};

static int free_scene(void **state)
{
	struct scene *s = *state;

	profile_writer__free(s->writer);
	naming__free(s->naming);
	self_window__fini(&s->self);
	free(s);
	return 0;
}

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	char path[4096];

	*state = s;
	if (!s || self_window__init(&s->self) < 0)
		return -1;
	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		return -1;
	}
	return naming__new(&s->naming, path, NULL, NULL, NULL);
}

static void count(struct scene *s, uint32_t tgid, const char *comm,
		  const struct made_sample *sample, unsigned n)
{
	assert_int_equal(self_window__count(&s->self, tgid, comm, sample, n), 0);
}

/* A whole user stack: self_inner() in self_outer(), called by _start(). */
static struct made_sample whole_stack(void)
{
	return made_sample(0, 77, "thread-a", NO_FRAMES, FRAMES(self_pc(), self_root()),
			   STACK_END_ROOT);
}

static void prepare(struct scene *s)
{
	assert_int_equal(window__close(s->self.w, 60 * NSEC_PER_SEC), 0);
	assert_int_equal(naming__window(s->naming, s->self.w, &s->named), 0);
	assert_int_equal(profile_writer__new(&s->writer, s->self.w, &s->named, s->naming), 0);
}

/* All processes of the window in one profile. */
static profile *write_all(struct scene *s, uint64_t time_ns)
{
	static const char *const comments[] = {"first line", "second line"};
	cleanup_close int fd = memfd_create("profile", MFD_CLOEXEC);
	uint32_t places[16];
	struct profile_processes ps = {places, s->self.w->n_processes};
	profile *p;

	for (uint32_t i = 0; i < ps.n; i++)
		places[i] = i;
	assert_int_equal(profile_writer__pprof(s->writer, fd, &ps, time_ns, comments, 2), 0);
	p = profile_read(fd);
	assert_non_null(p);
	return p;
}

static void the_header(void **state)
{
	struct scene *s = *state;
	profile *p;

	prepare(s);
	p = write_all(s, 1234567890123456789);
	assert_int_equal(p->time_nanos, 1234567890123456789);
	assert_int_equal(p->duration_nanos, 60 * NSEC_PER_SEC);
	assert_int_equal(p->period, SELF_PERIOD_NS);
	assert_int_equal(p->n_comment, 2);
	assert_string_equal(profile_string(p, p->comment[1]), "second line");
	assert_int_equal(p->n_sample, 0);
	profile_free(p);
	assert_null(profile_writer__free(NULL));
}

/* Count and time, the stack leaf first, and who it was. */
static void a_sample(void **state)
{
	struct made_sample sample = whole_stack();
	struct scene *s = *state;
	const profile_sample *one;
	int64_t num = 0;
	profile *p;

	count(s, 4242, "program", &sample, 3);
	prepare(s);
	p = write_all(s, 1);
	assert_int_equal(p->n_sample, 1);
	one = p->sample[0];
	assert_int_equal(one->n_value, 2);
	assert_int_equal(one->value[0], 3);
	assert_int_equal(one->value[1], 3 * SELF_PERIOD_NS);
	assert_int_equal(one->n_location_id, 2);
	assert_string_equal(profile_name(p, one, 0, 0), "self_inner");
	assert_string_equal(profile_name(p, one, 0, 1), "self_outer");
	assert_string_equal(profile_name(p, one, 1, 0), "_start");
	assert_non_null(profile_label(p, one, "pid", &num));
	assert_int_equal(num, 4242);
	assert_non_null(profile_label(p, one, "tid", &num));
	assert_int_equal(num, 77);
	assert_string_equal(profile_label(p, one, "thread", NULL), "thread-a");
	assert_string_equal(profile_label(p, one, "comm", NULL), "program");
	assert_string_equal(profile_label(p, one, "class", NULL), "app");
	profile_free(p);
}

/* The leaf is where it was interrupted, a caller in its call: never a return address. */
static void addresses_and_lines(void **state)
{
	struct made_sample sample = whole_stack();
	struct scene *s = *state;
	const profile_location *leaf, *caller;
	profile *p;

	count(s, 1, "p", &sample, 1);
	prepare(s);
	p = write_all(s, 1);
	leaf = profile_location_of(p, p->sample[0], 0);
	caller = profile_location_of(p, p->sample[0], 1);
	assert_int_equal(leaf->address, self_pc());
	assert_int_equal(caller->address, self_root() - 1);
	assert_int_equal(leaf->n_line, 2);
	assert_int_equal(leaf->line[0]->line, SELF_INNER_LINE + 2);
	assert_int_equal(leaf->line[1]->line, SELF_OUTER_LINE + 2);
	assert_int_equal(p->function[leaf->line[1]->function_id - 1]->start_line, SELF_OUTER_LINE);
	assert_int_equal(leaf->mapping_id, 1);
	assert_int_equal(caller->mapping_id, 1);
	for (size_t i = 0; i < p->n_location; i++)
		assert_true(p->location[i]->id == i + 1 && p->location[i]->n_line > 0);
	profile_free(p);
}

static void mapping_is(const profile *p, size_t i, const struct mapping *m)
{
	assert_int_equal(p->mapping[i]->id, i + 1);
	assert_int_equal(p->mapping[i]->memory_start, m->start);
	assert_int_equal(p->mapping[i]->memory_limit, m->end);
	assert_string_equal(profile_string(p, p->mapping[i]->filename), m->object->id.path);
}

/* The main binary, every other executable mapping, and the kernel; each once. */
static void mappings_in_order(void **state)
{
	struct made_sample sample =
	    made_sample(0, 1, "t", FRAMES(KERNEL + 0x100), FRAMES(self_pc()), STACK_END_ROOT);
	struct scene *s = *state;
	const struct mapset *maps = s->self.process->maps;
	size_t n_named = 0;
	profile *p;

	count(s, 1, "p", &sample, 2);
	prepare(s);
	p = write_all(s, 1);
	assert_int_equal(p->n_mapping, maps->n + 1);
	mapping_is(p, 0, maps->exe);
	assert_int_equal(p->mapping[0]->file_offset, maps->exe->off);
	for (size_t i = 0; i < maps->n; i++)
		for (size_t k = 0; k < p->n_mapping; k++)
			n_named += p->mapping[k]->memory_start == maps->mappings[i]->start;
	assert_int_equal(n_named, maps->n);
	assert_true(p->mapping[maps->n]->memory_start >= 0xffff000000000000);
	assert_int_equal(profile_string(p, p->mapping[maps->n]->filename)[0], '[');
	for (size_t i = 0; i < p->n_mapping; i++)
		assert_true(p->mapping[i]->has_functions && p->mapping[i]->has_filenames &&
			    p->mapping[i]->has_line_numbers && p->mapping[i]->has_inline_frames);
	assert_string_equal(profile_label(p, p->sample[0], "class", NULL), "kernel");
	assert_int_equal(profile_location_of(p, p->sample[0], 0)->mapping_id, maps->n + 1);
	profile_free(p);
}

static void the_suffix_of_deleted_files_goes(void **state)
{
	struct scene *s = *state;
	struct object *gone = made_object(s->self.objects, "/tmp/plugin.so (deleted)", 5);
	struct made_sample sample =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(0x1800), STACK_END_BAD_CFA);
	bool found = false;
	profile *p;

	assert_int_equal(
	    mapset__add(&s->self.process->maps, s->self.objects, 0x1000, 0x2000, 0, gone), 0);
	objects__unref(s->self.objects, gone);
	count(s, 1, "p", &sample, 1);
	prepare(s);
	p = write_all(s, 1);
	for (size_t i = 0; i < p->n_mapping; i++)
		found |= !strcmp(profile_string(p, p->mapping[i]->filename), "/tmp/plugin.so");
	assert_true(found);
	profile_free(p);
}

/* Samples lie in mappings that the process no longer has: those are in the profile, too. */
static void mappings_that_are_gone(void **state)
{
	struct made_sample sample = whole_stack();
	struct scene *s = *state;
	struct mapset *before = s->self.process->maps, *empty = NULL;
	profile *p;

	count(s, 1, "p", &sample, 1);
	assert_int_equal(mapset__new(&empty), 0);
	s->self.process->maps = empty;
	sample = made_sample(0, 1, "t", NO_FRAMES, NO_FRAMES, STACK_END_BAD_CFA);
	count(s, 1, "p", &sample, 1);
	prepare(s);
	p = write_all(s, 1);
	s->self.process->maps = before;
	mapset__unref(empty, s->self.objects);
	assert_int_equal(p->n_mapping, 1);
	assert_int_equal(profile_location_of(p, p->sample[0], 0)->mapping_id, 1);
	profile_free(p);
}

/* Synthetic frames lie nowhere. An end that says nothing is left out below a first function. */
static void truncated_stacks(void **state)
{
	struct made_sample cut =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(self_pc()), STACK_END_BAD_CFA);
	struct made_sample rooted =
	    made_sample(0, 2, "t", NO_FRAMES, FRAMES(self_pc(), self_root()), STACK_END_BAD_CFA);
	struct scene *s = *state;
	const profile_location *end;
	profile *p;

	count(s, 1, "p", &cut, 1);
	count(s, 1, "p", &rooted, 1);
	prepare(s);
	p = write_all(s, 1);
	assert_int_equal(p->n_sample, 2);
	assert_int_equal(p->sample[0]->n_location_id, 2);
	end = profile_location_of(p, p->sample[0], 1);
	assert_string_equal(profile_name(p, p->sample[0], 1, 0), "[truncated: bad CFA]");
	assert_int_equal(end->mapping_id, 0);
	assert_int_equal(end->address, 0);
	assert_int_equal(p->sample[1]->n_location_id, 2);
	assert_string_equal(profile_name(p, p->sample[1], 1, 0), "_start");
	assert_int_equal(profile_stack_end(s->self.w, &s->named, s->self.w->stacks[0].node),
			 STACK_END_BAD_CFA);
	assert_int_equal(profile_stack_end(s->self.w, &s->named, s->self.w->stacks[1].node),
			 STACK_END_ROOT);
	profile_free(p);
}

static void what_is_rooted(void **state)
{
	struct made_sample whole = whole_stack();
	struct made_sample kthread =
	    made_sample(0, 1, "t", FRAMES(KERNEL), NO_FRAMES, STACK_END_NO_USER);
	struct made_sample bare =
	    made_sample(0, 1, "t", NO_FRAMES, NO_FRAMES, STACK_END_UNREADABLE);
	struct scene *s = *state;

	count(s, 1, "p", &whole, 1);
	count(s, 2, "k", &kthread, 1);
	count(s, 1, "p", &bare, 1);
	prepare(s);
	assert_int_equal(profile_stack_end(s->self.w, &s->named, s->self.w->stacks[0].node),
			 STACK_END_ROOT);
	assert_int_equal(profile_stack_end(s->self.w, &s->named, s->self.w->stacks[1].node),
			 STACK_END_ROOT);
	assert_int_equal(profile_stack_end(s->self.w, &s->named, s->self.w->stacks[2].node),
			 STACK_END_UNREADABLE);
}

/* The file of the mapping in which the leaf of a sample lies. */
static const char *mapping_of(const profile *p, const profile_sample *sample)
{
	uint64_t id = profile_location_of(p, sample, 0)->mapping_id;

	assert_true(id > 0 && id <= p->n_mapping && p->mapping[id - 1]->id == id);
	return profile_string(p, p->mapping[id - 1]->filename);
}

/* A mapping in which a runtime has named code is called so, whatever it shows. */
static void code_that_a_runtime_named(void **state)
{
	struct scene *s = *state;
	struct object *anon = made_object(s->self.objects, "//anon", 0);
	struct object *map = made_object(s->self.objects, "/perf-1.map", 1);
	struct made_sample named =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(JIT + 8), STACK_END_ROOT);
	struct made_sample unnamed =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(JIT + 0x10000), STACK_END_ROOT);
	int fd = memfd_create("map", MFD_CLOEXEC);
	profile *p;

	assert_int_equal(write_full(fd, "7f1000000000 10 made\n", 21), 21);
	objects__opened(s->self.objects, map, fd);
	for (int i = 0; i < 2; i++)
		assert_int_equal(mapset__add(&s->self.process->maps, s->self.objects,
					     JIT + i * 0x10000, JIT + 4096 + i * 0x10000, 0, anon),
				 0);
	objects__unref(s->self.objects, anon);
	count(s, 1, "p", &named, 1);
	count(s, 1, "p", &unnamed, 1);
	s->self.w->processes[0].jit.map = map;
	prepare(s);
	p = write_all(s, 1);
	assert_string_equal(profile_name(p, p->sample[0], 0, 0), "made");
	assert_string_equal(mapping_of(p, p->sample[0]), "[jit]");
	assert_string_equal(profile_name(p, p->sample[1], 0, 0), "[anonymous code]");
	assert_string_equal(mapping_of(p, p->sample[1]), "//anon");
	profile_free(p);
}

/* Each process alone, then all together: the sums agree, and a file holds nothing of others. */
static void one_process_of_several(void **state)
{
	static const unsigned n_samples[] = {5, 1, 9};
	struct made_sample sample = whole_stack();
	struct scene *s = *state;
	profile *p;

	for (uint32_t i = 0; i < 3; i++)
		count(s, 100 + i, "p", &sample, n_samples[i]);
	prepare(s);
	for (uint32_t i = 0; i < 3; i++) {
		cleanup_close int fd = memfd_create("profile", MFD_CLOEXEC);
		struct profile_processes one = {&i, 1};
		int64_t pid = 0;

		assert_int_equal(profile_writer__pprof(s->writer, fd, &one, 1, NULL, 0), 0);
		p = profile_read(fd);
		assert_int_equal(profile_total(p), n_samples[i]);
		profile_label(p, p->sample[0], "pid", &pid);
		assert_int_equal(pid, 100 + i);
		profile_free(p);
	}
	p = write_all(s, 1);
	assert_int_equal(profile_total(p), 15);
	assert_int_equal(p->n_location, 2); /* shared */
	profile_free(p);
}

static void the_same_window_gives_the_same_bytes(void **state)
{
	struct made_sample sample = whole_stack();
	char bytes[2][4096];
	int64_t n[2];
	struct scene *s = *state;

	count(s, 1, "p", &sample, 1);
	prepare(s);
	for (int i = 0; i < 2; i++) {
		cleanup_close int fd = memfd_create("profile", MFD_CLOEXEC);
		struct profile_processes one = {(uint32_t[]){0}, 1};

		assert_int_equal(profile_writer__pprof(s->writer, fd, &one, 1, NULL, 0), 0);
		n[i] = pread_full(fd, bytes[i], sizeof(bytes[i]), 0);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], (size_t)n[0]);
}

static void folded(struct scene *s, const char *want)
{
	cleanup_close int fd = memfd_create("folded", MFD_CLOEXEC);
	struct profile_processes one = {(uint32_t[]){0}, 1};
	char text[4096];
	int64_t n;

	assert_int_equal(profile_writer__folded(s->writer, fd, &one), 0);
	n = pread_full(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

/* Outermost first, inlined calls as frames, and nothing that would break a line or a field. */
static void folded_stacks(void **state)
{
	struct made_sample whole = whole_stack();
	struct made_sample cut =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(self_pc()), STACK_END_UNREADABLE);
	struct scene *s = *state;

	count(s, 1, "odd;na\nme", &whole, 3);
	count(s, 1, "odd;na\nme", &cut, 1);
	prepare(s);
	folded(s, "odd:na\\x0ame;_start;self_outer;self_inner 3\n"
		  "odd:na\\x0ame;[truncated: stack unreadable];self_outer;self_inner 1\n");
}

/* The reason of a failed write comes through, in both formats and at any size. */
static void a_full_disk_is_said(void **state)
{
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct profile_processes one = {(uint32_t[]){0}, 1};
	struct scene *s = *state;

	for (uint32_t tid = 1; tid < 2000; tid++) {
		struct made_sample sample = whole_stack();

		sample.record.tid = tid;
		count(s, 1, "p", &sample, 1);
	}
	prepare(s);
	assert_int_equal(profile_writer__folded(s->writer, full, &one), -ENOSPC);
	assert_int_equal(profile_writer__pprof(s->writer, full, &one, 1, NULL, 0), -ENOSPC);
	assert_int_equal(profile_writer__folded(s->writer, -1, &one), -EBADF);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(the_header),
	    in_scene(a_sample),
	    in_scene(addresses_and_lines),
	    in_scene(mappings_in_order),
	    in_scene(the_suffix_of_deleted_files_goes),
	    in_scene(mappings_that_are_gone),
	    in_scene(truncated_stacks),
	    in_scene(what_is_rooted),
	    in_scene(code_that_a_runtime_named),
	    in_scene(one_process_of_several),
	    in_scene(the_same_window_gives_the_same_bytes),
	    in_scene(folded_stacks),
	    in_scene(a_full_disk_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
