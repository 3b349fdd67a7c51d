/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf/unwind.bpf.h: the very source that runs in the kernel, compiled natively over made-up stacks.
 * Exact frames, exact reasons. See test_unwind_tables.c for how rules are found.
 */
#include "unwind_host.h"

/* ---- where the caller's frame is ------------------------------------------------------------- */

static void the_outermost_function(void **state)
{
	host__rule(*state, 0, ROOT);
	walk(*state);
	walked_nowhere(*state, STACK_END_ROOT);
}

static void code_that_nothing_is_known_about(void **state)
{
	walk(*state);
	walked_nowhere(*state, STACK_END_NO_INFO);
}

static void cfa_from_the_stack_pointer(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, CFA(RSP, 8, 1));
	host__rule(h, 1, CFA(RSP, 48, 1));
	host__rule(h, 2, ROOT);
	h->stack[0] = ret_addr(1);
	h->stack[6] = ret_addr(2);
	walk(h);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
	assert_int_equal(h->walk.regs.sp, stack_addr(7));
	assert_int_equal(h->walk.regs.r[RSP], stack_addr(7));
}

static void cfa_from_another_register(void **state)
{
	struct host *h = *state;

	/* rbp of function 0, rbx of its caller, which function 0 has kept. */
	host__rule(h, 0, CFA(RBP, 16, 1, .saved = {[SAVED_RBP] = 2}));
	host__rule(h, 1, CFA(RBX, -8, 1));
	host__rule(h, 2, ROOT);
	h->walk.regs.r[RBP] = stack_addr(4);
	h->walk.regs.r[RBX] = stack_addr(11);
	h->stack[4] = 0x1234;
	h->stack[5] = ret_addr(1);
	h->stack[9] = ret_addr(2);
	walk(h);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
	assert_int_equal(h->walk.regs.r[RBP], 0x1234);
	assert_int_equal(h->walk.regs.sp, stack_addr(10));
}

/* A register that a callee need not keep is known of the interrupted frame only; the caller's is a
 * guess, and a guess that finds no return address is no root. */
static void cfa_from_a_register_that_is_not_known(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	regs.r[R10] = stack_addr(2);
	host__rule(h, 0, CFA(R10, 8, 1));
	host__rule(h, 1, CFA(R10, 80, 1));
	h->stack[2] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_NO_INFO, ret_addr(1));
	/* A register that nobody has. */
	host__rule(h, 0, CFA(17, 8, 1));
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_NO_INFO);
}

/* x264's assembler calls helpers that leave the register alone which its CFA hangs on. */
static void cfa_from_a_register_that_a_derived_callee_keeps(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	regs.r[RCX] = stack_addr(9);
	host__rule(h, 0, CFA(RSP, 8, 1, .flags = UNWIND_FLAG_GUESSED));
	host__rule(h, 1, CFA(RCX, 8, 1, .flags = UNWIND_FLAG_GUESSED));
	host__rule(h, 2, ROOT);
	h->stack[0] = ret_addr(1);
	h->stack[9] = ret_addr(2);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
}

/* GCC's functions that align their stack: the CFA lies at rbp - 8, and rbx is found from there. */
static void cfa_from_memory(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	regs.r[RBP] = stack_addr(8);
	host__rule(
	    h, 0,
	    (struct unwind_rule){
		.cfa = UNWIND_CFA_DEREF, .cfa_reg = RBP, .ra = 1, .cfa_off = -8, .cfa_off2 = 16});
	host__rule(h, 1, ROOT);
	h->stack[7] = stack_addr(20);
	h->stack[21] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.sp, stack_addr(22));
	/* Registers that count from rbp, not from the CFA: rbp itself, and rbx two words below. */
	host__rule(h, 0,
		   (struct unwind_rule){.cfa = UNWIND_CFA_DEREF,
					.cfa_reg = RBP,
					.ra = 1,
					.cfa_off = -8,
					.cfa_off2 = 16,
					.flags = UNWIND_FLAG_SAVED_AT_REG,
					.saved = {[SAVED_RBP] = 1, [SAVED_RBX] = 3}});
	h->stack[8] = 0x88;
	h->stack[6] = 0x66;
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.r[RBP], 0x88);
	assert_int_equal(h->walk.regs.r[RBX], 0x66);
	/* In their prologue the CFA is r10, and rbx counts from rbp all the same. */
	host__rule(h, 0,
		   (struct unwind_rule){.cfa = UNWIND_CFA_REG,
					.cfa_reg = R10,
					.cfa_off2 = RBP,
					.ra = 1,
					.flags = UNWIND_FLAG_SAVED_AT_REG,
					.saved = {[SAVED_RBP] = 1, [SAVED_RBX] = 3}});
	regs.r[R10] = stack_addr(22);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.r[RBP], 0x88);
	assert_int_equal(h->walk.regs.r[RBX], 0x66);
	regs.valid &= ~(1u << RBP);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.valid & (1u << RBP | 1u << RBX), 0);
	regs.valid |= 1u << RBP;
	/* What is not in memory. */
	host__rule(h, 0, (struct unwind_rule){.cfa = UNWIND_CFA_DEREF, .cfa_reg = RBP, .ra = 1});
	regs.r[RBP] = 0x1000;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_UNREADABLE);
}

/* OpenSSL's assembler keeps the old stack pointer in a table on the stack: *(rsp + 8 * rcx + 16)
 * + 8. */
static void cfa_from_indexed_memory(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0,
		   (struct unwind_rule){.cfa = UNWIND_CFA_DEREF_INDEXED,
					.cfa_reg = RSP | RCX << 4,
					.ra = 1,
					.cfa_off = 16,
					.cfa_off2 = 8});
	host__rule(h, 1,
		   (struct unwind_rule){
		       .cfa = UNWIND_CFA_DEREF_INDEXED, .cfa_reg = RSP | RCX << 4, .ra = 1});
	regs.r[RCX] = 5;
	h->stack[7] = stack_addr(30);
	h->stack[30] = ret_addr(1);
	walk_from(h, &regs);
	/* Of the caller, rcx may be the same, but leads nowhere. */
	walked(h, STACK_END_BAD_CFA, ret_addr(1));
	assert_int_equal(h->walk.regs.sp, stack_addr(31));
	regs.r[RCX] = 1u << 30;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_UNREADABLE);
}

/* A PLT entry pushes a word at its byte 11 (or 10, says the linker). */
static void cfa_in_a_plt(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, (struct unwind_rule){.cfa = UNWIND_CFA_PLT, .ra = 1, .cfa_off = 11});
	host__rule(h, 1, ROOT);
	host__rule(h, 2, ROOT);
	h->stack[0] = ret_addr(1);
	h->stack[1] = ret_addr(2);
	for (unsigned at = 0; at < 32; at++) {
		bool pushed = (at & 15) >= 11;

		regs.ip = CODE + at;
		walk_from(h, &regs);
		assert_int_equal(h->walk.end, STACK_END_ROOT);
		assert_int_equal(h->walk.n, 2);
		assert_int_equal(h->frames[1], ret_addr(pushed ? 2 : 1));
		assert_int_equal(h->walk.regs.sp, stack_addr(pushed ? 2 : 1));
	}
}

static void by_the_frame_pointer(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, BY_FRAME);
	host__rule(h, 1, BY_FRAME);
	regs.r[RBP] = stack_addr(4);
	h->stack[4] = stack_addr(10);
	h->stack[5] = ret_addr(1);
	h->stack[10] = 0;
	h->stack[11] = ret_addr(1);
	walk_from(h, &regs);
	/* The third frame has no frame pointer: it is the outermost. */
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(1));
	assert_int_equal(h->walk.regs.sp, stack_addr(12));
	/* Nowhere to return to. */
	h->stack[11] = 0;
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	/* Not a frame's address. */
	h->stack[4] = stack_addr(10) + 4;
	walk_from(h, &regs);
	walked(h, STACK_END_BAD_CFA, ret_addr(1));
	/* Inwards. */
	h->stack[4] = stack_addr(5);
	walk_from(h, &regs);
	walked(h, STACK_END_BAD_CFA, ret_addr(1));
	/* Not in memory; the last word of it. */
	h->stack[4] = stack_addr(STACK_WORDS);
	walk_from(h, &regs);
	walked(h, STACK_END_UNREADABLE, ret_addr(1));
	h->stack[4] = stack_addr(STACK_WORDS - 1);
	walk_from(h, &regs);
	walked(h, STACK_END_UNREADABLE, ret_addr(1));
	/* Lost on the way. */
	host__rule(h, 0, CFA(RSP, 8, 1, .saved = {[SAVED_RBP] = UNWIND_SAVED_LOST}));
	h->stack[0] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_NO_INFO, ret_addr(1));
}

/* ---- where the return address is ------------------------------------------------------------- */

static void return_address_in_another_slot(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, CFA(RSP, 64, 5));
	host__rule(h, 1, CFA(RSP, 1024, UNWIND_RA_SLOT_MAX));
	host__rule(h, 2, ROOT);
	h->stack[3] = ret_addr(1);
	h->stack[9] = ret_addr(2); /* 8 + 128 - 127 */
	walk(h);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
}

static void no_return_address(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, CFA(RSP, 8, UNWIND_RA_UNDEFINED));
	walk(h);
	walked_nowhere(h, STACK_END_ROOT);
}

static void return_address_of_zero(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, CFA(RSP, 8, 1));
	walk(h);
	walked_nowhere(h, STACK_END_ROOT);
}

/* A function that has popped its return address, or whose call put it into a register. */
static void return_address_in_a_register(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 0, UNWIND_RA_REG + R11));
	host__rule(h, 1, CFA(RSP, 8, UNWIND_RA_REG + R11));
	regs.r[R11] = ret_addr(1);
	walk_from(h, &regs);
	/* The CFA may be the stack pointer then; of a caller, r11 is not known. */
	walked(h, STACK_END_NO_INFO, ret_addr(1));
	assert_int_equal(h->walk.regs.sp, STACK);
}

/* libgcc goes to a landing pad by such a rule: its rule begins at the pad, not at the byte
 * before. */
static void a_landing_pad_in_a_register(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 0, UNWIND_RA_REG + RCX));
	host__rule(h, 1, ROOT);
	regs.r[RCX] = CODE + FUNCTION_BYTES;
	walk_from(h, &regs);
	/* The same way as an interrupted instruction is named. */
	walked(h, STACK_END_ROOT, CODE + FUNCTION_BYTES + 1);
}

static void return_addresses_that_are_none(void **state)
{
	static const uint64_t none[] = {
	    1, 2, USER_CODE_START - 1, ARCH_USER_END, 0xffffffff81000000, UINT64_MAX};
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 8, 1));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		h->stack[0] = none[i];
		walk_from(h, &regs);
		walked_nowhere(h, STACK_END_NO_MAPPING);
	}
	/* The first and the last that may be some, though nothing is mapped there. */
	h->stack[0] = USER_CODE_START;
	walk_from(h, &regs);
	walked(h, STACK_END_NO_MAPPING, USER_CODE_START);
	h->stack[0] = ARCH_USER_END - 1;
	walk_from(h, &regs);
	walked(h, STACK_END_NO_MAPPING, ARCH_USER_END - 1);
}

/* The call before a return address counts: it may be the last instruction of its function. */
static void a_call_at_the_end_of_a_function(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, CFA(RSP, 8, 1));
	host__rule(h, 1, ROOT);
	/* Function 2 has no rule. */
	h->stack[0] = CODE + 2 * FUNCTION_BYTES;
	walk(h);
	walked(h, STACK_END_ROOT, CODE + 2 * FUNCTION_BYTES);
}

/* ---- what is outwards ------------------------------------------------------------------------ */

static void frames_that_do_not_lie_outwards(void **state)
{
	static const int offs[] = {0, -8, -4096, INT32_MIN};
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		host__rule(h, 0, CFA(RSP, offs[i], 1));
		walk_from(h, &regs);
		walked_nowhere(h, STACK_END_BAD_CFA);
	}
	/* With the return address in a register the frame may be empty, but not inwards. */
	regs.r[R11] = ret_addr(1);
	host__rule(h, 0, CFA(RSP, -8, UNWIND_RA_REG + R11));
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_BAD_CFA);
}

static void another_stack(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	/* Down to the stack at word 8, as Go's systemstack does. */
	regs.sp = regs.r[RSP] = stack_addr(1000);
	regs.r[RBX] = stack_addr(8);
	host__rule(h, 0, CFA(RBX, 8, 1, .flags = UNWIND_FLAG_SWITCH));
	host__rule(h, 1, ROOT);
	h->stack[8] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.sp, stack_addr(9));
	/* By the frame pointer, too. */
	host__rule(h, 0,
		   (struct unwind_rule){.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_SWITCH});
	regs.r[RBP] = stack_addr(7);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
}

/* A ring of stacks ends. */
static void too_many_stacks(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RBX, 8, 1, .flags = UNWIND_FLAG_SWITCH));
	regs.r[RBX] = STACK;
	h->stack[0] = ret_addr(0);
	walk_from(h, &regs);
	assert_int_equal(h->walk.end, STACK_END_BAD_CFA);
	assert_int_equal(h->walk.n, 1 + STACK_SWITCHES_MAX);
}

/* ---- registers ------------------------------------------------------------------------------- */

static void saved_registers(void **state)
{
	static const unsigned numbers[] = {RBX, RBP, R12, R13, R14, R15};
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 64, 1, .saved = {2, 3, 4, 5, 6, 7}));
	host__rule(h, 1, CFA(RSP, 8, 1, .saved = {[SAVED_R14] = UNWIND_SAVED_LOST}));
	host__rule(h, 2, ROOT);
	for (size_t i = 0; i < 6; i++)
		h->stack[6 - i] = 100 + i;
	h->stack[7] = ret_addr(1);
	h->stack[8] = ret_addr(2);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(h->walk.regs.r[numbers[i]], 100 + i);
	assert_int_equal(h->walk.regs.valid, (ARCH_KEPT_MASK | 1u << ARCH_SP) & ~(1u << R14));
	/* Where no rule of the process needs them, only the frame pointer is read. */
	h->walk.all_regs = 0;
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1), ret_addr(2));
	assert_int_equal(h->walk.regs.r[RBP], 101);
	assert_int_equal(h->walk.regs.r[R12], 0);
}

static void a_saved_register_out_of_memory(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	regs.sp = regs.r[RSP] = STACK;
	host__rule(h, 0, CFA(RSP, 8, 1, .saved = {[SAVED_RBX] = 200}));
	host__rule(h, 1, CFA(RBX, 100, 1));
	h->stack[0] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_NO_INFO, ret_addr(1));
	assert_int_equal(h->walk.regs.valid & 1u << RBX, 0);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* What the kernel leaves at WORD for the signal's return: the registers, in sigcontext's order. */
static void put_context(struct host *h, size_t word, uint64_t ip, uint64_t sp)
{
	struct arch_sigcontext context = {.r8 = 8,
					  .r9 = 9,
					  .r10 = 10,
					  .r11 = 11,
					  .r12 = 12,
					  .r13 = 13,
					  .r14 = 14,
					  .r15 = 15,
					  .rdi = 5,
					  .rsi = 4,
					  .rbp = 6,
					  .rbx = 3,
					  .rdx = 1,
					  .rax = 100,
					  .rcx = 2,
					  .rsp = sp,
					  .rip = ip};

	memcpy((char *)&h->stack[word] + ARCH_SIGCONTEXT_OFF, &context, sizeof(context));
}

static void a_signal_handler(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	/* The handler at word 1000 of an alternate stack that lies above; the interrupted frame, in
	 * the first byte of function 2, below. */
	regs.sp = regs.r[RSP] = stack_addr(1000);
	host__rule(h, 0, CFA(RSP, 8, 1));
	host__rule(h, 1, (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL});
	host__rule(h, 2, CFA(RSP, 8, 1));
	host__rule(h, 3, ROOT);
	h->stack[1000] = ret_addr(1);
	put_context(h, 1001, CODE + 2 * FUNCTION_BYTES, stack_addr(20));
	h->stack[20] = ret_addr(3);
	walk_from(h, &regs);
	/* One more than the interrupted instruction, so that whoever takes one off finds it. */
	walked(h, STACK_END_ROOT, ret_addr(1), CODE + 2 * FUNCTION_BYTES + 1, ret_addr(3));
	assert_int_equal(h->walk.regs.exact, 0);

	/* All registers are known again. */
	host__rule(h, 2, (struct unwind_rule){.cfa = UNWIND_CFA_NONE});
	walk_from(h, &regs);
	walked(h, STACK_END_NO_INFO, ret_addr(1), CODE + 2 * FUNCTION_BYTES + 1);
	assert_int_equal(h->walk.regs.valid, 0xffff);
	assert_int_equal(h->walk.regs.exact, 1);
	assert_int_equal(h->walk.regs.r[RAX], 100);
	assert_int_equal(h->walk.regs.r[RSP], stack_addr(20));
	for (unsigned i = 1; i < 16; i++)
		if (i != RSP)
			assert_int_equal(h->walk.regs.r[i], i);
	/* Its registers are not in memory. */
	h->n_stack_bytes = 8 * 1001 + ARCH_SIGCONTEXT_OFF + 8;
	walk_from(h, &regs);
	walked(h, STACK_END_UNREADABLE, ret_addr(1));
}

/* A signal frame that leads to itself ends, after as many changes as a rule may make. */
static void signals_without_end(void **state)
{
	struct host *h = *state;

	host__rule(h, 0, (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL});
	put_context(h, 0, CODE + 4, STACK);
	walk(h);
	assert_int_equal(h->walk.end, STACK_END_BAD_CFA);
	assert_int_equal(h->walk.n, 1 + STACK_SWITCHES_MAX);
}

/* ---- guesses --------------------------------------------------------------------------------- */

static void guessed_by_the_frame_pointer(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0,
		   (struct unwind_rule){.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_GUESSED});
	host__rule(h, 1, ROOT);
	regs.r[RBP] = stack_addr(2);
	h->stack[2] = stack_addr(8);
	h->stack[3] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	/* An address that no call precedes. */
	h->stack[3] = ret_addr(1) + 1;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_IMPLAUSIBLE);
	/* Code that is not in memory is believed. */
	h->no_code = true;
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1) + 1);
	h->no_code = false;
	/* No frame pointer is no root, if it was a guess. */
	regs.r[RBP] = 0;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_NO_INFO);
}

/* Intel SDM vol. 2: E8 rel32, and FF /2 with one to six bytes of operand. */
static void what_a_call_looks_like(void **state)
{
	static const struct {
		uint8_t bytes[ARCH_CALL_BYTES];
		bool call;
	} cases[] = {
	    {{0, 0, 0, 0xe8, 1, 2, 3, 4}, true},       /* call rel32 */
	    {{0, 0, 0, 0, 0, 0, 0xff, 0xd0}, true},    /* call *%rax */
	    {{0, 0, 0, 0, 0, 0x41, 0xff, 0xd4}, true}, /* call *%r12 */
	    {{0, 0, 0, 0, 0, 0, 0xff, 0x10}, true},    /* call *(%rax) */
	    {{0, 0, 0, 0, 0, 0xff, 0x50, 8}, true},    /* call *8(%rax) */
	    {{0, 0, 0, 0, 0xff, 0x54, 0x24, 8}, true}, /* call *8(%rsp) */
	    {{0, 0, 0xff, 0x15, 1, 2, 3, 4}, true},    /* call *1(%rip) */
	    {{0, 0xff, 0x94, 0x24, 1, 2, 3, 4}, true}, /* call *1(%rsp) */
	    {{0, 0, 0, 0xe9, 1, 2, 3, 4}, false},      /* jmp */
	    {{0, 0, 0, 0, 0, 0, 0xff, 0xe0}, false},   /* jmp *%rax */
	    {{0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, false},
	    {{0, 0, 0, 0, 0, 0, 0, 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(arch_follows_call(cases[i].bytes), cases[i].call);
}

/* A rule that was derived from the code and gives nothing good: the frame pointer may still. */
static void a_guess_falls_back_to_the_frame_pointer(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 16, 1, .flags = UNWIND_FLAG_GUESSED));
	host__rule(h, 1, ROOT);
	host__rule(h, 2, ROOT);
	regs.r[RBP] = stack_addr(6);
	h->stack[6] = 0;
	h->stack[7] = ret_addr(2);
	h->stack[1] = ret_addr(1);
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(1));
	h->stack[1] = ret_addr(1) + 1;
	walk_from(h, &regs);
	walked(h, STACK_END_ROOT, ret_addr(2));
	/* Neither: why the last one failed. */
	h->stack[7] = ret_addr(2) + 1;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_IMPLAUSIBLE);
	/* What is known does not fall back. */
	host__rule(h, 0, CFA(RSP, 0, 1));
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_BAD_CFA);
}

#define JIT 0x7f1000000000

/* Interrupted in code of no file that keeps no frame pointer. Word WORD of its stack is the address
 * that it returns to, in function 1, after an indirect call. */
static struct unwind_regs make_jit(struct host *h, size_t word)
{
	struct unwind_regs regs = {.ip = JIT + 4, .sp = STACK, .valid = 0xffff, .exact = 1};

	host__mapping(h, &(struct unwind_mapping){
			     .start = JIT, .end = JIT + 0x1000, .code = UNWIND_CODE_FRAME});
	host__rule(h, 1, ROOT);
	regs.r[ARCH_SP] = STACK;
	memcpy(&h->code[ret_addr(1) - CODE - 5], "\0\0\0\xff\xd0", 5); /* call *%rax */
	h->stack[word] = ret_addr(1);
	return regs;
}

#define walked_jit(h, end, ...)                                                                    \
	walked_list(h, end, (const uint64_t[]){JIT + 4, __VA_ARGS__},                              \
		    sizeof((const uint64_t[]){JIT + 4, __VA_ARGS__}) / 8)

static void code_in_no_file_without_a_frame_pointer(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = make_jit(h, 20);

	/* What lies before is no return address: not mapped, after a direct call, in such code. */
	h->stack[3] = 0x123456789;
	h->stack[4] = ret_addr(2);
	h->stack[5] = JIT + 9;
	walk_from(h, &regs);
	walked_jit(h, STACK_END_ROOT, ret_addr(1));
	assert_int_equal(h->walk.regs.sp, stack_addr(21));
	/* It lies too far, or nowhere. */
	h->stack[20] = 0;
	h->stack[SCAN_WORDS - 1] = ret_addr(1);
	walk_from(h, &regs);
	walked_jit(h, STACK_END_ROOT, ret_addr(1));
	h->stack[SCAN_WORDS - 1] = 0;
	h->stack[SCAN_WORDS] = ret_addr(1);
	walk_from(h, &regs);
	walked_list(h, STACK_END_NO_INFO, (const uint64_t[]){JIT + 4}, 1);
	/* The stack ends. */
	h->n_stack_bytes = 80;
	walk_from(h, &regs);
	walked_list(h, STACK_END_NO_INFO, (const uint64_t[]){JIT + 4}, 1);
}

/* To go on to the next word would be to miss the caller: it has to wait for the table. */
static void the_caller_of_such_code_has_no_table_yet(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = make_jit(h, 20);
	struct unwind_mapping *m = &host__mappings(h)[0];

	h->stack[30] = ret_addr(1);
	h->stack[4] = ret_addr(2); /* after a direct call: of no account */
	m->code = UNWIND_CODE_UNKNOWN;
	walk_from(h, &regs);
	walked_list(h, STACK_END_UNKNOWN, (const uint64_t[]){JIT + 4}, 1);
	assert_int_equal(h->walk.regs.ip, JIT + 4); /* from where the scan is to begin anew */
	assert_int_equal(h->walk.regs.sp, STACK);
	/* Natively the code cannot be read: it may be the caller. */
	h->no_code = true;
	walk_from(h, &regs);
	walked_list(h, STACK_END_UNKNOWN, (const uint64_t[]){JIT + 4}, 1);
	/* Where there never will be one it is no caller. */
	m->code = UNWIND_CODE_NONE;
	walk_from(h, &regs);
	walked_list(h, STACK_END_NO_INFO, (const uint64_t[]){JIT + 4}, 1);
}

static void such_code_again_and_again(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = make_jit(h, 0);

	host__rule(h, 1, CFA(RSP, 8, 1));
	for (size_t i = 0; i < 20; i++) {
		h->stack[2 * i] = ret_addr(1);
		h->stack[2 * i + 1] = JIT + 7;
	}
	walk_from(h, &regs);
	assert_int_equal(h->walk.end, STACK_END_NO_INFO);
	assert_int_equal(h->walk.n, 1 + 2 * SCANS_MAX);
}

/* A run of pushes (or pops) of one row, looked up byte by byte. */
static void steps_of_one_row(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;
	/* push %rbp; 3 bytes; push %rbx: the CFA moves 1 and 5 bytes after the row. */
	struct unwind_rule run =
	    CFA(RSP, 8, 1, .cfa_off2 = 1 << 0 | 1 << 4, .flags = UNWIND_FLAG_PUSHES,
		.saved = {[SAVED_RBP] = 2, [SAVED_RBX] = 3});

	host__rule(h, 1, ROOT);
	host__rule(h, 0, run);
	for (uint64_t at = 0; at < 40; at++) {
		size_t words = at < 1 ? 0 : at < 5 ? 1 : 2;

		memset(h->stack, 0, 64);
		h->stack[0] = 111; /* what was pushed last */
		h->stack[1] = 222;
		h->stack[words] = ret_addr(1);
		regs.ip = CODE + at;
		regs.r[RBP] = 5;
		regs.r[RBX] = 6;
		walk_from(h, &regs);
		walked_list(h, STACK_END_ROOT, (const uint64_t[]){CODE + at, ret_addr(1)}, 2);
		assert_int_equal(h->walk.regs.sp, stack_addr(words + 1));
		assert_int_equal(h->walk.regs.r[RBP], words == 0 ? 5 : words == 1 ? 111 : 222);
		assert_int_equal(h->walk.regs.r[RBX], words == 2 ? 111 : 6);
	}
	/* pop %rbx; 3 bytes; pop %rbp */
	run.cfa_off = 24;
	run.flags = UNWIND_FLAG_POPS;
	host__rule(h, 0, run);
	for (uint64_t at = 0; at < 40; at++) {
		size_t words = at < 1 ? 2 : at < 5 ? 1 : 0;

		memset(h->stack, 0, 64);
		h->stack[words] = ret_addr(1);
		regs.ip = CODE + at;
		walk_from(h, &regs);
		walked_list(h, STACK_END_ROOT, (const uint64_t[]){CODE + at, ret_addr(1)}, 2);
		assert_int_equal(h->walk.regs.sp, stack_addr(words + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_host(the_outermost_function),
	    in_host(code_that_nothing_is_known_about),
	    in_host(cfa_from_the_stack_pointer),
	    in_host(cfa_from_another_register),
	    in_host(cfa_from_a_register_that_is_not_known),
	    in_host(cfa_from_a_register_that_a_derived_callee_keeps),
	    in_host(cfa_from_memory),
	    in_host(cfa_from_indexed_memory),
	    in_host(cfa_in_a_plt),
	    in_host(by_the_frame_pointer),
	    in_host(return_address_in_another_slot),
	    in_host(no_return_address),
	    in_host(return_address_of_zero),
	    in_host(return_address_in_a_register),
	    in_host(a_landing_pad_in_a_register),
	    in_host(return_addresses_that_are_none),
	    in_host(a_call_at_the_end_of_a_function),
	    in_host(frames_that_do_not_lie_outwards),
	    in_host(another_stack),
	    in_host(too_many_stacks),
	    in_host(saved_registers),
	    in_host(a_saved_register_out_of_memory),
	    in_host(a_signal_handler),
	    in_host(signals_without_end),
	    in_host(guessed_by_the_frame_pointer),
	    cmocka_unit_test(what_a_call_looks_like),
	    in_host(a_guess_falls_back_to_the_frame_pointer),
	    in_host(code_in_no_file_without_a_frame_pointer),
	    in_host(the_caller_of_such_code_has_no_table_yet),
	    in_host(such_code_again_and_again),
	    in_host(steps_of_one_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
