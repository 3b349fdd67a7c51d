/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/die: single DIEs and the walk below a unit, on the test's own DWARF. */
#include "symbolizer/die.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

static int is_named(const struct die *die, const char *name)
{
	struct dwarf_string string;
	const char *s;
	size_t n;

	if (!die_string(die, DW_AT_name, &string))
		return 0;
	assert_int_equal(dwarf_string__get(&string, &s, &n), 0);
	return n == strlen(name) && !memcmp(s, name, n);
}

/* Walks to the DIE of the function NAME in any unit of ours. */
static int find_function(struct self_file *self, const char *name, struct die_walk *walk,
			 struct limits *limits)
{
	for (size_t i = 0; i < dwarf_file__n_units(self->dwarf); i++) {
		bool started;

		assert_int_equal(die_walk__init(walk, dwarf_file__unit(self->dwarf, i), &started),
				 0);
		assert_true(started);
		while (die_walk__next(walk, limits, walk->depth == 0))
			if (walk->die.abbrev->tag == DW_TAG_subprogram &&
			    is_named(&walk->die, name))
				return 1;
		assert_int_equal(walk->depth, 0);
	}
	return 0;
}

static void reads_a_function(void **state)
{
	struct self_file self = {0};
	struct die_ranges ranges;
	struct die_walk walk;
	struct dwarf_string string;
	struct limits limits;
	uint64_t line, lo, hi;
	struct die other;
	bool found;

	limits__init(&limits, 0);
	assert_int_equal(self_file__open(&self), 0);
	assert_true(find_function(&self, "plain", &walk, &limits));
	assert_true(die_number(&walk.die, DW_AT_decl_line, &line));
	assert_int_equal(line, PLAIN_LINE);
	assert_false(die_number(&walk.die, DW_AT_call_line, &line));
	assert_false(die_string(&walk.die, DW_AT_linkage_name, &string));
	assert_int_equal(die_origin(&walk.die, &other, &found), 0);
	assert_false(found);
	die_ranges__init(&ranges, &walk.die);
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
	bool started;

	limits__init(&limits, 0);
	limits.dies_left = 3;
	assert_int_equal(self_file__open(&self), 0);
	assert_int_equal(die_walk__init(&walk, dwarf_file__unit(self.dwarf, 0), &started), 0);
	assert_true(started);
	for (int i = 0; i < 3; i++)
		assert_true(die_walk__next(&walk, &limits, true));
	assert_false(die_walk__next(&walk, &limits, true));
	assert_int_equal(limits.hits[LIMIT_DIES], 1);
	self_file__close(&self);
}

/* libdw's walk over the same units sees the same DIEs, with and without their subtrees. */
static void the_walk_is_libdws(void **state)
{
	struct self_file self = {0};
	struct limits limits;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	Dwarf *dwarf;
	size_t n = 0;

	limits__init(&limits, 0);
	assert_int_equal(self_file__open(&self), 0);
	dwarf = dwarf_begin_elf(elf_file__elf(self.file), DWARF_C_READ, NULL);
	assert_non_null(dwarf);
	for (; dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0; n++) {
		struct die_walk walk;
		Dwarf_Die child;
		bool started;
		int r = dwarf_child(&unit, &child);

		assert_int_equal(die_walk__init(&walk, dwarf_file__unit(self.dwarf, n), &started),
				 0);
		assert_true(started);
		while (die_walk__next(&walk, &limits, walk.depth == 0)) {
			assert_int_equal(r, 0);
			assert_int_equal(walk.die.off, dwarf_dieoffset(&child));
			assert_int_equal(walk.die.abbrev->tag, dwarf_tag(&child));
			r = dwarf_siblingof(&child, &child);
		}
		assert_int_equal(r, 1);
	}
	assert_true(n > 0);
	assert_int_equal(n, dwarf_file__n_units(self.dwarf));
	dwarf_end(dwarf);
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
	    cmocka_unit_test(the_walk_is_libdws),
	    cmocka_unit_test(discarded_code_is_dead),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
