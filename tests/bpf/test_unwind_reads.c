/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a walk reads, and where it ends: memory that is not there, stacks at the edge of a page,
 * stacks that are too deep, and anything at all.
 */
#include "unwind_host.h"

/* ---- memory ---------------------------------------------------------------------------------- */

/* A window of 1 KiB serves fourteen of these frames. */
static void reads_are_few(void **state)
{
	struct host *h = *state;

	make_chain(h, 140);
	walk(h);
	walked_chain(h, 0, 140, STACK_END_ROOT);
	assert_in_range(h->memory.n_reads, 10, 11);
}

/* Whichever read fails: what was walked is kept and right, and nothing is invented. */
static void a_fault_at_every_read(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;
	size_t n_reads, n_cut = 0;

	make_chain(h, 100);
	walk_from(h, &regs);
	n_reads = h->memory.n_reads;
	for (size_t at = 0; at <= n_reads; at++) {
		size_t n;

		h->memory.fault_at = at;
		walk_from(h, &regs);
		n = h->walk.n - 1;
		/* A window that cannot be read whole is read in part, then word by word. */
		walked_chain(h, 0, n, n == 100 ? STACK_END_ROOT : STACK_END_UNREADABLE);
		n_cut += n < 100;
	}
	assert_in_range(n_cut, 0, n_reads);
	/* From some address on there is nothing. */
	h->memory.fault_at = SIZE_MAX;
	for (size_t words = 0; words <= 9 * 100 + 9; words++) {
		size_t n = words / 9;

		h->n_stack_bytes = 8 * words;
		walk_from(h, &regs);
		walked_chain(h, 0, n > 100 ? 100 : n,
			     n > 100 ? STACK_END_ROOT : STACK_END_UNREADABLE);
	}
}

/* The window that reaches into a page that is not there ends before it. */
static void a_stack_at_the_end_of_its_pages(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	h->n_stack_bytes = 2 * USER_PAGE;
	host__rule(h, 0, CFA(RSP, 16, 1));
	host__rule(h, 1, CFA(RSP, 16, 1));
	for (size_t i = 0; i < 2 * USER_PAGE / 8; i++)
		h->stack[i] = i % 2 ? ret_addr(1) : UNTOUCHED;
	for (size_t n = 1; n <= 40; n++) {
		regs.sp = regs.r[RSP] = STACK + 2 * USER_PAGE - 16 * n;
		walk_from(h, &regs);
		assert_int_equal(h->walk.end, STACK_END_UNREADABLE);
		assert_int_equal(h->walk.n, 1 + n);
		/* One that fails, the rest of the page, then those after the end. */
		assert_in_range(h->memory.n_reads, 2, 6);
	}
}

/* The stack pointer may be anything while code runs that does not need it. */
static void a_stack_pointer_that_is_not_aligned(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;
	uint64_t ret = ret_addr(1);

	host__rule(h, 0, CFA(RSP, 24, 1));
	host__rule(h, 1, ROOT);
	for (unsigned off = 1; off < 8; off++) {
		memset(h->stack, 0, 64);
		memcpy((char *)h->stack + 16 + off, &ret, 8);
		regs.sp = regs.r[RSP] = STACK + off;
		walk_from(h, &regs);
		walked(h, STACK_END_ROOT, ret_addr(1));
		assert_int_equal(h->walk.regs.sp, STACK + off + 24);
	}
}

static void stack_pointers_to_nowhere(void **state)
{
	static const uint64_t sps[] = {0,
				       8,
				       STACK - 4096,
				       STACK + sizeof(uint64_t) * STACK_WORDS,
				       ARCH_USER_END,
				       0xffffffff81000000,
				       UINT64_MAX - 7,
				       UINT64_MAX};
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	host__rule(h, 0, CFA(RSP, 64, 1));
	for (size_t i = 0; i < sizeof(sps) / sizeof(sps[0]); i++) {
		regs.sp = regs.r[RSP] = sps[i];
		walk_from(h, &regs);
		assert_int_equal(h->walk.n, 1);
		assert_true(h->walk.end == STACK_END_UNREADABLE ||
			    h->walk.end == STACK_END_BAD_CFA);
	}
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The limit counts the interrupted instruction; a stack of exactly that depth is whole. */
static void the_depth_limit(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	for (uint32_t before = 0; before <= KERNEL_FRAMES_MAX; before += KERNEL_FRAMES_MAX) {
		make_chain(h, USER_FRAMES_MAX - 1);
		host__walk_after(h, &regs, before);
		walked_chain(h, before, USER_FRAMES_MAX - 1, STACK_END_ROOT);
		make_chain(h, USER_FRAMES_MAX);
		host__walk_after(h, &regs, before);
		walked_chain(h, before, USER_FRAMES_MAX - 1, STACK_END_DEPTH);
		make_chain(h, USER_FRAMES_MAX + 500);
		host__walk_after(h, &regs, before);
		walked_chain(h, before, USER_FRAMES_MAX - 1, STACK_END_DEPTH);
	}
}

/* ---- anything -------------------------------------------------------------------------------- */

static uint64_t any_word(void)
{
	switch (rand() % 5) {
	case 0:
		return 0;
	case 1:
		return ret_addr((unsigned)rand() % FUNCTIONS);
	case 2:
		return stack_addr((size_t)rand() % 600);
	case 3:
		return CODE + (uint64_t)rand() % (FUNCTIONS * FUNCTION_BYTES);
	default:
		return (uint64_t)rand() << 33 ^ (uint64_t)rand();
	}
}

/* Whatever memory, registers and tables hold: the walk ends, says why, and stays within its
 * list. */
static void any_memory(void **state)
{
	struct host *h = *state;

	srand(5);
	h->use_cache = true;
	for (int round = 0; round < 5000; round++) {
		struct unwind_regs regs = {.ip = CODE +
						 (uint64_t)rand() % (FUNCTIONS * FUNCTION_BYTES),
					   .valid = 0xffff,
					   .exact = 1};

		h->walk.generation = 7 + (uint32_t)round % 3;
		for (size_t i = 0; i < 600; i++)
			h->stack[i] = any_word();
		for (unsigned k = 0; k < FUNCTIONS; k++) {
			struct unwind_rule rule;

			for (size_t i = 0; i < sizeof(rule); i++)
				((uint8_t *)&rule)[i] = (uint8_t)rand();
			rule.cfa %= UNWIND_CFA_MAX + 1;
			if (rand() % 2) {
				rule.cfa_reg = rand() % 2 ? RSP : RBP;
				rule.cfa_off = rand() % 200;
				rule.ra = (uint8_t)(rand() % 4);
			}
			host__rule(h, k, rule);
		}
		for (unsigned i = 0; i < 16; i++)
			regs.r[i] = any_word();
		regs.sp = regs.r[RSP] = rand() % 8 ? stack_addr((size_t)rand() % 64) : any_word();
		walk_from(h, &regs);
		assert_in_range(h->walk.n, 1, USER_FRAMES_MAX);
		assert_int_equal(h->frames[h->walk.n], UNTOUCHED);
		assert_in_range(h->walk.end, STACK_END_ROOT, STACK_END_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_host(reads_are_few),
	    in_host(a_fault_at_every_read),
	    in_host(a_stack_at_the_end_of_its_pages),
	    in_host(a_stack_pointer_that_is_not_aligned),
	    in_host(stack_pointers_to_nowhere),
	    in_host(the_depth_limit),
	    in_host(any_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
