/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/line_program: rows of made programs. */
#include "symbolizer/line_program.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N 8

/* Opcode 13 + 14 * A + (L + 5) adds a row after A bytes and L lines. */
#define SPECIAL(a, l) (13 + 14 * (a) + (l) + 5)
#define ADDRESS(a) 0, 9, DW_LNE_set_address, (a)&255, (a) >> 8, 0, 0, 0, 0, 0, 0
#define END 0, 1, DW_LNE_end_sequence

static struct limits limits;

/* Runs the program at BYTES for VADDRS. */
static void run(const uint8_t *bytes, size_t n, const uint64_t vaddrs[N], struct line_row rows[N])
{
	static const uint32_t queries[N] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct line_program program = {
	    .min_insn_bytes = 1,
	    .max_ops = 1,
	    .line_base = -5,
	    .line_range = 14,
	    .opcode_base = 13,
	    .address_size = 8,
	    .n_operands = {0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1},
	};

	limits__init(&limits, N);
	cursor__init(&program.bytes, bytes, n);
	line_program_run(&program, vaddrs, queries, N, rows, &limits);
}

static void rows_cover_addresses(void **state)
{
	static const uint8_t bytes[] = {ADDRESS(0x1000),
					SPECIAL(0, 4),
					SPECIAL(4, 1),
					DW_LNS_set_file,
					2,
					SPECIAL(4, -1),
					DW_LNS_advance_pc,
					8,
					END};
	static const uint64_t vaddrs[N] = {0xfff,  0x1000, 0x1003, 0x1004,
					   0x1008, 0x100f, 0x1010, 0x2000};
	static const uint32_t want[N] = {0, 5, 5, 6, 5, 5, 0, 0};
	static const uint64_t files[N] = {0, 1, 1, 1, 2, 2, 0, 0};
	struct line_row rows[N] = {0};

	run(bytes, sizeof(bytes), vaddrs, rows);
	for (int i = 0; i < N; i++) {
		assert_int_equal(rows[i].is_known, want[i] != 0);
		assert_int_equal(rows[i].line, want[i]);
		assert_int_equal(rows[i].file, files[i]);
	}
}

/* Code of no line has the line before it; of two rows for one address the last counts. */
static void line_zero_and_empty_rows(void **state)
{
	static const uint8_t bytes[] = {ADDRESS(0x1000), SPECIAL(0, 4), DW_LNS_advance_line,
					0x7b /* -5 */,	 SPECIAL(4, 0), SPECIAL(4, 7),
					SPECIAL(0, 1),	 SPECIAL(4, 1), END};
	static const uint64_t vaddrs[N] = {0x1000, 0x1004, 0x1007, 0x1008,
					   0x100b, 0x100c, 0x100d, 0x100e};
	static const uint32_t want[N] = {5, 5, 5, 8, 8, 0, 0, 0};
	struct line_row rows[N] = {0};

	run(bytes, sizeof(bytes), vaddrs, rows);
	for (int i = 0; i < N; i++)
		assert_int_equal(rows[i].line, want[i]);
}

/* Sequences come in any order, and the linker leaves those of discarded code at 0. */
static void sequences(void **state)
{
	static const uint8_t bytes[] = {ADDRESS(0x2000),
					SPECIAL(0, 1),
					DW_LNS_advance_pc,
					16,
					END,
					ADDRESS(0),
					SPECIAL(0, 2),
					DW_LNS_advance_pc,
					0x80,
					0x40,
					END,
					ADDRESS(0x1000),
					SPECIAL(0, 3),
					DW_LNS_advance_pc,
					16,
					END,
					ADDRESS(0x1008),
					SPECIAL(0, 4),
					DW_LNS_advance_pc,
					16,
					END};
	static const uint64_t vaddrs[N] = {0x10,   0x1000, 0x100f, 0x1017,
					   0x1018, 0x2000, 0x200f, 0x2010};
	static const uint32_t want[N] = {0, 4, 4, 5, 0, 2, 2, 0};
	struct line_row rows[N] = {0};

	run(bytes, sizeof(bytes), vaddrs, rows);
	for (int i = 0; i < N; i++)
		assert_int_equal(rows[i].line, want[i]);
}

/* A program may go back, or break off: what was found stays. */
static void broken_programs(void **state)
{
	static const uint8_t bytes[] = {ADDRESS(0x1000),   SPECIAL(0, 1), SPECIAL(4, 1),
					ADDRESS(0x1000),   SPECIAL(0, 5), SPECIAL(8, 1),
					DW_LNS_advance_pc, 0x80};
	static const uint64_t vaddrs[N] = {0x1000, 0x1001, 0x1004, 0x1007,
					   0x1008, 0x1009, 0x100a, 0x100b};
	static const uint32_t want[N] = {2, 2, 8, 8, 0, 0, 0, 0};
	struct line_row rows[N] = {0};

	run(bytes, sizeof(bytes), vaddrs, rows);
	for (int i = 0; i < N; i++)
		assert_int_equal(rows[i].line, want[i]);
	for (size_t n = 0; n < sizeof(bytes); n++)
		run(bytes, n, vaddrs, rows);
}

/* Each row that goes back covers all addresses again: that has an end. */
static void matches_are_limited(void **state)
{
	static const uint8_t bytes[] = {ADDRESS(0x1000), SPECIAL(0, 1), DW_LNS_advance_pc, 64, END};
	static const uint32_t queries[N] = {0, 1, 2, 3, 4, 5, 6, 7};
	static const uint64_t vaddrs[N] = {0x1000, 0x1001, 0x1002, 0x1003,
					   0x1004, 0x1005, 0x1006, 0x1007};
	struct line_program program = {
	    .min_insn_bytes = 1, .line_range = 14, .opcode_base = 13, .line_base = -5};
	struct line_row rows[N] = {0};

	limits__init(&limits, N);
	limits.matches_left = 3;
	cursor__init(&program.bytes, bytes, sizeof(bytes));
	line_program_run(&program, vaddrs, queries, N, rows, &limits);
	assert_true(rows[2].is_known);
	assert_false(rows[3].is_known);
	assert_int_equal(limits.hits[LIMIT_MATCHES], 1);
	/* Division by nothing. */
	program.line_range = 0;
	line_program_run(&program, vaddrs, queries, N, rows, &limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_cover_addresses),
	    cmocka_unit_test(line_zero_and_empty_rows),
	    cmocka_unit_test(sequences),
	    cmocka_unit_test(broken_programs),
	    cmocka_unit_test(matches_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
