/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/inlines: function and inlined calls of addresses, innermost first. */
#include "symbolizer/inlines.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolizer/die.h"
#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

#define N 256

/* The deepest chain inside of outer() is leaf, in middle, in outer. */
static void chains_of_calls(void **state)
{
	struct self_file self = {0};
	struct inlines *inlines;
	struct limits limits;
	struct units *units;
	struct unit unit;
	unsigned deepest = 0;
	uint64_t vaddrs[N];

	limits__init(&limits, N);
	assert_int_equal(self_file__open(&self), 0);
	for (unsigned i = 0; i < N; i++)
		vaddrs[i] = self_vaddr(&self, outer) + i;
	assert_int_equal(units__new(&units, self.dwarf, vaddrs, N, &limits), 0);
	assert_int_equal(units__count(units), 1);
	unit = units__get(units, 0);
	assert_int_equal(inlines__new(&inlines, N), 0);
	assert_int_equal(inlines__innermost(inlines, 0), INLINE_NODE_NONE);
	assert_int_equal(inlines__walk(inlines, &unit, vaddrs, &limits), 0);
	for (uint32_t i = 0; i < OUTER_BYTES; i++) {
		uint32_t node = inlines__innermost(inlines, i);
		uint64_t line = 0, lines[3] = {0};
		unsigned depth = 0;

		for (; node != INLINE_NODE_NONE; node = inlines__node(inlines, node)->parent) {
			const struct die *die = &inlines__node(inlines, node)->die;

			assert_true(depth < 3);
			assert_int_equal(die->abbrev->tag == DW_TAG_inlined_subroutine,
					 inlines__node(inlines, node)->parent != INLINE_NODE_NONE);
			if (die_number(die, DW_AT_call_line, &line))
				lines[depth] = line;
			depth++;
		}
		assert_true(depth >= 1);
		if (depth == 3) {
			assert_int_equal(lines[0], LEAF_CALL_LINE);
			assert_int_equal(lines[1], MIDDLE_CALL_LINE);
		}
	}
	for (uint32_t i = 0; i < N; i++) {
		unsigned depth = 0;
		uint32_t node = inlines__innermost(inlines, i);

		for (; node != INLINE_NODE_NONE; node = inlines__node(inlines, node)->parent)
			depth++;
		deepest = depth > deepest ? depth : deepest;
	}
	assert_true(deepest >= 3);
	inlines__free(inlines);
	inlines__free(NULL);
	units__free(units);
	self_file__close(&self);
}

static void the_walk_stops_at_the_limit(void **state)
{
	struct self_file self = {0};
	struct inlines *inlines;
	struct limits limits;
	struct units *units;
	struct unit unit;
	uint64_t vaddr;

	limits__init(&limits, 1);
	assert_int_equal(self_file__open(&self), 0);
	vaddr = self_vaddr(&self, outer);
	assert_int_equal(units__new(&units, self.dwarf, &vaddr, 1, &limits), 0);
	unit = units__get(units, 0);
	assert_int_equal(inlines__new(&inlines, 1), 0);
	limits.dies_left = 1;
	assert_int_equal(inlines__walk(inlines, &unit, &vaddr, &limits), 0);
	assert_int_equal(inlines__innermost(inlines, 0), INLINE_NODE_NONE);
	assert_true(limits.hits[LIMIT_DIES] > 0);
	inlines__free(inlines);
	units__free(units);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chains_of_calls),
	    cmocka_unit_test(the_walk_stops_at_the_limit),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
