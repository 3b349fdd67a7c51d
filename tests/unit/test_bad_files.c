/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/bad_files: what a file cost once it does not cost again. */
#include "daemon/collector/bad_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define T0 (1000 * 1000000000ULL)

static struct file_set set_of(uint64_t ino)
{
	return (struct file_set){.files = {{.dev = 1, .ino = ino, .size = 10}}};
}

static int new_one(void **state)
{
	return bad_files__new((struct bad_files **)state);
}

static int free_one(void **state)
{
	return bad_files__free(*state) ? -1 : 0;
}

static void nothing_is_known_at_first(void **state)
{
	struct file_set set = set_of(1);

	assert_int_equal(bad_files__verdict(*state, &set, T0), BAD_FILES_GOOD);
	bad_files__acquit(*state, &set); /* nothing to do */
	assert_null(bad_files__free(NULL));
}

static void what_is_proven_is_for_good(void **state)
{
	struct file_set set = set_of(1), other = set_of(2);

	bad_files__condemn(*state, &set);
	assert_int_equal(bad_files__verdict(*state, &set, T0), BAD_FILES_BAD);
	assert_int_equal(bad_files__verdict(*state, &set, UINT64_MAX), BAD_FILES_BAD);
	assert_int_equal(bad_files__verdict(*state, &other, T0), BAD_FILES_GOOD);
	/* A suspicion takes nothing back. */
	bad_files__suspect(*state, &set, T0);
	assert_int_equal(bad_files__verdict(*state, &set, UINT64_MAX), BAD_FILES_BAD);
}

/* As soon as any part of its identity changes it is another file, and so is it beside another. */
static void another_state_is_another_file(void **state)
{
	struct file_set set = set_of(1), changed = set;

	bad_files__condemn(*state, &set);
	changed.files[0].ctime_ns = 1;
	assert_int_equal(bad_files__verdict(*state, &changed, T0), BAD_FILES_GOOD);
	changed = set;
	changed.files[1].ino = 7;
	assert_int_equal(bad_files__verdict(*state, &changed, T0), BAD_FILES_GOOD);
}

static void a_suspect_rests_longer_each_time(void **state)
{
	struct file_set set = set_of(1);
	uint64_t rest = BAD_FILES_REST_NS;

	for (unsigned i = 0; i < 100; i++) {
		bad_files__suspect(*state, &set, T0);
		assert_int_equal(bad_files__verdict(*state, &set, T0), BAD_FILES_RESTING);
		assert_int_equal(bad_files__verdict(*state, &set, T0 + rest - 1),
				 BAD_FILES_RESTING);
		assert_int_equal(bad_files__verdict(*state, &set, T0 + rest), BAD_FILES_SUSPECT);
		rest = rest * 2 < BAD_FILES_REST_MAX_NS ? rest * 2 : BAD_FILES_REST_MAX_NS;
	}
	bad_files__acquit(*state, &set);
	assert_int_equal(bad_files__verdict(*state, &set, T0), BAD_FILES_GOOD);
	bad_files__suspect(*state, &set, T0);
	assert_int_equal(bad_files__verdict(*state, &set, T0 + BAD_FILES_REST_NS),
			 BAD_FILES_SUSPECT);
}

static void the_first_is_forgotten_at_the_limit(void **state)
{
	for (uint64_t i = 0; i <= BAD_FILES_MAX; i++) {
		struct file_set set = set_of(i);

		bad_files__condemn(*state, &set);
	}
	for (uint64_t i = 0; i <= BAD_FILES_MAX; i++) {
		struct file_set set = set_of(i);

		assert_int_equal(bad_files__verdict(*state, &set, T0),
				 i ? BAD_FILES_BAD : BAD_FILES_GOOD);
	}
}

#define with_one(fn) cmocka_unit_test_setup_teardown(fn, new_one, free_one)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_one(nothing_is_known_at_first),
	    with_one(what_is_proven_is_for_good),
	    with_one(another_state_is_another_file),
	    with_one(a_suspect_rests_longer_each_time),
	    with_one(the_first_is_forgotten_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
