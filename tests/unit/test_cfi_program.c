/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cfi_program: every instruction, and the rows that come of them. */
#include "symbolizer/cfi_program.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/made_table.h"

#define START (CODE + 0x1000)
#define LOST UNWIND_SAVED_LOST
#define SP 7, 8 /* what x86-64's CIEs begin with: the CFA is rsp + 8 … */

enum { RBX, RBP };

static struct cfi_scratch scratch;

/* A function of 0x100 bytes, in a table of its own. */
struct made {
	struct made_table *m;
	struct cfi_common common;
	int result;
};

static void made__run(struct made *made, const uint8_t *bytes, size_t n)
{
	struct cfi_function function = {
	    .common = &made->common,
	    .bases = {.bytes = bytes, .address_size = 8, .function = START},
	    .start = START,
	    .end = START + 0x100,
	};

	cursor__init(&function.program, bytes, n);
	assert_int_equal(
	    unwind_table__begin(made->m->t, UNWIND_SOURCE_EH_FRAME, START, START + 0x100), 0);
	made->result = cfi_program_run(cfi_abi_of(EM_X86_64), &function, made->m->t, &scratch);
	if (made->result == CFI_BAD)
		unwind_table__abandon(made->m->t);
}

static struct made made__of(const uint8_t *bytes, size_t n, uint64_t code_align)
{
	struct made made = {
	    .m = made_table__new(EM_X86_64),
	    .common = {.code_align = code_align, .data_align = -8, .address_size = 8},
	};

	made.common.initial = cfi_abi_of(EM_X86_64)->at_entry;
	made__run(&made, bytes, n);
	return made;
}

#define MADE_ALIGNED(align, ...)                                                                   \
	made__of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), align)
#define MADE(...) MADE_ALIGNED(1, __VA_ARGS__)

static struct unwind_rule at(const struct made *made, uint64_t off)
{
	return made_table__rule(made->m, START + off);
}

static void made__end(struct made *made)
{
	made_table__free(made->m);
}

/* What every compiler makes of push rbp; mov rbp, rsp … pop rbp; ret. */
static void an_ordinary_function(void **state)
{
	struct made f = MADE(DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset + 6,
			     2, DW_CFA_advance_loc + 3, DW_CFA_def_cfa_register, 6,
			     DW_CFA_advance_loc1, 0x40, DW_CFA_restore + 6, DW_CFA_def_cfa, 7, 8);

	assert_int_equal(f.result, CFI_OK);
	assert_rule(at(&f, 0), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1);
	assert_rule(at(&f, 1), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 16, .ra = 1,
		    .saved = {0, 2});
	assert_rule(at(&f, 3), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 16, .ra = 1,
		    .saved = {0, 2});
	assert_rule(at(&f, 4), .cfa = UNWIND_CFA_REG, .cfa_reg = 6, .cfa_off = 16, .ra = 1,
		    .saved = {0, 2});
	assert_rule(at(&f, 0x43), .cfa = UNWIND_CFA_REG, .cfa_reg = 6, .cfa_off = 16, .ra = 1,
		    .saved = {0, 2});
	assert_rule(at(&f, 0x44), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1);
	assert_rule(at(&f, 0xff), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1);
	assert_true(rule_is_unknown(at(&f, 0x100)));
	made__end(&f);
}

static void locations(void **state)
{
	struct made f =
	    MADE(DW_CFA_advance_loc1, 2, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc2, 2, 0,
		 DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc4, 2, 0, 0, 0, DW_CFA_def_cfa_offset,
		 32, 0x1d, 2, 0, 0, 0, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 40, DW_CFA_set_loc, 0x10,
		 0x10, 0x40, 0, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 48);

	assert_int_equal(f.result, CFI_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(at(&f, 2 * (uint64_t)i).cfa_off, 8 + 8 * i);
	assert_int_equal(at(&f, 0xf).cfa_off, 40);
	assert_int_equal(at(&f, 0x10).cfa_off, 48);
	made__end(&f);
	/* Factored. */
	f = MADE_ALIGNED(4, DW_CFA_advance_loc + 2, DW_CFA_def_cfa_offset, 16);
	assert_int_equal(at(&f, 7).cfa_off, 8);
	assert_int_equal(at(&f, 8).cfa_off, 16);
	made__end(&f);
	/* Nothing counts that is behind the end, be it nonsense. */
	f = MADE(DW_CFA_advance_loc2, 0, 1, 0x3f);
	assert_int_equal(f.result, CFI_OK);
	made__end(&f);
}

static void the_cfa(void **state)
{
	struct made f = MADE(
	    DW_CFA_def_cfa_sf, 6, 0x7e, DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset_sf, 0x7d,
	    DW_CFA_advance_loc + 1, DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
	    /* One half of it makes no sense now. */
	    DW_CFA_advance_loc + 1, DW_CFA_def_cfa_register, 7, DW_CFA_advance_loc + 1,
	    DW_CFA_def_cfa, 7, 24, DW_CFA_advance_loc + 1, DW_CFA_def_cfa, 40, 8,
	    DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset, 16);

	assert_int_equal(f.result, CFI_OK);
	assert_rule(at(&f, 0), .cfa = UNWIND_CFA_REG, .cfa_reg = 6, .cfa_off = 16, .ra = 1);
	assert_rule(at(&f, 1), .cfa = UNWIND_CFA_REG, .cfa_reg = 6, .cfa_off = 24, .ra = 1);
	assert_rule(at(&f, 2), .cfa = UNWIND_CFA_DEREF, .cfa_reg = 6, .cfa_off = -8, .ra = 1);
	assert_rule(at(&f, 3), .cfa = UNWIND_CFA_NONE);
	assert_rule(at(&f, 4), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 24, .ra = 1);
	assert_rule(at(&f, 5), .cfa = UNWIND_CFA_NONE);
	assert_rule(at(&f, 6), .cfa = UNWIND_CFA_NONE);
	made__end(&f);
}

/* Runs the instruction and tells what became of rbx. */
static unsigned rbx_after(const uint8_t *bytes, size_t n)
{
	struct made f = made__of(bytes, n, 1);
	unsigned saved;

	assert_int_equal(f.result, CFI_OK);
	saved = at(&f, 0).saved[RBX];
	made__end(&f);
	return saved;
}

#define RBX_AFTER(...)                                                                             \
	rbx_after((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void registers(void **state)
{
	assert_int_equal(RBX_AFTER(DW_CFA_offset + 3, 2), 2);
	assert_int_equal(RBX_AFTER(DW_CFA_offset_extended, 3, 3), 3);
	assert_int_equal(RBX_AFTER(DW_CFA_offset_extended_sf, 3, 4), 4);
	assert_int_equal(RBX_AFTER(DW_CFA_offset_extended_sf, 3, 0x7c), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_GNU_negative_offset_extended, 3, 4), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_undefined, 3), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_undefined, 3, DW_CFA_same_value, 3), 0);
	assert_int_equal(RBX_AFTER(DW_CFA_offset + 3, 2, DW_CFA_restore_extended, 3), 0);
	assert_int_equal(RBX_AFTER(DW_CFA_offset + 3, 2, DW_CFA_restore + 3), 0);
	assert_int_equal(RBX_AFTER(DW_CFA_register, 3, 0), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_register, 3, 3), 0);
	assert_int_equal(RBX_AFTER(DW_CFA_register, 3, 200, 1), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_val_offset, 3, 2), LOST);
	assert_int_equal(RBX_AFTER(DW_CFA_val_offset_sf, 3, 2), LOST);
	/* rsp - 8, of which the CFA is rsp + 8. */
	assert_int_equal(RBX_AFTER(DW_CFA_expression, 3, 2, DW_OP_breg7, 0x78), 2);
	assert_int_equal(RBX_AFTER(DW_CFA_expression, 3, 2, DW_OP_lit24, DW_OP_minus), 3);
	assert_int_equal(RBX_AFTER(DW_CFA_expression, 3, 1, DW_OP_deref), LOST);
	assert_int_equal(
	    RBX_AFTER(DW_CFA_val_expression, 3, 3, DW_OP_lit24, DW_OP_minus, DW_OP_deref), 3);
	assert_int_equal(RBX_AFTER(DW_CFA_val_expression, 3, 2, DW_OP_lit24, DW_OP_minus), LOST);
	/* Of a register that nobody follows, and one that there is not. */
	assert_int_equal(RBX_AFTER(DW_CFA_offset + 1, 2, DW_CFA_restore_extended, 0xff, 0x7f), 0);
}

static void the_return_address(void **state)
{
	struct made f = MADE(DW_CFA_register, 16, 5, DW_CFA_advance_loc + 1, DW_CFA_undefined, 16,
			     DW_CFA_advance_loc + 1, DW_CFA_offset + 16, 2);

	assert_int_equal(at(&f, 0).ra, UNWIND_RA_REG + 5);
	assert_rule(at(&f, 1), .cfa = UNWIND_CFA_ROOT);
	assert_int_equal(at(&f, 2).ra, 2);
	made__end(&f);
}

/* That it is the CFA may be said; something else cannot be. */
static void the_stack_pointer(void **state)
{
	struct made f = MADE(DW_CFA_val_offset, 7, 0, DW_CFA_advance_loc + 1, DW_CFA_offset + 7, 2,
			     DW_CFA_advance_loc + 1, DW_CFA_val_expression, 7, 1, DW_OP_nop);

	assert_int_equal(at(&f, 0).cfa, UNWIND_CFA_REG);
	assert_int_equal(at(&f, 1).cfa, UNWIND_CFA_NONE);
	assert_int_equal(at(&f, 2).cfa, UNWIND_CFA_REG);
	made__end(&f);
}

static void remembers_states(void **state)
{
	uint8_t deep[2 * CFI_REMEMBER_MAX + 2];
	struct made f = MADE(DW_CFA_remember_state, DW_CFA_def_cfa_offset, 16,
			     DW_CFA_remember_state, DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset,
			     24, DW_CFA_offset + 3, 2, DW_CFA_advance_loc + 1, DW_CFA_restore_state,
			     DW_CFA_advance_loc + 1, DW_CFA_restore_state);

	assert_int_equal(at(&f, 0).cfa_off, 16);
	assert_int_equal(at(&f, 1).cfa_off, 24);
	assert_int_equal(at(&f, 2).cfa_off, 16);
	assert_int_equal(at(&f, 2).saved[RBX], 0);
	assert_int_equal(at(&f, 3).cfa_off, 8);
	made__end(&f);

	memset(deep, DW_CFA_remember_state, CFI_REMEMBER_MAX);
	memset(deep + CFI_REMEMBER_MAX, DW_CFA_restore_state, CFI_REMEMBER_MAX + 2);
	f = made__of(deep, 2 * CFI_REMEMBER_MAX, 1);
	assert_int_equal(f.result, CFI_OK);
	made__end(&f);
	f = made__of(deep, 2 * CFI_REMEMBER_MAX + 1, 1);
	assert_int_equal(f.result, CFI_BAD);
	made__end(&f);
	memset(deep, DW_CFA_remember_state, CFI_REMEMBER_MAX + 1);
	f = made__of(deep, CFI_REMEMBER_MAX + 1, 1);
	assert_int_equal(f.result, CFI_BAD);
	made__end(&f);
}

static void ignores_what_does_not_matter(void **state)
{
	struct made f = MADE(DW_CFA_nop, DW_CFA_GNU_args_size, 0x80, 1, DW_CFA_GNU_window_save,
			     0x2c, DW_CFA_def_cfa_offset, 16);

	assert_int_equal(f.result, CFI_OK);
	assert_int_equal(at(&f, 0).cfa_off, 16);
	made__end(&f);
}

static void assert_bad(const uint8_t *bytes, size_t n, uint64_t code_align)
{
	struct made f = made__of(bytes, n, code_align);

	assert_int_equal(f.result, CFI_BAD);
	assert_int_equal(unwind_table__stats(f.m->t)->n_bad, 1);
	assert_true(rule_is_unknown(at(&f, 0)));
	made__end(&f);
}

#define BAD(align, ...)                                                                            \
	assert_bad((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), align)

static void refuses_nonsense(void **state)
{
	BAD(1, 0x3f, 1);
	BAD(1, DW_CFA_advance_loc + 1, 0x17, 1);
	BAD(1, DW_CFA_advance_loc1);
	BAD(1, DW_CFA_def_cfa, 7);
	BAD(1, DW_CFA_def_cfa, 0x80);
	BAD(1, DW_CFA_def_cfa_expression, 9, DW_OP_breg7, 0);
	BAD(1, DW_CFA_restore_state);
	/* Backwards, and around. */
	BAD(1, DW_CFA_set_loc, 0, 0, 0, 0, 0, 0, 0, 0);
	BAD(UINT64_MAX, DW_CFA_advance_loc + 2);
	BAD(1, 0x1d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
}

/* The common part stays at one place, and nothing was there before it. */
static void common_parts(void **state)
{
	static const uint8_t good[] = {DW_CFA_def_cfa,	  SP, DW_CFA_offset + 16, 1,
				       DW_CFA_offset + 3, 2};
	static const uint8_t moving[] = {DW_CFA_advance_loc + 1},
			     restoring[] = {DW_CFA_restore + 3},
			     setting[] = {DW_CFA_set_loc, 0, 0, 0, 0, 0, 0, 0, 0};
	const struct cfi_abi *abi = cfi_abi_of(EM_X86_64);
	struct cfi_common common = {.code_align = 1, .data_align = -8, .address_size = 8};
	struct cursor c;

	cursor__init(&c, good, sizeof(good));
	assert_int_equal(cfi_program_run_common(abi, &common, c, &scratch), CFI_OK);
	assert_int_equal(cfi_state__rule(&common.initial, abi, false).saved[RBX], 2);
	cursor__init(&c, moving, sizeof(moving));
	assert_int_equal(cfi_program_run_common(abi, &common, c, &scratch), CFI_BAD);
	cursor__init(&c, restoring, sizeof(restoring));
	assert_int_equal(cfi_program_run_common(abi, &common, c, &scratch), CFI_BAD);
	cursor__init(&c, setting, sizeof(setting));
	assert_int_equal(cfi_program_run_common(abi, &common, c, &scratch), CFI_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_ordinary_function),
	    cmocka_unit_test(locations),
	    cmocka_unit_test(the_cfa),
	    cmocka_unit_test(registers),
	    cmocka_unit_test(the_return_address),
	    cmocka_unit_test(the_stack_pointer),
	    cmocka_unit_test(remembers_states),
	    cmocka_unit_test(ignores_what_does_not_matter),
	    cmocka_unit_test(refuses_nonsense),
	    cmocka_unit_test(common_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
