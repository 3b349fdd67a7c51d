/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/names: functions and chains of inlined calls, each once. */
#include "daemon/collector/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int make_names(void **state)
{
	return names__new((struct names **)state);
}

static int free_names(void **state)
{
	names__free(*state);
	return 0;
}

static uint32_t function(struct names *names, const char *name, const char *system_name,
			 const char *filename, uint32_t start_line)
{
	uint32_t id = NAMES_NONE;

	assert_int_equal(names__function(names, name, system_name, filename, start_line, &id), 0);
	assert_true(id < names->n_functions);
	return id;
}

static void equal_functions_are_one(void **state)
{
	struct names *names = *state;
	uint32_t f = function(names, "f(int)", "_Z1fi", "/f.cc", 10);

	assert_int_equal(function(names, "f(int)", "_Z1fi", "/f.cc", 10), f);
	assert_int_not_equal(function(names, "f(int)", "_Z1fi", "/f.cc", 11), f);
	assert_int_not_equal(function(names, "f(int)", "_Z1fi", "/g.cc", 10), f);
	assert_int_not_equal(function(names, "f(int)", "_Z1fx", "/f.cc", 10), f);
	assert_int_not_equal(function(names, "f(long)", "_Z1fi", "/f.cc", 10), f);
	assert_int_equal(names->n_functions, 5);
	assert_string_equal(names__text(names, names->functions[f].name), "f(int)");
	assert_string_equal(names__text(names, names->functions[f].system_name), "_Z1fi");
	assert_string_equal(names__text(names, names->functions[f].filename), "/f.cc");
	assert_int_equal(names->functions[f].start_line, 10);
}

/* C has one name for both. */
static void the_same_system_name_is_none(void **state)
{
	struct names *names = *state;
	uint32_t f = function(names, "main", "main", "", 0);

	assert_int_equal(names->functions[f].system_name, 0);
	assert_int_equal(function(names, "main", "", "", 0), f);
}

static void chains(void **state)
{
	struct names *names = *state;
	struct names_line lines[] = {{function(names, "in", "", "", 0), 7},
				     {function(names, "out", "", "", 0), 9}};
	uint32_t a, b, plain;

	assert_int_equal(names__chain(names, lines, 2, NAME_DWARF, &a), 0);
	lines[0].line = 8; /* was copied */
	assert_int_equal(names__chain(names, lines, 1, NAME_SYMTAB, &b), 0);
	assert_int_equal(names__plain(names, "[anonymous code]", NAME_PSEUDO, &plain), 0);
	assert_int_equal(names->chains[a].n, 2);
	assert_int_equal(names->chains[a].source, NAME_DWARF);
	assert_int_equal(names->lines[names->chains[a].first].line, 7);
	assert_int_equal(names->lines[names->chains[a].first + 1].line, 9);
	assert_int_equal(names->chains[b].n, 1);
	assert_int_equal(names->chains[plain].n, 1);
	assert_string_equal(
	    names__text(names,
			names->functions[names->lines[names->chains[plain].first].function].name),
	    "[anonymous code]");
}

static void addresses_by_object_and_offset(void **state)
{
	struct names *names = *state;

	assert_int_equal(names__find(names, 1, 0x10), NAMES_NONE);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(names__remember(names, i % 10, i / 10, i), 0);
	assert_int_equal(names__remember(names, UINT64_MAX, UINT64_MAX, 5000), 0);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(names__find(names, i % 10, i / 10), i);
	assert_int_equal(names__find(names, UINT64_MAX, UINT64_MAX), 5000);
	assert_int_equal(names__find(names, 3, 100), NAMES_NONE);
	assert_int_equal(names__find(names, 10, 3), NAMES_NONE);
}

/* A little is kept; too much is forgotten as a whole, and it can be filled again. */
static void is_bounded(void **state)
{
	struct names *names = *state;
	uint32_t chain, n = 0;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 100; i++, n++) {
			assert_int_equal(names__plain(names, "f", NAME_NONE, &chain), 0);
			assert_int_equal(names__remember(names, 1, i, chain), 0);
		}
		assert_int_equal(names__trim(names), 0);
		assert_int_equal(names__find(names, 1, 99), chain);
		for (uint32_t i = 0; i < 300000; i++, n++) {
			char name[32];

			snprintf(name, sizeof(name), "function_%u", n);
			assert_int_equal(names__plain(names, name, NAME_NONE, &chain), 0);
			assert_int_equal(names__remember(names, 2, i, chain), 0);
		}
		assert_int_equal(names__find(names, 2, 299999), chain);
		assert_int_equal(names__trim(names), 0);
		assert_int_equal(names->n_functions, 0);
		assert_int_equal(names->n_addresses, 0);
		assert_int_equal(names__find(names, 2, 299999), NAMES_NONE);
		assert_string_equal(names__text(names, 0), "");
	}
	assert_null(names__free(NULL));
}

#define in_names(fn) cmocka_unit_test_setup_teardown(fn, make_names, free_names)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_names(equal_functions_are_one),
	    in_names(the_same_system_name_is_none),
	    in_names(chains),
	    in_names(addresses_by_object_and_offset),
	    in_names(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
