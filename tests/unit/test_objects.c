/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/objects: mapped files, each once. */
#include "daemon/collector/objects.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/made_sample.h"

static int make_objects(void **state)
{
	return objects__new((struct objects **)state);
}

static int free_objects(void **state)
{
	objects__free(*state);
	return 0;
}

static struct object *get(struct objects *objects, const struct object_id *id)
{
	struct object *o = NULL;

	assert_int_equal(objects__get(objects, id, &o), 0);
	return o;
}

static void a_new_one_is_untried(void **state)
{
	char path[] = "/usr/bin/true";
	struct object_id id = {.path = path, .dev = 1, .ino = 2, .ino_gen = 3};
	struct object *o = get(*state, &id);

	path[0] = 'x'; /* the path was copied */
	assert_string_equal(o->id.path, "/usr/bin/true");
	assert_int_equal(o->id.ino, 2);
	assert_int_equal(o->kind, OBJECT_FILE);
	assert_int_equal(o->open, OBJECT_UNTRIED);
	assert_int_equal(o->fd, -1);
	assert_int_equal(o->n_refs, 1);
	assert_int_equal(objects__count(*state), 1);
	objects__unref(*state, o);
	assert_int_equal(objects__count(*state), 1); /* idle, not gone */
	assert_null(objects__free(NULL));
}

static void each_is_there_once(void **state)
{
	struct object_id id = {.path = "/a", .dev = 1, .ino = 2};
	struct object *o = get(*state, &id), *again = get(*state, &id);

	assert_ptr_equal(o, again);
	assert_int_equal(o->n_refs, 2);
	objects__ref(o);
	assert_int_equal(o->n_refs, 3);
	for (int i = 0; i < 3; i++)
		objects__unref(*state, o);
	assert_ptr_equal(get(*state, &id), o); /* comes back from being idle */
	assert_int_equal(o->n_refs, 1);
	objects__unref(*state, o);
	assert_int_equal(objects__count(*state), 1);
}

/* Any part of the identity that differs makes another object, with a serial of its own. */
static void identity_is_all_of_it(void **state)
{
	struct object_id ids[] = {
	    {.path = "/a", .dev = 1, .ino = 2, .ino_gen = 3},
	    {.path = "/b", .dev = 1, .ino = 2, .ino_gen = 3},
	    {.path = "/a", .dev = 9, .ino = 2, .ino_gen = 3},
	    {.path = "/a", .dev = 1, .ino = 9, .ino_gen = 3},
	    {.path = "/a", .dev = 1, .ino = 2, .ino_gen = 9},
	    {.path = "/a", .build_id = {.size = 2, .bytes = {1, 2}}},
	    {.path = "/a", .build_id = {.size = 2, .bytes = {1, 3}}},
	    {.path = "/a", .build_id = {.size = 3, .bytes = {1, 2}}},
	};
	struct object *made[ARRAY_SIZE(ids)];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		made[i] = get(*state, &ids[i]);
		for (size_t k = 0; k < i; k++) {
			assert_ptr_not_equal(made[i], made[k]);
			assert_true(made[i]->serial > made[k]->serial);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_ptr_equal(get(*state, &ids[i]), made[i]);
		objects__unref(*state, made[i]);
		objects__unref(*state, made[i]);
	}
}

static void kinds_by_path(void **state)
{
	static const struct {
		const char *path;
		enum object_kind kind;
	} cases[] = {
	    {"/usr/bin/x", OBJECT_FILE},
	    {"/tmp/gone (deleted)", OBJECT_FILE},
	    {"[vdso]", OBJECT_VDSO},
	    {"//anon", OBJECT_ANONYMOUS},
	    {"[heap]", OBJECT_ANONYMOUS},
	    {"[stack]", OBJECT_ANONYMOUS},
	    {"/dev/zero (deleted)", OBJECT_ANONYMOUS},
	    {"[uprobes]", OBJECT_ANONYMOUS},
	    {"", OBJECT_ANONYMOUS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object *o = made_object(*state, cases[i].path, 1);

		assert_int_equal(o->kind, cases[i].kind);
		objects__unref(*state, o);
	}
}

/* JIT code, which is written through another mapping, and a program that was put there. */
static void what_is_in_memory(void **state)
{
	for (int shared = 0; shared < 2; shared++) {
		const struct object_id id = {
		    .path = "/memfd:x (deleted)", .ino = 5 + (uint64_t)shared, .is_shared = shared};
		struct object *o;

		assert_int_equal(objects__get(*state, &id, &o), 0);
		assert_int_equal(o->kind, shared ? OBJECT_ANONYMOUS : OBJECT_FILE);
		assert_true(object__is_in_memory(o));
		objects__unref(*state, o);
	}
}

/* What has no name, or one that leads nowhere, may have been made by the process itself. */
static void what_may_be_made_at_run_time(void **state)
{
	static const struct {
		struct object_id id;
		bool may;
	} cases[] = {
	    {{.path = "//anon"}, true},
	    {{.path = "[heap]"}, true},
	    {{.path = "/memfd:x (deleted)", .ino = 1}, true},
	    {{.path = "/memfd:x (deleted)", .ino = 2, .is_shared = true}, true},
	    {{.path = "/tmp/ffi12 (deleted)", .ino = 3}, true},
	    {{.path = "/usr/bin/true", .ino = 4}, false},
	    {{.path = "[vdso]"}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object *o = get(*state, &cases[i].id);

		assert_int_equal(object__may_be_jit(o), cases[i].may);
		objects__unref(*state, o);
	}
}

static struct object *numbered(struct objects *objects, unsigned i)
{
	char path[32];

	snprintf(path, sizeof(path), "/file/%u", i);
	return made_object(objects, path, i + 1);
}

/* The one that has been idle for the longest time goes, and its descriptor with it. */
static void idle_ones_are_bounded(void **state)
{
	struct object *held = numbered(*state, 100000), *o;
	uint64_t first_serial = 0;
	int fd = memfd_create("pinned", MFD_CLOEXEC);

	for (unsigned i = 0; i < OBJECTS_IDLE_MAX; i++) {
		o = numbered(*state, i);
		if (i == 0) {
			objects__opened(*state, o, fd);
			assert_int_equal(o->open, OBJECT_OPEN);
			first_serial = o->serial;
		}
		objects__unref(*state, o);
	}
	assert_int_equal(objects__count(*state), OBJECTS_IDLE_MAX + 1);
	/* Used again, so it is the youngest now, and 1 is the oldest. */
	o = numbered(*state, 0);
	assert_int_equal(o->serial, first_serial);
	assert_int_equal(o->fd, fd);
	objects__unref(*state, o);
	objects__unref(*state, numbered(*state, 1000));
	assert_int_equal(objects__count(*state), OBJECTS_IDLE_MAX + 1);
	o = numbered(*state, 0);
	assert_int_equal(o->serial, first_serial);
	objects__unref(*state, o);
	o = numbered(*state, 1); /* had been dropped: this is a new one, in place of 2 */
	assert_int_equal(o->fd, -1);
	assert_true(o->serial > held->serial + OBJECTS_IDLE_MAX);
	objects__unref(*state, o);
	/* All but the one in use can go. */
	for (unsigned i = 2000; i < 2000 + OBJECTS_IDLE_MAX; i++)
		objects__unref(*state, numbered(*state, i));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_ptr_equal(numbered(*state, 100000), held);
	objects__unref(*state, held);
	objects__unref(*state, held);
	assert_int_equal(objects__count(*state), OBJECTS_IDLE_MAX);
}

/* Those in use are not bounded here: their owners are. */
static void those_in_use_all_stay(void **state)
{
	static struct object *held[4 * OBJECTS_IDLE_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(held); i++)
		held[i] = numbered(*state, i);
	assert_int_equal(objects__count(*state), ARRAY_SIZE(held));
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++)
		objects__unref(*state, held[i]);
	assert_int_equal(objects__count(*state), OBJECTS_IDLE_MAX);
}

/* Descriptors are left to others; idle objects give theirs back first. */
static void open_files_are_bounded(void **state)
{
	struct rlimit before, limit;
	struct objects *objects = NULL;
	struct object *held[OBJECTS_FDS_RESERVED + 100] = {NULL};
	size_t n = 0, n_open = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = OBJECTS_FDS_RESERVED * 2 + 10;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(objects__new(&objects), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (; n < ARRAY_SIZE(held) && objects__may_open(objects); n++, n_open++) {
		held[n] = numbered(objects, (unsigned)n);
		objects__opened(objects, held[n], memfd_create("pinned", MFD_CLOEXEC));
	}
	assert_int_equal(n_open, OBJECTS_FDS_RESERVED + 10);
	assert_int_equal(objects__n_opened(objects), n_open);
	assert_false(objects__may_open(objects));
	objects__unref(objects, held[0]);
	assert_true(objects__may_open(objects));
	assert_int_equal(objects__count(objects), n - 1);
	assert_int_equal(objects__n_opened(objects), n_open); /* it only grows */
	for (size_t i = 1; i < n; i++)
		objects__unref(objects, held[i]);
	objects__free(objects);
}

#define with_objects(fn) cmocka_unit_test_setup_teardown(fn, make_objects, free_objects)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_objects(a_new_one_is_untried),	  with_objects(each_is_there_once),
	    with_objects(identity_is_all_of_it),  with_objects(kinds_by_path),
	    with_objects(what_is_in_memory),	  with_objects(what_may_be_made_at_run_time),
	    with_objects(idle_ones_are_bounded),  with_objects(those_in_use_all_stay),
	    with_objects(open_files_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
