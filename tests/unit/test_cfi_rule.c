/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cfi_rule: what a rule can say about a frame, and what becomes of the rest. */
#include "symbolizer/cfi_rule.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/made_table.h"

#define LOST UNWIND_SAVED_LOST

/* Slots of x86-64's registers. */
enum { RBX, RBP, R12 };

static struct cfi_state x86_entry(void)
{
	return cfi_abi_of(EM_X86_64)->at_entry;
}

static struct unwind_rule x86_rule(const struct cfi_state *state)
{
	return cfi_state__rule(state, cfi_abi_of(EM_X86_64), false);
}

static void machines(void **state)
{
	const struct cfi_abi *x86 = cfi_abi_of(EM_X86_64), *arm = cfi_abi_of(EM_AARCH64);

	assert_non_null(x86);
	assert_non_null(arm);
	assert_null(cfi_abi_of(EM_386));
	assert_int_equal(cfi_abi__slot(x86, 3), RBX);
	assert_int_equal(cfi_abi__slot(x86, 16), CFI_SLOT_RA);
	assert_int_equal(cfi_abi__slot(x86, 7), CFI_SLOT_SP);
	assert_int_equal(cfi_abi__slot(x86, 0), CFI_SLOT_MAX);
	assert_int_equal(cfi_abi__slot(x86, UINT64_MAX), CFI_SLOT_MAX);
	assert_int_equal(cfi_abi__slot(arm, 30), 1);
}

static void at_entry(void **state)
{
	struct cfi_state s = x86_entry();

	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1);
	s = cfi_abi_of(EM_AARCH64)->at_entry;
	assert_rule(cfi_state__rule(&s, cfi_abi_of(EM_AARCH64), false), .cfa = UNWIND_CFA_REG,
		    .cfa_reg = 31, .ra = UNWIND_RA_REG + 30);
	/* Saved, it is a slot, as return address and as register. */
	s.regs[1] = (struct cfi_reg){.kind = CFI_REG_OFFSET, .off = -8};
	s.cfa.off = 16;
	assert_rule(cfi_state__rule(&s, cfi_abi_of(EM_AARCH64), false), .cfa = UNWIND_CFA_REG,
		    .cfa_reg = 31, .cfa_off = 16, .ra = 1, .saved = {0, 1});
}

static void saved_registers(void **state)
{
	struct cfi_state s = x86_entry();

	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_OFFSET, .off = -16};
	assert_int_equal(x86_rule(&s).saved[RBX], 2);
	s.regs[RBX].off = -8 * 254;
	assert_int_equal(x86_rule(&s).saved[RBX], 254);
	s.regs[RBX].off = -8 * 255;
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	s.regs[RBX].off = -12;
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	s.regs[RBX].off = 0;
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	s.regs[RBX].off = INT64_MIN;
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	s.regs[RBX].kind = CFI_REG_UNDEFINED;
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_REGISTER, .reg = 0};
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
	/* rsp - 16, of which the CFA is rsp + 8. */
	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 7, .off = -16};
	assert_int_equal(x86_rule(&s).saved[RBX], 3);
	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 6, .off = -12};
	assert_int_equal(x86_rule(&s).saved[RBX], LOST);
}

/* GCC's way to align the stack: everything by rbp, the CFA by a word that it points to. */
static void realigned_stacks(void **state)
{
	struct cfi_state s = x86_entry();

	s.cfa = (struct cfi_value){.kind = CFI_VALUE_DEREF, .reg = 6, .off = -8};
	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 6, .off = -16};
	s.regs[RBP] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 6};
	s.regs[R12] = (struct cfi_reg){.kind = CFI_REG_OFFSET, .off = -16};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_DEREF, .cfa_reg = 6, .cfa_off = -8, .ra = 1,
		    .flags = UNWIND_FLAG_SAVED_AT_REG, .saved = {3, 1, LOST});
	/* Without such a register, offsets from the CFA count. */
	s.regs[RBX] = s.regs[RBP] = (struct cfi_reg){.kind = CFI_REG_SAME};
	s.cfa.off2 = 8;
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_DEREF, .cfa_reg = 6, .cfa_off = -8,
		    .cfa_off2 = 8, .ra = 1, .saved = {0, 0, 2});
	s.cfa.off2 = 40000;
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
}

/* Its first and last instructions have the CFA in a register of its own, and the very last by
 * rsp. */
static void prologues_of_realigned_stacks(void **state)
{
	struct cfi_state s = x86_entry();

	s.cfa = (struct cfi_value){.kind = CFI_VALUE_REG, .reg = 10};
	s.regs[RBP] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 6};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_REG, .cfa_reg = 10, .cfa_off2 = 6, .ra = 1,
		    .flags = UNWIND_FLAG_SAVED_AT_REG, .saved = {0, 1});
	s.regs[RBX] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 6, .off = -40};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_REG, .cfa_reg = 10, .cfa_off2 = 6, .ra = 1,
		    .flags = UNWIND_FLAG_SAVED_AT_REG, .saved = {6, 1});
	/* All are back at the return instruction. */
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_REG, .reg = 7, .off = 8};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1);
}

static void other_cfas(void **state)
{
	struct cfi_state s = x86_entry();

	s.cfa = (struct cfi_value){
	    .kind = CFI_VALUE_DEREF_INDEXED, .reg = 7, .index = 9, .off = 8, .off2 = 8};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_DEREF_INDEXED, .cfa_reg = 7 | 9 << 4,
		    .cfa_off = 8, .cfa_off2 = 8, .ra = 1);
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_PLT, .reg = 7, .off = 8, .off2 = 11};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_PLT, .cfa_reg = 7, .cfa_off = 11, .ra = 1);
	s.cfa.off = 16;
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_REG, .reg = 16, .off = 8};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_REG, .reg = 7, .off = 1ll << 31};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_CONST, .off = 8};
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
	/* A stack pointer that is not the CFA: longjmp and its like. */
	s = x86_entry();
	s.regs[CFI_SLOT_SP].kind = CFI_REG_OTHER;
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_NONE);
}

static void return_addresses(void **state)
{
	struct cfi_state s = x86_entry();
	struct cfi_reg *ra = &s.regs[CFI_SLOT_RA];

	*ra = (struct cfi_reg){.kind = CFI_REG_REGISTER, .reg = 5};
	assert_int_equal(x86_rule(&s).ra, UNWIND_RA_REG + 5);
	ra->reg = 16;
	assert_int_equal(x86_rule(&s).cfa, UNWIND_CFA_NONE);
	*ra = (struct cfi_reg){.kind = CFI_REG_OFFSET, .off = -8 * 127};
	assert_int_equal(x86_rule(&s).ra, 127);
	ra->off = -8 * 128;
	assert_int_equal(x86_rule(&s).cfa, UNWIND_CFA_NONE);
	ra->kind = CFI_REG_OTHER;
	assert_int_equal(x86_rule(&s).cfa, UNWIND_CFA_NONE);
	ra->kind = CFI_REG_SAME;
	assert_int_equal(x86_rule(&s).cfa, UNWIND_CFA_NONE);
	/* Whatever else is said. */
	ra->kind = CFI_REG_UNDEFINED;
	s.cfa.kind = CFI_VALUE_OTHER;
	s.regs[RBX].kind = CFI_REG_UNDEFINED;
	assert_rule(x86_rule(&s), .cfa = UNWIND_CFA_ROOT);
}

static void signal_frames(void **state)
{
	const struct cfi_abi *x86 = cfi_abi_of(EM_X86_64), *arm = cfi_abi_of(EM_AARCH64);
	struct cfi_state s = x86_entry();

	/* Somebody's ordinary frame, marked so. */
	assert_rule(cfi_state__rule(&s, x86, true), .cfa = UNWIND_CFA_REG, .cfa_reg = 7,
		    .cfa_off = 8, .ra = 1, .flags = UNWIND_FLAG_EXACT);
	/* glibc's __restore_rt. */
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_DEREF, .reg = 7, .off = 160};
	s.regs[CFI_SLOT_RA] = (struct cfi_reg){.kind = CFI_REG_AT, .reg = 7, .off = 168};
	assert_rule(cfi_state__rule(&s, x86, true), .cfa = UNWIND_CFA_SIGNAL);
	/* bionic's. */
	s.cfa = (struct cfi_value){.kind = CFI_VALUE_REG, .reg = 7};
	assert_rule(cfi_state__rule(&s, x86, true), .cfa = UNWIND_CFA_SIGNAL);
	assert_rule(cfi_state__rule(&arm->at_entry, arm, true), .cfa = UNWIND_CFA_SIGNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(machines),
	    cmocka_unit_test(at_entry),
	    cmocka_unit_test(saved_registers),
	    cmocka_unit_test(realigned_stacks),
	    cmocka_unit_test(prologues_of_realigned_stacks),
	    cmocka_unit_test(other_cfas),
	    cmocka_unit_test(return_addresses),
	    cmocka_unit_test(signal_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
