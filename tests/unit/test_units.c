/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/units: the units that hold addresses, with and without .debug_aranges. */
#include "symbolizer/units.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

static void finds_its_own_unit(void **state)
{
	struct self_file self = {0};
	struct limits limits;
	struct units *units;
	struct unit unit;
	uint64_t vaddrs[3];

	limits__init(&limits, 3);
	assert_int_equal(self_file__open(&self), 0);
	vaddrs[0] = 2;
	vaddrs[1] = self_vaddr(&self, plain);
	vaddrs[2] = vaddrs[1] + 1;
	assert_int_equal(units__new(&units, self.dwarf, vaddrs, 3, &limits), 0);
	assert_int_equal(units__count(units), 1);
	unit = units__get(units, 0);
	assert_int_equal(unit.n_queries, 2);
	assert_int_equal(unit.queries[0], 1);
	assert_int_equal(unit.queries[1], 2);
	assert_int_equal(unit.unit->tag, DW_TAG_compile_unit);
	units__free(units);
	self_file__close(&self);
}

static void no_address_no_unit(void **state)
{
	const uint64_t vaddrs[] = {2, UINT64_MAX};
	struct self_file self = {0};
	struct limits limits;
	struct units *units;

	limits__init(&limits, 2);
	assert_int_equal(self_file__open(&self), 0);
	assert_int_equal(units__new(&units, self.dwarf, vaddrs, 2, &limits), 0);
	assert_int_equal(units__count(units), 0);
	units__free(units);
	assert_int_equal(units__new(&units, self.dwarf, NULL, 0, &limits), 0);
	assert_int_equal(units__count(units), 0);
	units__free(units);
	units__free(NULL);
	self_file__close(&self);
}

static void matches_are_limited(void **state)
{
	struct self_file self = {0};
	struct limits limits;
	struct units *units;
	uint64_t vaddrs[2];

	limits__init(&limits, 2);
	limits.matches_left = 1;
	assert_int_equal(self_file__open(&self), 0);
	vaddrs[0] = self_vaddr(&self, plain);
	vaddrs[1] = vaddrs[0] + 1;
	assert_int_equal(units__new(&units, self.dwarf, vaddrs, 2, &limits), 0);
	assert_int_equal(units__count(units), 1);
	assert_int_equal(units__get(units, 0).n_queries, 1);
	assert_true(limits.hits[LIMIT_MATCHES] > 0);
	units__free(units);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_its_own_unit),
	    cmocka_unit_test(no_address_no_unit),
	    cmocka_unit_test(matches_are_limited),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
