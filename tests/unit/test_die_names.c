/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/die_names: names of functions, read through their abstract origins. */
#include "symbolizer/die_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolizer/inlines.h"
#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

static void names_a_chain(void **state)
{
	static const char *const want[] = {"leaf", "middle", "outer"};
	static const uint32_t want_lines[] = {LEAF_LINE, MIDDLE_LINE, OUTER_LINE};
	struct self_file self = {0};
	struct inlines *inlines;
	struct die_names *names;
	struct answer *answer;
	struct limits limits;
	struct units *units;
	struct unit unit;
	unsigned n_chains = 0;
	uint64_t vaddrs[64];

	limits__init(&limits, 64);
	assert_int_equal(self_file__open(&self), 0);
	for (unsigned i = 0; i < 64; i++)
		vaddrs[i] = self_vaddr(&self, outer) + i;
	assert_int_equal(answer__new(&answer, 64, false, &limits), 0);
	assert_int_equal(die_names__new(&names, answer, &limits), 0);
	assert_int_equal(units__new(&units, self.dwarf, vaddrs, 64, &limits), 0);
	unit = units__get(units, 0);
	assert_int_equal(inlines__new(&inlines, 64), 0);
	assert_int_equal(inlines__walk(inlines, &unit, vaddrs, &limits), 0);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t chain[3], n = 0, node = inlines__innermost(inlines, i);

		for (; node != INLINE_NODE_NONE && n < 3;
		     node = inlines__node(inlines, node)->parent)
			chain[n++] = node;
		if (n < 3)
			continue;
		n_chains++;
		for (unsigned k = 0; k < 3; k++) {
			struct die_name name, again;
			const struct die *die = &inlines__node(inlines, chain[k])->die;

			assert_int_equal(die_names__get(names, die, &name), 0);
			assert_string_equal(answer__text(answer, name.name), want[k]);
			assert_int_equal(name.system_name, name.name);
			assert_int_equal(name.start_line, want_lines[k]);
			assert_false(name.has_linkage_name);
			assert_int_equal(die_names__get(names, die, &again), 0);
			assert_memory_equal(&name, &again, sizeof(name));
		}
	}
	assert_true(n_chains > 0);
	inlines__free(inlines);
	units__free(units);
	die_names__free(names);
	die_names__free(NULL);
	answer__free(answer);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_a_chain),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
