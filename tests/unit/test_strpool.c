/* SPDX-License-Identifier: Apache-2.0 */
/* base/strpool: equal strings have equal numbers. */
#include "base/strpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint32_t intern(struct strpool *pool, const char *s)
{
	uint32_t id = UINT32_MAX;

	assert_int_equal(strpool__intern(pool, s, strlen(s), &id), 0);
	return id;
}

static void empty_string_is_number_zero(void **state)
{
	struct strpool pool;

	assert_int_equal(strpool__init(&pool), 0);
	assert_int_equal(intern(&pool, ""), 0);
	assert_string_equal(strpool__get(&pool, 0), "");
	strpool__fini(&pool);
}

static void equal_strings_are_kept_once(void **state)
{
	struct strpool pool;
	uint32_t a, b;

	assert_int_equal(strpool__init(&pool), 0);
	a = intern(&pool, "malloc");
	b = intern(&pool, "malloc_usable_size"); /* one is a prefix of the other */
	assert_int_not_equal(a, b);
	assert_int_equal(intern(&pool, "malloc"), a);
	assert_int_equal(intern(&pool, "malloc_usable_size"), b);
	assert_int_equal(pool.n, 3);
	assert_string_equal(strpool__get(&pool, a), "malloc");
	assert_string_equal(strpool__get(&pool, b), "malloc_usable_size");
	strpool__fini(&pool);
}

/* The length is a limit, and so is a NUL before it. */
static void takes_part_of_a_buffer(void **state)
{
	struct strpool pool;
	uint32_t id, same;

	assert_int_equal(strpool__init(&pool), 0);
	assert_int_equal(strpool__intern(&pool, "comm\0rest", 9, &id), 0);
	assert_int_equal(strpool__intern(&pool, "comment", 4, &same), 0);
	assert_int_equal(id, same);
	assert_string_equal(strpool__get(&pool, id), "comm");
	strpool__fini(&pool);
}

static void many_strings(void **state)
{
	struct strpool pool;
	char s[32];

	assert_int_equal(strpool__init(&pool), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 50000; i++) {
			snprintf(s, sizeof(s), "string %u", i);
			assert_int_equal(intern(&pool, s), i + 1);
			assert_string_equal(strpool__get(&pool, i + 1), s);
		}
	}
	strpool__fini(&pool);
	assert_null(pool.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_string_is_number_zero),
	    cmocka_unit_test(equal_strings_are_kept_once),
	    cmocka_unit_test(takes_part_of_a_buffer),
	    cmocka_unit_test(many_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
