/* SPDX-License-Identifier: Apache-2.0 */
/* base/hindex: an index by hash over entries that the test keeps in an array of its own. */
#include "base/hindex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

/* How many times ENTRY appears under HASH. */
static unsigned times(const struct hindex *ix, uint64_t hash, uint32_t entry)
{
	struct hindex_iter it;
	unsigned n = 0;
	uint32_t e;

	for (it = hindex__find(ix, hash); hindex_iter__next(&it, &e);)
		n += e == entry;
	return n;
}

static void empty_index_finds_nothing(void **state)
{
	struct hindex ix = {0};
	struct hindex_iter it = hindex__find(&ix, 42);
	uint32_t e;

	assert_false(hindex_iter__next(&it, &e));
	hindex__fini(&ix);
}

static void finds_what_was_added(void **state)
{
	struct hindex ix = {0};

	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(hindex__add(&ix, hash_mix(i, 0), i), 0);
	assert_int_equal(ix.n, 10000);
	assert_true(3 * ix.n <= 2 * ix.n_slots);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(times(&ix, hash_mix(i, 0), i), 1);
	hindex__fini(&ix);
	assert_null(ix.slots);
}

/* Equal hashes are legal: the caller compares the entries. */
static void equal_hashes_give_all_entries(void **state)
{
	struct hindex ix = {0};

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(hindex__add(&ix, 7, i), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(times(&ix, 7, i), 1);
	hindex__fini(&ix);
}

/* Removal closes the gap; entries behind it, in other runs and around the end stay findable. */
static void remove_keeps_the_others(void **state)
{
	struct hindex ix = {0};

	/* Few distinct hashes near the end of the table: long runs that wrap around. */
	for (uint32_t i = 0; i < 600; i++)
		assert_int_equal(hindex__add(&ix, 0xfffffff0u + i % 16, i), 0);
	for (uint32_t i = 0; i < 600; i += 3) {
		hindex__remove(&ix, 0xfffffff0u + i % 16, i);
		for (uint32_t j = 0; j < 600; j++)
			assert_int_equal(times(&ix, 0xfffffff0u + j % 16, j), j % 3 != 0 || j > i);
	}
	assert_int_equal(ix.n, 400);
	hindex__fini(&ix);
}

static void add_after_remove(void **state)
{
	struct hindex ix = {0};

	for (uint32_t round = 0; round < 1000; round++) {
		assert_int_equal(hindex__add(&ix, hash_mix(round, 1), round), 0);
		if (round >= 5)
			hindex__remove(&ix, hash_mix(round - 5, 1), round - 5);
	}
	assert_int_equal(ix.n, 5);
	assert_int_equal(ix.n_slots, 16); /* no tombstones: a steady table does not grow */
	hindex__fini(&ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_index_finds_nothing),
	    cmocka_unit_test(finds_what_was_added),
	    cmocka_unit_test(equal_hashes_give_all_entries),
	    cmocka_unit_test(remove_keeps_the_others),
	    cmocka_unit_test(add_after_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
