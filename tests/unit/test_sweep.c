/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/sweep: DWARF of the test itself becomes frames of an answer. */
#include "symbolizer/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ipc/symbols.h"
#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

#define N 64

static void frames_with_names_and_lines(void **state)
{
	struct sweep_line lines[N] = {0};
	uint64_t vaddrs[N];
	uint32_t addrs[N];
	struct self_file self = {0};
	struct symbols_view view;
	struct symtab *symtab;
	struct answer *answer;
	struct limits limits;
	unsigned n_deep = 0;
	void *payload;
	size_t n;

	limits__init(&limits, N);
	assert_int_equal(self_file__open(&self), 0);
	assert_int_equal(symtab__new(&symtab), 0);
	symtab__sort(symtab);
	assert_int_equal(answer__new(&answer, N, false, &limits), 0);
	for (uint32_t i = 0; i < N; i++) {
		vaddrs[i] = self_vaddr(&self, outer) + i;
		addrs[i] = N - 1 - i;
	}
	assert_int_equal(sweep_run(&(struct sweep){
			     .dwarf = self.dwarf,
			     .vaddrs = vaddrs,
			     .addrs = addrs,
			     .n = N,
			     .symtab = symtab,
			     .answer = answer,
			     .limits = &limits,
			     .lines = lines,
			 }),
			 0);
	assert_int_equal(answer__encode(answer, false, &payload, &n), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, N), 0);
	for (uint32_t i = 0; i < OUTER_BYTES; i++) {
		const struct msg_symbol_addr *a = &view.addrs[N - 1 - i];
		const struct msg_symbol_frame *frames = &view.frames[a->first_frame];
		const struct msg_symbol_function *f;

		assert_int_equal(a->source, SYMBOL_SOURCE_DWARF);
		f = &view.functions[frames[a->n_frames - 1].function];
		assert_string_equal(view.strings + f->name, "outer");
		assert_non_null(strstr(view.strings + f->filename, "inlined_program.h"));
		assert_true(lines[i].line > 0);
		if (a->n_frames == 3) {
			assert_int_equal(frames[1].line, LEAF_CALL_LINE);
			assert_int_equal(frames[2].line, MIDDLE_CALL_LINE);
		}
	}
	for (uint32_t i = 0; i < N; i++)
		n_deep += view.addrs[i].n_frames == 3;
	assert_true(n_deep > 0);
	free(payload);
	answer__free(answer);
	symtab__free(symtab);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_with_names_and_lines),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
