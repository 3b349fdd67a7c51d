/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/jit_namer: frames that lie in a runtime's code have the names it gives them. */
#include "daemon/collector/jit_namer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/made_jitdump.h"
#include "tests/unit/self_window.h"

#define JIT 0x7f1000000000
#define SECOND NSEC_PER_SEC

struct scene {
	struct self_window self;
	struct symbolizer_client *client;
	struct names *names;
	struct jit_namer namer;
	struct jit_namer_counts counts;
	uint32_t chains[64];
};

static int free_scene(void **state)
{
	struct scene *s = *state;

	symbolizer_client__free(s->client);
	names__free(s->names);
	self_window__fini(&s->self);
	free(s);
	return 0;
}

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct object *anon;
	char path[4096];

	*state = s;
	if (!s || self_window__init(&s->self) < 0 || names__new(&s->names) < 0)
		return -1;
	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		return -1;
	}
	if (symbolizer_client__new(&s->client, path, NULL, NULL) < 0)
		return -1;
	anon = made_object(s->self.objects, "//anon", 0);
	if (mapset__add(&s->self.process->maps, s->self.objects, JIT, JIT + 0x10000, 0, anon) < 0)
		return -1;
	objects__unref(s->self.objects, anon);
	return 0;
}

/* A sample of process TGID at ADDR and TIME_NS. */
static void count(struct scene *s, uint32_t tgid, uint64_t addr, uint64_t time_ns)
{
	struct made_sample sample =
	    made_sample(0, 1, "self", NO_FRAMES, FRAMES(addr), STACK_END_ROOT);

	sample.record.time_ns = time_ns;
	assert_int_equal(self_window__count(&s->self, tgid, "self", &sample, 1), 0);
}

/* An object of the file FD, which goes over to it. */
static struct object *object_of(struct scene *s, const char *path, uint64_t ino, int fd)
{
	struct object *o = made_object(s->self.objects, path, ino);

	objects__opened(s->self.objects, o, fd);
	return o;
}

static int made_map(const char *text)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_int_equal(write_full(fd, text, strlen(text)), (int64_t)strlen(text));
	return fd;
}

static const char *name_of(const struct scene *s, size_t frame)
{
	const struct names_chain *c = &s->names->chains[s->chains[frame]];

	return names__text(s->names, s->names->functions[s->names->lines[c->first].function].name);
}

static void name_until(struct scene *s, uint64_t deadline_ns)
{
	uint32_t anonymous;

	assert_int_equal(names__plain(s->names, "[anonymous code]", NAME_PSEUDO, &anonymous), 0);
	for (size_t i = 0; i < s->self.w->n_frames; i++)
		s->chains[i] = anonymous;
	assert_int_equal(window__close(s->self.w, 1), 0);
	assert_int_equal(jit_namer__window(&s->namer, s->client, s->names, s->self.w, deadline_ns,
					   s->chains, &s->counts),
			 0);
}

static void name(struct scene *s)
{
	name_until(s, UINT64_MAX);
}

static void nothing_to_be_named(void **state)
{
	struct scene *s = *state;

	count(s, 1, JIT + 0x10, 1);
	count(s, 1, self_pc(), 1);
	name(s);
	assert_string_equal(name_of(s, 0), "[anonymous code]");
	assert_int_equal(s->counts.n_late + s->counts.n_bad + s->counts.n_cut, 0);
}

/* Two processes with one mapping, each with a map of its own. */
static void by_the_map_of_each_process(void **state)
{
	struct scene *s = *state;

	for (uint32_t tgid = 1; tgid <= 3; tgid++)
		count(s, tgid, JIT + 0x18, 1);
	count(s, 1, JIT + 0x28, 1);
	s->self.w->processes[0].jit.map =
	    object_of(s, "/a.map", 1, made_map("7f1000000010 10 of the first\n"));
	s->self.w->processes[1].jit.map =
	    object_of(s, "/b.map", 2, made_map("7f1000000010 10 of the second\n"));
	name(s);
	assert_string_equal(name_of(s, 0), "of the first");
	assert_string_equal(name_of(s, 1), "of the second");
	assert_string_equal(name_of(s, 2), "[anonymous code]");
	assert_string_equal(name_of(s, 3), "[anonymous code]");
	assert_int_equal(s->names->chains[s->chains[0]].source, NAME_JIT);
}

static void by_the_time(void **state)
{
	struct scene *s = *state;
	int fd = made_jitdump();

	jitdump_put_load(fd, 10 * SECOND, JIT, 16, "early");
	jitdump_put_load(fd, 20 * SECOND, JIT, 16, "late");
	count(s, 1, JIT + 4, 12 * SECOND); /* told of later, but it was then */
	s->self.w->processes[0].jit.dump = object_of(s, "/jit-1.dump", 1, fd);
	count(s, 1, JIT + 4, 15 * SECOND);
	count(s, 1, JIT + 4, 25 * SECOND);
	name(s);
	assert_string_equal(name_of(s, 0), "early");
	assert_string_equal(name_of(s, 1), "early");
	assert_string_equal(name_of(s, 2), "late");
}

/* A deleted program has its names from the program. */
static void a_name_from_elsewhere_stays(void **state)
{
	struct scene *s = *state;
	struct names_line line = {0};

	count(s, 1, JIT + 0x18, 1);
	s->self.w->processes[0].jit.map =
	    object_of(s, "/a.map", 1, made_map("7f1000000010 10 of the map\n"));
	assert_int_equal(window__close(s->self.w, 1), 0);
	assert_int_equal(names__function(s->names, "known", "", "", 0, &line.function), 0);
	assert_int_equal(names__chain(s->names, &line, 1, NAME_DWARF, &s->chains[0]), 0);
	assert_int_equal(jit_namer__window(&s->namer, s->client, s->names, s->self.w, UINT64_MAX,
					   s->chains, &s->counts),
			 0);
	assert_string_equal(name_of(s, 0), "known");
}

/* A file that is none is asked about once; one that grows each time. */
static void from_window_to_window(void **state)
{
	struct scene *s = *state;
	int fd = made_map("");
	struct object *map = object_of(s, "/a.map", 1, fd);
	struct object *bad = object_of(s, "/jit-1.dump", 2, made_map("no jitdump"));

	for (int i = 0; i < 3; i++) {
		count(s, 1, JIT + 0x18, 1);
		count(s, 2, JIT + 0x18, 1);
		s->self.w->processes[0].jit.map = map;
		s->self.w->processes[1].jit.dump = bad;
		objects__ref(map);
		objects__ref(bad);
		name(s);
		assert_string_equal(name_of(s, 0), i == 0   ? "[anonymous code]"
						   : i == 1 ? "one"
							    : "two");
		assert_string_equal(name_of(s, 1), "[anonymous code]");
		assert_int_equal(s->namer.n_bad, 1);
		assert_int_equal(s->counts.n_bad, 0); /* it did not die of it */
		window__free(s->self.w);
		assert_int_equal(self_window__new_window(&s->self), 0);
		jitdump_put(fd, i == 0 ? "7f1000000010 10 one\n" : "7f1000000010 10 two\n", 20);
	}
	objects__unref(s->self.objects, map);
	objects__unref(s->self.objects, bad);
}

static void no_time_left(void **state)
{
	struct scene *s = *state;

	count(s, 1, JIT + 0x18, 1);
	s->self.w->processes[0].jit.map =
	    object_of(s, "/a.map", 1, made_map("7f1000000010 10 of the map\n"));
	name_until(s, clock_ns(CLOCK_MONOTONIC) - 1);
	assert_string_equal(name_of(s, 0), "[anonymous code]");
	assert_int_equal(s->counts.n_late, 1);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(nothing_to_be_named),   in_scene(by_the_map_of_each_process),
	    in_scene(by_the_time),	     in_scene(a_name_from_elsewhere_stays),
	    in_scene(from_window_to_window), in_scene(no_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
