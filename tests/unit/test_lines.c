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

struct fixture {
	struct self_file self;
	struct limits limits;
	struct units *units;
	struct lines *lines;
	uint64_t vaddrs[3];
};

/* Our own lines, of the unit that plain() is in. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	limits__init(&f->limits, 3);
	assert_int_equal(self_file__open(&f->self), 0);
	f->vaddrs[0] = 2;
	f->vaddrs[1] = self_vaddr(&f->self, plain);
	f->vaddrs[2] = UINT64_MAX;
	assert_int_equal(units__new(&f->units, f->self.dwarf, f->vaddrs, 3, &f->limits), 0);
	assert_int_equal(units__count(f->units), 1);
	assert_int_equal(lines__new(&f->lines), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lines__free(f->lines);
	units__free(f->units);
	self_file__close(&f->self);
	free(f);
	return 0;
}

static void rows_of_a_function(void **state)
{
	const uint32_t queries[] = {0, 1, 2};
	struct line_row rows[3] = {0};
	struct fixture *f = *state;
	const char *path;

	assert_int_equal(lines__load(f->lines, units__get(f->units, 0).unit, &f->limits), 0);
	assert_true(lines__n_files(f->lines) > 0);
	lines__run(f->lines, f->vaddrs, queries, 3, rows, &f->limits);
	assert_false(rows[0].is_known);
	assert_false(rows[2].is_known);
	assert_true(rows[1].is_known);
	assert_true(rows[1].line >= PLAIN_LINE && rows[1].line <= PLAIN_LINE + 4);
	assert_int_equal(lines__path(f->lines, rows[1].file, &path), 0);
	assert_int_equal(path[0], '/');
	assert_non_null(strstr(path, "tests/unit/inlined_program.h"));
	assert_int_equal(lines__path(f->lines, 1u << 20, &path), 0);
	assert_null(path);
}

static void long_programs_are_not_run(void **state)
{
	const uint32_t query = 1;
	struct line_row row = {0};
	struct fixture *f = *state;

	f->limits.line_bytes_left = 16;
	assert_int_equal(lines__load(f->lines, units__get(f->units, 0).unit, &f->limits), 0);
	assert_int_equal(f->limits.hits[LIMIT_LINES], 1);
	assert_int_equal(lines__n_files(f->lines), 0);
	lines__run(f->lines, f->vaddrs, &query, 1, &row, &f->limits);
	assert_false(row.is_known);
}

static void a_unit_without_lines(void **state)
{
	struct fixture *f = *state;
	struct dwarf_unit unit = *units__get(f->units, 0).unit;
	const char *path;

	unit.line_off = UINT64_MAX;
	assert_int_equal(lines__load(f->lines, &unit, &f->limits), 0);
	assert_int_equal(lines__n_files(f->lines), 0);
	assert_int_equal(lines__path(f->lines, 1, &path), 0);
	assert_null(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(rows_of_a_function, setup, teardown),
	    cmocka_unit_test_setup_teardown(long_programs_are_not_run, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_unit_without_lines, setup, teardown),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
