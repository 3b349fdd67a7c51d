/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/unwind_table: whose rule holds where, and that the layout finds it. */
#include "symbolizer/unwind_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/made_table.h"

static struct unwind_rule numbered(int off)
{
	return (struct unwind_rule){.cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = off, .ra = 1};
}

static void begin(struct made_table *m, enum unwind_source source, uint64_t off, uint64_t n)
{
	assert_int_equal(unwind_table__begin(m->t, source, CODE + off, CODE + off + n), 0);
}

static void row(struct made_table *m, uint64_t off, int number)
{
	struct unwind_rule rule = numbered(number);

	assert_int_equal(unwind_table__row(m->t, CODE + off, &rule), 0);
}

/* A row whose CFA is sp + CFA and that has saved rbx and rbp in the slots RBX and RBP (0 = not). */
static void row_saved(struct made_table *m, uint64_t off, int cfa, uint8_t rbx, uint8_t rbp)
{
	struct unwind_rule rule = numbered(cfa);

	rule.saved[0] = rbx;
	rule.saved[1] = rbp;
	assert_int_equal(unwind_table__row(m->t, CODE + off, &rule), 0);
}

static void holds_at(struct made_table *m, uint64_t off, int cfa, uint8_t rbx, uint8_t rbp)
{
	struct unwind_rule rule = unwind_lookup(m->lines, m->file, CODE + off);

	assert_int_equal(rule.cfa_off, cfa);
	assert_int_equal(rule.saved[0], rbx);
	assert_int_equal(rule.saved[1], rbp);
	assert_int_equal(rule.flags, 0);
	assert_int_equal(rule.cfa_off2, 0);
}

/* The number of the rule at OFF, -1 = unknown code. */
static int number_at(struct made_table *m, uint64_t off)
{
	struct unwind_rule rule = unwind_lookup(m->lines, m->file, CODE + off);

	return rule_is_unknown(rule) ? -1 : rule.cfa_off;
}

static const struct unwind_table_head *head_of(const struct made_table *m)
{
	return (const void *)m->lines;
}

static void nothing_is_known_at_first(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0), -1);
	assert_int_equal(number_at(m, CODE_BYTES - 1), -1);
	assert_int_equal(head_of(m)->n_lines, m->n_lines);
	made_table__free(m);
}

static void rows_hold_up_to_the_next(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x100);
	row(m, 0x1004, 1);
	row(m, 0x1010, 2);
	row(m, 0x1020, 2); /* says nothing new */
	row(m, 0x1030, 3);
	row(m, 0x1030, 4); /* takes its place */
	row(m, 0x0fff, 5); /* outside */
	row(m, 0x1100, 5);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0xfff), -1);
	assert_int_equal(number_at(m, 0x1003), -1);
	assert_int_equal(number_at(m, 0x1004), 1);
	assert_int_equal(number_at(m, 0x100f), 1);
	assert_int_equal(number_at(m, 0x1010), 2);
	assert_int_equal(number_at(m, 0x102f), 2);
	assert_int_equal(number_at(m, 0x1030), 4);
	assert_int_equal(number_at(m, 0x10ff), 4);
	assert_int_equal(number_at(m, 0x1100), -1);
	made_table__free(m);
}

/* Between functions lies padding, which belongs to the one before; more than that is a gap. */
/* push %rbp; 3 bytes; push %rbx; the body; pop %rbx; pop %rbp; ret: a row for each run. */
static void pushes_and_pops_are_one_row(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);
	struct made_table *flat = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 64, 64);
	row_saved(m, 64, 8, 0, 0);
	row_saved(m, 65, 16, 0, 2);
	row_saved(m, 69, 24, 3, 2);
	row_saved(m, 76, 88, 3, 2); /* sub $64,%rsp is no step */
	row_saved(m, 100, 24, 3, 2);
	row_saved(m, 101, 16, 3, 2); /* some compilers let popped registers stand */
	row_saved(m, 102, 8, 0, 0);
	made_table__lay_out(m);
	for (uint64_t off = 64; off < 128; off++) {
		if (off < 65 || off >= 102)
			holds_at(m, off, 8, 0, 0);
		else if (off < 69 || off == 101)
			holds_at(m, off, 16, 0, 2);
		else
			holds_at(m, off, off < 76 || off == 100 ? 24 : 88, 3, 2);
	}
	begin(flat, UNWIND_SOURCE_EH_FRAME, 64, 64);
	row(flat, 64, 8);
	row(flat, 76, 88);
	row(flat, 100, 24);
	made_table__lay_out(flat);
	assert_int_equal(head_of(m)->n_rows, head_of(flat)->n_rows);
	made_table__free(flat);
	made_table__free(m);
}

/* A step beyond the reach of the row, or the other way, begins another. */
static void runs_that_end(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 64, 128);
	row_saved(m, 64, 8, 0, 0);
	row_saved(m, 64 + UNWIND_STEPS_BYTES, 16, 0, 2);
	row_saved(m, 64 + UNWIND_STEPS_BYTES + 1, 24, 3, 2);
	row_saved(m, 100, 8, 0, 0);
	row_saved(m, 101, 16, 0, 2);
	row_saved(m, 102, 8, 0, 0);
	made_table__lay_out(m);
	holds_at(m, 64 + UNWIND_STEPS_BYTES - 1, 8, 0, 0);
	holds_at(m, 64 + UNWIND_STEPS_BYTES, 16, 0, 2);
	holds_at(m, 64 + UNWIND_STEPS_BYTES + 1, 24, 3, 2);
	holds_at(m, 99, 24, 3, 2);
	holds_at(m, 100, 8, 0, 0);
	holds_at(m, 101, 16, 0, 2);
	holds_at(m, 102, 8, 0, 0);
	made_table__free(m);
}

/* Of a run whose begin belongs to another function the rest holds. */
static void the_rest_of_a_run(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_DEBUG_FRAME, 64, 64);
	row_saved(m, 64, 8, 0, 0);
	row_saved(m, 65, 16, 0, 2);
	row_saved(m, 69, 24, 3, 2);
	begin(m, UNWIND_SOURCE_EH_FRAME, 60, 7);
	row(m, 60, 1000);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 66), 1000);
	holds_at(m, 67, 16, 0, 2);
	holds_at(m, 68, 16, 0, 2);
	holds_at(m, 69, 24, 3, 2);
	holds_at(m, 127, 24, 3, 2);
	made_table__free(m);
}

static void padding_and_gaps(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1020, 0x10);
	row(m, 0x1020, 2);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x11);
	row(m, 0x1000, 1);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1040, 0x10);
	row(m, 0x1040, 3);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x1010), 1);
	assert_int_equal(number_at(m, 0x101f), 1);
	assert_int_equal(number_at(m, 0x1020), 2);
	assert_int_equal(number_at(m, 0x1030), -1);
	assert_int_equal(number_at(m, 0x1040), 3);
	assert_int_equal(number_at(m, 0x1050), -1);
	made_table__free(m);
}

static void better_sources_win(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_CODE, 0x1000, 0x1000);
	row(m, 0x1000, 5);
	row(m, 0x1180, 6);
	begin(m, UNWIND_SOURCE_DEBUG_FRAME, 0x1080, 0x200);
	row(m, 0x1080, 2);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1100, 0x40);
	row(m, 0x1100, 1);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x107f), 5);
	assert_int_equal(number_at(m, 0x1080), 2);
	assert_int_equal(number_at(m, 0x1100), 1);
	assert_int_equal(number_at(m, 0x113f), 1);
	assert_int_equal(number_at(m, 0x1140), 2);
	assert_int_equal(number_at(m, 0x127f), 2);
	assert_int_equal(number_at(m, 0x1280), 6);
	assert_int_equal(unwind_table__stats(m->t)->n_functions[UNWIND_SOURCE_CODE], 1);
	made_table__free(m);
}

static void of_one_source_the_inner_function_wins(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1040, 0x40);
	row(m, 0x1040, 2);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x100);
	row(m, 0x1000, 1);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x103f), 1);
	assert_int_equal(number_at(m, 0x1040), 2);
	assert_int_equal(number_at(m, 0x107f), 2);
	assert_int_equal(number_at(m, 0x1080), 1);
	made_table__free(m);
}

static void abandoned_functions_leave_nothing(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x40);
	row(m, 0x1000, 1);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1020, 0x40);
	row(m, 0x1020, 2);
	unwind_table__abandon(m->t);
	row(m, 0x1021, 3);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1080, 0x40);
	row(m, 0x1080, 4);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x1020), 1);
	assert_int_equal(number_at(m, 0x1040), -1);
	assert_int_equal(number_at(m, 0x1080), 4);
	assert_int_equal(unwind_table__stats(m->t)->n_functions[UNWIND_SOURCE_EH_FRAME], 2);
	assert_int_equal(unwind_table__stats(m->t)->n_bad, 1);
	made_table__free(m);
}

static void impossible_functions_are_dropped(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0);
	row(m, 0x1000, 1);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, -0x10ull);
	row(m, 0x1000, 1);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0, 1ull << 32);
	row(m, 0x1000, 1);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x1000), -1);
	assert_int_equal(unwind_table__stats(m->t)->n_dropped, 3);
	made_table__free(m);
}

struct gaps {
	uint64_t v[8][2];
	size_t n;
	int result;
};

static int note_gap(void *ctx, uint64_t start, uint64_t end)
{
	struct gaps *gaps = ctx;

	assert_true(gaps->n < ARRAY_SIZE(gaps->v));
	gaps->v[gaps->n][0] = start - CODE;
	gaps->v[gaps->n++][1] = end - CODE;
	return gaps->result;
}

static void tells_the_gaps(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);
	struct gaps gaps = {0};

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1200, 0x100);
	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x100);
	begin(m, UNWIND_SOURCE_DEBUG_FRAME, 0x1080, 0x100);
	assert_int_equal(unwind_table__each_gap(m->t, CODE + 0xf00, CODE + 0x1400, note_gap, &gaps),
			 0);
	assert_int_equal(gaps.n, 3);
	assert_int_equal(gaps.v[0][0], 0xf00);
	assert_int_equal(gaps.v[0][1], 0x1000);
	assert_int_equal(gaps.v[1][0], 0x1180);
	assert_int_equal(gaps.v[1][1], 0x1200);
	assert_int_equal(gaps.v[2][0], 0x1300);
	assert_int_equal(gaps.v[2][1], 0x1400);
	gaps = (struct gaps){.result = -EIO};
	assert_int_equal(unwind_table__each_gap(m->t, CODE + 0xf00, CODE + 0x1400, note_gap, &gaps),
			 -EIO);
	assert_int_equal(gaps.n, 1);
	/* And more may come. */
	begin(m, UNWIND_SOURCE_CODE, 0x1180, 0x80);
	row(m, 0x1180, 1);
	gaps = (struct gaps){0};
	assert_int_equal(
	    unwind_table__each_gap(m->t, CODE + 0x1190, CODE + 0x1400, note_gap, &gaps), 0);
	assert_int_equal(gaps.n, 1);
	assert_int_equal(gaps.v[0][0], 0x1300);
	made_table__lay_out(m);
	assert_int_equal(number_at(m, 0x11ff), 1);
	made_table__free(m);
}

/* Every address of a file with many functions, in random order, by the directory. */
static void the_directory_leads_to_the_row(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);
	uint64_t random = 1;

	for (int i = 0; i < 500; i++) {
		uint64_t at;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		at = (random >> 33) % (CODE_BYTES / 16) * 16;
		begin(m, UNWIND_SOURCE_EH_FRAME, at, 16);
		row(m, at, (int)at + 1);
		row(m, at + 5, (int)at + 2);
	}
	made_table__lay_out(m);
	assert_in_range(head_of(m)->shift, UNWIND_SHIFT_MIN, UNWIND_SHIFT_MAX);
	for (uint64_t off = 0; off < CODE_BYTES; off++) {
		uint64_t at = off & ~15ull;
		int number = number_at(m, off);

		if (number != -1)
			assert_int_equal(number, (int)at + (off - at < 5 ? 1 : 2));
	}
	made_table__free(m);
}

/* Whether a table with RULE alone has the walker keep track of all callee-saved registers. */
static bool asks_for_all_regs(struct unwind_rule rule)
{
	struct made_table *m = made_table__new(EM_X86_64);
	bool all_regs;

	begin(m, UNWIND_SOURCE_EH_FRAME, 0, 0x100);
	assert_int_equal(unwind_table__row(m->t, CODE, &rule), 0);
	made_table__lay_out(m);
	all_regs = head_of(m)->all_regs;
	made_table__free(m);
	return all_regs;
}

static void rules_that_need_all_registers(void **state)
{
	enum { RAX = 0, RBX = 3, RBP = 6, RSP = 7, R12 = 12 };
	struct unwind_rule r = {.cfa = UNWIND_CFA_REG, .cfa_reg = RBP, .ra = 1, .cfa_off2 = R12};

	assert_false(asks_for_all_regs(r));
	r.flags = UNWIND_FLAG_SAVED_AT_REG;
	assert_true(asks_for_all_regs(r));
	r = (struct unwind_rule){.cfa = UNWIND_CFA_REG, .cfa_reg = RBX, .ra = 1};
	assert_true(asks_for_all_regs(r));
	r.cfa = UNWIND_CFA_DEREF;
	assert_true(asks_for_all_regs(r));
	r.cfa_reg = RBP;
	assert_false(asks_for_all_regs(r));
	r = (struct unwind_rule){
	    .cfa = UNWIND_CFA_DEREF_INDEXED, .cfa_reg = RSP | RAX << 4, .ra = 1};
	assert_false(asks_for_all_regs(r));
	r.cfa_reg = RSP | R12 << 4;
	assert_true(asks_for_all_regs(r));
	r.cfa_reg = RBX | RAX << 4;
	assert_true(asks_for_all_regs(r));
}

/* Segments of the same addresses at other places, overlapping ones, and none at all. */
static void segments(void **state)
{
	struct made_table *m = made_table__new(EM_X86_64);
	struct unwind_line *lines;
	struct elf_file *file;
	size_t n;
	int fd;

	begin(m, UNWIND_SOURCE_EH_FRAME, 0x1000, 0x1000);
	row(m, 0x1000, 1);
	row(m, 0x1800, 2);
	elf_image__init(&m->image);
	elf_image__segment(&m->image, PT_LOAD, PF_X, 0x20000, CODE + 0x1800, 0x800);
	elf_image__segment(&m->image, PT_LOAD, PF_X, 0x10000, CODE + 0x1000, 0x400);
	elf_image__segment(&m->image, PT_LOAD, PF_X, 0x10200, CODE + 0x1800, 0x400);
	fd = elf_image__fd(&m->image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__layout(m->t, file, &lines, &n), 0);
	assert_int_equal(unwind_lookup_rule(lines, 0x10000).cfa_off, 1);
	assert_int_equal(unwind_lookup_rule(lines, 0x103ff).cfa_off, 1);
	assert_int_equal(unwind_lookup_rule(lines, 0x10400).cfa, UNWIND_CFA_REG);
	assert_true(rule_is_unknown(unwind_lookup_rule(lines, 0x10600)));
	assert_int_equal(unwind_lookup_rule(lines, 0x20000).cfa_off, 2);
	assert_int_equal(unwind_lookup_rule(lines, 0x207ff).cfa_off, 2);
	free(lines);
	elf_file__close(file);
	close(fd);

	m->image.ehdr.e_phnum = 0;
	fd = elf_image__fd(&m->image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__layout(m->t, file, &lines, &n), -ENOEXEC);
	elf_file__close(file);
	close(fd);

	/* One that wraps around is none. */
	elf_image__segment(&m->image, PT_LOAD, PF_X, 0x1000, CODE, UINT64_MAX - 0x10);
	fd = elf_image__fd(&m->image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__layout(m->t, file, &lines, &n), -ENOEXEC);
	elf_file__close(file);
	close(fd);

	m->image.ehdr.e_phnum = 0;
	elf_image__segment(&m->image, PT_LOAD, PF_X, 0, 0, 1ull << 50);
	fd = elf_image__fd(&m->image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__layout(m->t, file, &lines, &n), -EFBIG);
	elf_file__close(file);
	close(fd);
	made_table__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_known_at_first),
	    cmocka_unit_test(rows_hold_up_to_the_next),
	    cmocka_unit_test(pushes_and_pops_are_one_row),
	    cmocka_unit_test(runs_that_end),
	    cmocka_unit_test(the_rest_of_a_run),
	    cmocka_unit_test(padding_and_gaps),
	    cmocka_unit_test(better_sources_win),
	    cmocka_unit_test(of_one_source_the_inner_function_wins),
	    cmocka_unit_test(abandoned_functions_leave_nothing),
	    cmocka_unit_test(impossible_functions_are_dropped),
	    cmocka_unit_test(tells_the_gaps),
	    cmocka_unit_test(the_directory_leads_to_the_row),
	    cmocka_unit_test(rules_that_need_all_registers),
	    cmocka_unit_test(segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
