/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/die: single DIEs and the walk below a unit, on the test's own DWARF. */
#include "symbolizer/die.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

/* The DIE of the function NAME in any unit of ours; counts what it walked over. */
static int find_function(struct self_file *self, const char *name, struct die_walk *walk,
			 struct limits *limits)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;

	while (dwarf_get_units(self->dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
		die_walk__init(walk, &unit);
		while (die_walk__next(walk, limits, walk->depth == 0)) {
			Dwarf_Die *die = &walk->stack[walk->depth];
			const char *have = die_string(die, DW_AT_name);

			if (dwarf_tag(die) == DW_TAG_subprogram && have && !strcmp(have, name))
				return 1;
		}
		assert_int_equal(walk->depth, 0);
	}
	return 0;
}

static void reads_a_function(void **state)
{
	struct self_file self = {0};
	struct die_ranges ranges;
	struct die_walk walk;
	struct limits limits;
	uint64_t line, lo, hi;
	Dwarf_Die *die, other;

	limits__init(&limits, 0);
	assert_int_equal(self_file__open(&self), 0);
	assert_true(find_function(&self, "plain", &walk, &limits));
	die = &walk.stack[walk.depth];
	assert_true(die_number(die, DW_AT_decl_line, &line));
	assert_int_equal(line, PLAIN_LINE);
	assert_false(die_number(die, DW_AT_call_line, &line));
	assert_null(die_string(die, DW_AT_linkage_name));
	assert_false(die_reference(die, DW_AT_abstract_origin, &other));
	die_ranges__init(&ranges, die);
	assert_true(die_ranges__next(&ranges, &limits, &lo, &hi));
	assert_int_equal(lo, self_vaddr(&self, plain));
	assert_true(hi > lo);
	assert_false(die_ranges__next(&ranges, &limits, &lo, &hi));
	assert_false(die_ranges__next(&ranges, &limits, &lo, &hi));
	self_file__close(&self);
}

static void the_walk_ends_at_the_limit(void **state)
{
	struct self_file self = {0};
	struct die_walk walk;
	struct limits limits;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;

	limits__init(&limits, 0);
	limits.dies_left = 3;
	assert_int_equal(self_file__open(&self), 0);
	assert_int_equal(dwarf_get_units(self.dwarf, cu, &cu, NULL, NULL, &unit, NULL), 0);
	die_walk__init(&walk, &unit);
	for (int i = 0; i < 3; i++)
		assert_true(die_walk__next(&walk, &limits, true));
	assert_false(die_walk__next(&walk, &limits, true));
	assert_int_equal(limits.hits[LIMIT_DIES], 1);
	self_file__close(&self);
}

static void discarded_code_is_dead(void **state)
{
	assert_true(range_is_live(0x1000, 0x1001));
	assert_false(range_is_live(0x1000, 0x1000));
	assert_false(range_is_live(0, 0x1000));
	assert_false(range_is_live(1, 0x1000));
	assert_false(range_is_live(UINT64_MAX - 1, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_a_function),
	    cmocka_unit_test(the_walk_ends_at_the_limit),
	    cmocka_unit_test(discarded_code_is_dead),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
