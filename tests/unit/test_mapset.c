/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/mapset: the executable mappings of an address space. */
#include "daemon/collector/mapset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/made_sample.h"

/* A set over three objects; the references that the test itself holds. */
struct space {
	struct objects *objects;
	struct object *exe, *lib, *other;
	struct mapset *set;
};

static int make_space(void **state)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s || objects__new(&s->objects) < 0 || mapset__new(&s->set) < 0)
		return -1;
	s->exe = made_object(s->objects, "/bin/exe", 1);
	s->lib = made_object(s->objects, "/lib/lib.so", 2);
	s->other = made_object(s->objects, "/lib/other.so", 3);
	*state = s;
	return s->exe && s->lib && s->other ? 0 : -1;
}

/* Every mapping gave its reference back: only the test's own are left. */
static int free_space(void **state)
{
	struct space *s = *state;
	int leaked;

	mapset__unref(s->set, s->objects);
	leaked = s->exe->n_refs != 1 || s->lib->n_refs != 1 || s->other->n_refs != 1;
	objects__unref(s->objects, s->exe);
	objects__unref(s->objects, s->lib);
	objects__unref(s->objects, s->other);
	objects__free(s->objects);
	free(s);
	return leaked ? -1 : 0;
}

static void add(struct space *s, uint64_t start, uint64_t end, uint64_t off, struct object *o)
{
	assert_int_equal(mapset__add(&s->set, s->objects, start, end, off, o), 0);
}

static void is(const struct mapset *set, size_t i, uint64_t start, uint64_t end, uint64_t off,
	       const struct object *o)
{
	assert_true(i < set->n);
	assert_int_equal(set->mappings[i]->start, start);
	assert_int_equal(set->mappings[i]->end, end);
	assert_int_equal(set->mappings[i]->off, off);
	assert_ptr_equal(set->mappings[i]->object, o);
}

static void starts_empty(void **state)
{
	struct space *s = *state;

	assert_int_equal(s->set->n, 0);
	assert_null(s->set->exe);
	assert_null(mapset__find(s->set, 0));
	assert_null(mapset__find(s->set, UINT64_MAX));
	mapset__unref(NULL, s->objects);
}

/* A mapping holds [start, end); the set is sorted whatever the order of the calls. */
static void finds_by_address(void **state)
{
	struct space *s = *state;

	add(s, 0x5000, 0x6000, 0x100, s->lib);
	add(s, 0x1000, 0x2000, 0, s->exe);
	add(s, 0x2000, 0x3000, 0, s->other);
	assert_int_equal(s->set->n, 3);
	is(s->set, 0, 0x1000, 0x2000, 0, s->exe);
	is(s->set, 1, 0x2000, 0x3000, 0, s->other);
	is(s->set, 2, 0x5000, 0x6000, 0x100, s->lib);
	assert_null(mapset__find(s->set, 0xfff));
	assert_ptr_equal(mapset__find(s->set, 0x1000), s->set->mappings[0]);
	assert_ptr_equal(mapset__find(s->set, 0x1fff), s->set->mappings[0]);
	assert_ptr_equal(mapset__find(s->set, 0x2000), s->set->mappings[1]);
	assert_null(mapset__find(s->set, 0x3000));
	assert_null(mapset__find(s->set, 0x4fff));
	assert_ptr_equal(mapset__find(s->set, 0x5fff), s->set->mappings[2]);
	assert_null(mapset__find(s->set, 0x6000));
	assert_int_equal(s->exe->n_refs, 2);
}

static void empty_ranges_are_refused(void **state)
{
	struct space *s = *state;

	assert_int_equal(mapset__add(&s->set, s->objects, 5, 5, 0, s->exe), -EINVAL);
	assert_int_equal(mapset__add(&s->set, s->objects, 6, 5, 0, s->exe), -EINVAL);
	assert_int_equal(s->set->n, 0);
	assert_int_equal(s->exe->n_refs, 1);
}

static void covers_what_was_there(void **state)
{
	struct space *s = *state;

	add(s, 0x1000, 0x2000, 0, s->exe);
	add(s, 0x3000, 0x4000, 0, s->exe);
	add(s, 0x1000, 0x5000, 0, s->lib);
	assert_int_equal(s->set->n, 1);
	is(s->set, 0, 0x1000, 0x5000, 0, s->lib);
	assert_int_equal(s->exe->n_refs, 1);
}

/* What sticks out keeps its place in the file. */
static void shortens_on_either_side(void **state)
{
	struct space *s = *state;

	add(s, 0x1000, 0x3000, 0x100000, s->exe);
	add(s, 0x4000, 0x6000, 0x200000, s->other);
	add(s, 0x2000, 0x5000, 0, s->lib);
	assert_int_equal(s->set->n, 3);
	is(s->set, 0, 0x1000, 0x2000, 0x100000, s->exe);
	is(s->set, 1, 0x2000, 0x5000, 0, s->lib);
	is(s->set, 2, 0x5000, 0x6000, 0x201000, s->other);
}

static void splits_in_two(void **state)
{
	struct space *s = *state;

	add(s, 0x1000, 0x9000, 0x100000, s->exe);
	s->set->exe = s->set->mappings[0];
	add(s, 0x3000, 0x4000, 0x7000, s->lib);
	assert_int_equal(s->set->n, 3);
	is(s->set, 0, 0x1000, 0x3000, 0x100000, s->exe);
	is(s->set, 1, 0x3000, 0x4000, 0x7000, s->lib);
	is(s->set, 2, 0x4000, 0x9000, 0x103000, s->exe);
	assert_ptr_equal(s->set->exe, s->set->mappings[0]);
	/* Once more in the right part: the program's own first mapping stays the left one. */
	add(s, 0x5000, 0x6000, 0, s->other);
	assert_int_equal(s->set->n, 5);
	is(s->set, 4, 0x6000, 0x9000, 0x105000, s->exe);
	assert_ptr_equal(s->set->exe, s->set->mappings[0]);
}

static void exe_follows_what_is_left_of_it(void **state)
{
	struct space *s = *state;

	add(s, 0x1000, 0x3000, 0, s->exe);
	s->set->exe = s->set->mappings[0];
	add(s, 0x1000, 0x2000, 0, s->lib);
	assert_ptr_equal(s->set->exe, s->set->mappings[1]);
	is(s->set, 1, 0x2000, 0x3000, 0x1000, s->exe);
	add(s, 0x1800, 0x4000, 0, s->other);
	assert_null(s->set->exe);
}

/* By the scan and by an event: nothing moves, so windows may go on referring to it. */
static void the_same_mapping_told_twice_changes_nothing(void **state)
{
	struct space *s = *state;
	struct mapset *shared;
	struct mapping *m;

	add(s, 0x1000, 0x2000, 0x10, s->exe);
	m = s->set->mappings[0];
	s->set->exe = m;
	shared = s->set;
	mapset__ref(shared);
	add(s, 0x1000, 0x2000, 0x10, s->exe);
	assert_ptr_equal(s->set, shared); /* not even copied */
	assert_ptr_equal(s->set->mappings[0], m);
	assert_ptr_equal(s->set->exe, m);
	mapset__unref(shared, s->objects);
	/* One that differs in anything is another mapping. */
	add(s, 0x1000, 0x2000, 0x20, s->exe);
	assert_int_equal(s->set->n, 1);
	is(s->set, 0, 0x1000, 0x2000, 0x20, s->exe);
	add(s, 0x1000, 0x2000, 0x20, s->lib);
	is(s->set, 0, 0x1000, 0x2000, 0x20, s->lib);
	assert_int_equal(s->set->n, 1);
}

static void is_copied_when_shared_and_changed(void **state)
{
	struct space *s = *state;
	struct mapset *child;

	add(s, 0x1000, 0x3000, 0, s->exe);
	add(s, 0x5000, 0x6000, 0, s->lib);
	s->set->exe = s->set->mappings[0];
	child = s->set;
	mapset__ref(child);
	assert_int_equal(mapset__add(&child, s->objects, 0x2000, 0x2800, 0, s->other), 0);
	assert_ptr_not_equal(child, s->set);
	assert_int_equal(s->set->n_refs, 1);
	assert_int_equal(s->set->n, 2);
	is(s->set, 0, 0x1000, 0x3000, 0, s->exe);
	assert_ptr_equal(s->set->exe, s->set->mappings[0]);
	assert_int_equal(child->n, 4);
	assert_ptr_equal(child->exe, child->mappings[0]);
	is(child, 0, 0x1000, 0x2000, 0, s->exe);
	is(child, 2, 0x2800, 0x3000, 0x1800, s->exe);
	/* What was not touched is one mapping in both. */
	assert_ptr_equal(child->mappings[3], s->set->mappings[1]);
	assert_int_equal(child->mappings[3]->n_refs, 2);
	/* The parent's change does not reach the child either. */
	add(s, 0x5000, 0x6000, 0, s->other);
	is(child, 3, 0x5000, 0x6000, 0, s->lib);
	mapset__unref(child, s->objects);
}

/* A window keeps what its samples lie in, after the process has changed or gone. */
static void a_mapping_outlives_its_set(void **state)
{
	struct space *s = *state;
	struct mapping *kept;

	add(s, 0x1000, 0x3000, 0x40, s->exe);
	kept = mapset__find(s->set, 0x1000);
	mapping__ref(kept);
	add(s, 0x2000, 0x4000, 0, s->lib);
	assert_int_equal(kept->end, 0x3000); /* never changes once it is made */
	mapset__unref(s->set, s->objects);
	assert_int_equal(mapset__new(&s->set), 0);
	assert_ptr_equal(kept->object, s->exe);
	assert_int_equal(kept->n_refs, 1);
	assert_int_equal(s->exe->n_refs, 2);
	mapping__unref(kept, s->objects);
	assert_int_equal(s->exe->n_refs, 1);
}

static void is_bounded(void **state)
{
	struct space *s = *state;

	for (uint64_t i = 0; i < MAPSET_MAX; i++)
		add(s, i * 16, i * 16 + 8, 0, s->exe);
	assert_int_equal(s->set->n, MAPSET_MAX);
	assert_int_equal(
	    mapset__add(&s->set, s->objects, MAPSET_MAX * 16, MAPSET_MAX * 16 + 8, 0, s->lib),
	    -E2BIG);
	assert_int_equal(s->set->n, MAPSET_MAX);
	assert_int_equal(s->lib->n_refs, 1);
	assert_ptr_equal(mapset__find(s->set, 16 * 12345 + 7)->object, s->exe);
	assert_null(mapset__find(s->set, 16 * 12345 + 8));
}

#define PAGES 64

/* What each page should hold: the object and the offset, or NULL. */
struct page {
	struct object *object;
	uint64_t off;
};

static void equals_model(const struct mapset *set, const struct page *pages)
{
	for (uint64_t p = 0; p < PAGES; p++) {
		const struct mapping *m = mapset__find(set, p * 4096 + 17);

		if (!pages[p].object) {
			assert_null(m);
			continue;
		}
		assert_non_null(m);
		assert_ptr_equal(m->object, pages[p].object);
		assert_int_equal(m->off + p * 4096 - m->start, pages[p].off);
	}
	for (size_t i = 1; i < set->n; i++)
		assert_true(set->mappings[i - 1]->end <= set->mappings[i]->start);
}

/* Thousands of random mappings, held against one that remembers page by page, with a copy taken
 * every now and then that must not change. */
static void equals_a_page_table(void **state)
{
	struct space *s = *state;
	struct object *objects[] = {s->exe, s->lib, s->other};
	struct page now[PAGES] = {{0}}, before[PAGES] = {{0}};
	struct mapset *copy = s->set;

	srand(7);
	mapset__ref(copy);
	for (int round = 0; round < 4000; round++) {
		uint64_t first = (uint64_t)rand() % PAGES, n = 1 + (uint64_t)rand() % 9;
		uint64_t off = (uint64_t)(rand() % 100) * 4096;
		struct object *o = objects[rand() % 3];

		if (first + n > PAGES)
			n = PAGES - first;
		add(s, first * 4096, (first + n) * 4096, off, o);
		for (uint64_t p = 0; p < n; p++)
			now[first + p] = (struct page){o, off + p * 4096};
		equals_model(s->set, now);
		if (round % 50)
			continue;
		equals_model(copy, before);
		mapset__unref(copy, s->objects);
		copy = s->set;
		mapset__ref(copy);
		memcpy(before, now, sizeof(now));
	}
	mapset__unref(copy, s->objects);
}

#define in_space(fn) cmocka_unit_test_setup_teardown(fn, make_space, free_space)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_space(starts_empty),
	    in_space(finds_by_address),
	    in_space(empty_ranges_are_refused),
	    in_space(covers_what_was_there),
	    in_space(shortens_on_either_side),
	    in_space(splits_in_two),
	    in_space(exe_follows_what_is_left_of_it),
	    in_space(the_same_mapping_told_twice_changes_nothing),
	    in_space(is_copied_when_shared_and_changed),
	    in_space(a_mapping_outlives_its_set),
	    in_space(is_bounded),
	    in_space(equals_a_page_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
