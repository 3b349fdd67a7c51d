/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/lines: file and line of addresses. */
#include "symbolizer/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/units.h"
#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

static void rows_of_a_function(void **state)
{
	struct self_file self = {0};
	struct limits limits;
	struct units *units;
	struct lines lines;
	struct unit unit;
	const char *file = NULL;
	uint32_t line = 0;
	uint64_t vaddr;

	limits__init(&limits, 1);
	assert_int_equal(self_file__open(&self), 0);
	vaddr = self_vaddr(&self, plain);
	assert_int_equal(units__new(&units, self.dwarf, &vaddr, 1, &limits), 0);
	unit = units__get(units, 0);
	lines__load(&lines, &unit.die, elf_getdata(self.lines, NULL), &limits);
	assert_true(lines.n_rows > 0);
	assert_true(lines__find(&lines, vaddr, &file, &line));
	assert_true(line >= PLAIN_LINE && line <= PLAIN_LINE + 4);
	assert_int_equal(file[0], '/');
	assert_non_null(strstr(file, "tests/unit/inlined_program.h"));
	assert_false(lines__find(&lines, 1, &file, &line));
	assert_false(lines__find(&lines, UINT64_MAX, &file, &line));
	assert_null(lines__file(&lines, 1u << 20));
	/* Without the section there is nothing to run. */
	lines__load(&lines, &unit.die, NULL, &limits);
	assert_false(lines__find(&lines, vaddr, &file, &line));
	units__free(units);
	self_file__close(&self);
}

static void long_programs_are_not_run(void **state)
{
	struct self_file self = {0};
	Elf_Data too_long = {0};
	struct limits limits;
	struct units *units;
	struct lines lines;
	struct unit unit;
	uint64_t vaddr;
	char *bytes;

	limits__init(&limits, 1);
	assert_int_equal(self_file__open(&self), 0);
	vaddr = self_vaddr(&self, plain);
	assert_int_equal(units__new(&units, self.dwarf, &vaddr, 1, &limits), 0);
	unit = units__get(units, 0);
	too_long = *elf_getdata(self.lines, NULL);
	bytes = malloc(too_long.d_size);
	assert_non_null(bytes);
	memset(bytes, 0x7f, too_long.d_size);
	too_long.d_buf = bytes;
	lines__load(&lines, &unit.die, &too_long, &limits);
	assert_int_equal(lines.n_rows, 0);
	assert_int_equal(limits.hits[LIMIT_LINES], 1);
	free(bytes);
	units__free(units);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_of_a_function),
	    cmocka_unit_test(long_programs_are_not_run),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
