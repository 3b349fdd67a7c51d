/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a walk works on, made by hand: a process with one stack and one piece of code, and the
 * unwind memory as the collector would have written it.
 *
 * The code is one file of FUNCTIONS functions of 256 bytes, mapped at CODE. Function K has one
 * rule, host__rule(), and is called by an instruction that ends at ret_addr(K - the function
 * returned to).
 */
#ifndef TESTS_UNWIND_HOST_H
#define TESTS_UNWIND_HOST_H

#include "bpf/unwind.bpf.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define STACK 0x7ffc00000000 /* address of stack[0]; a page's start */
#define STACK_WORDS 16384
#define CODE 0x400000
#define FUNCTIONS 64
#define FUNCTION_BYTES 256
#define HOST_LINES 8192

#define SPACE_LINE 1
#define TABLE_LINE 2048

#define UNTOUCHED 0xdeadULL

struct host {
	struct native_memory memory;
	struct unwind_line lines[HOST_LINES];
	uint64_t stack[STACK_WORDS];
	uint64_t n_stack_bytes; /* that are in memory */
	uint8_t code[FUNCTIONS * FUNCTION_BYTES];
	bool no_code; /* not in memory */
	struct unwind_walk walk;
	struct unwind_cache cache;
	bool use_cache;
	uint64_t frames[SAMPLE_FRAMES_MAX + 1]; /* one more, which nobody may touch */
};

static inline bool host__read(void *ctx, uint64_t addr, void *dst, size_t size)
{
	const struct host *h = ctx;

	if (addr >= STACK && addr - STACK < h->n_stack_bytes &&
	    size <= h->n_stack_bytes - (addr - STACK)) {
		memcpy(dst, (const char *)h->stack + (addr - STACK), size);
		return true;
	}
	if (!h->no_code && addr >= CODE && addr - CODE < sizeof(h->code) &&
	    size <= sizeof(h->code) - (addr - CODE)) {
		memcpy(dst, h->code + (addr - CODE), size);
		return true;
	}
	return false;
}

/* An address in function K that follows a call. */
static inline uint64_t ret_addr(unsigned k)
{
	return CODE + k * FUNCTION_BYTES + 0x20;
}

static inline uint64_t stack_addr(size_t word)
{
	return STACK + 8 * word;
}

/* Lays out a table at LINE: rows at OFFS, ascending from 0, that hold rules of the same number.
 * Returns the line after it. */
static inline uint32_t host__table(struct host *h, uint32_t line, const uint64_t *offs,
				   const struct unwind_rule *rules, uint32_t n, uint64_t start,
				   uint64_t end, uint32_t shift)
{
	struct unwind_table_head *head = (void *)&h->lines[line];
	uint32_t n_buckets = (uint32_t)((end - start + (1u << shift) - 1) >> shift), row = 0;
	uint32_t *dir, *rows;

	*head = (struct unwind_table_head){.start = start,
					   .shift = shift,
					   .n_buckets = n_buckets,
					   .n_rows = n,
					   .n_rules = n,
					   .dir_line = 1};
	head->row_line = 1 + n_buckets / UNWIND_LINE_WORDS + 1;
	head->rule_line = head->row_line + (n - 1) / UNWIND_LINE_WORDS + 1;
	head->n_lines = head->rule_line + (n - 1) / UNWIND_RULES_PER_LINE + 1;
	assert(line + head->n_lines <= HOST_LINES);
	dir = h->lines[line + head->dir_line].w;
	rows = h->lines[line + head->row_line].w;
	for (uint32_t i = 0; i < n; i++)
		rows[i] = unwind_row(offs[i], i);
	for (uint64_t b = 0; b <= n_buckets; b++) {
		while (row < n && offs[row] < start + (b << shift))
			row++;
		dir[b] = row;
	}
	memcpy(&h->lines[line + head->rule_line], rules, n * sizeof(*rules));
	return line + head->n_lines;
}

static inline struct unwind_mapping *host__mappings(struct host *h)
{
	return (void *)&h->lines[SPACE_LINE + 1];
}

static inline void host__mapping(struct host *h, const struct unwind_mapping *m)
{
	struct unwind_space_head *head = (void *)&h->lines[SPACE_LINE];

	host__mappings(h)[head->n_mappings++] = *m;
	assert(head->n_mappings <= UNWIND_MAPPINGS_MAX);
}

/* The rule of function K. */
static inline void host__rule(struct host *h, unsigned k, struct unwind_rule rule)
{
	const struct unwind_table_head *head = (const void *)&h->lines[TABLE_LINE];

	((struct unwind_rule *)&h->lines[TABLE_LINE + head->rule_line])[k] = rule;
}

static inline int host__new(void **state)
{
	static const struct unwind_rule none[FUNCTIONS];
	struct host *h = calloc(1, sizeof(*h));
	struct unwind_space_head *head;
	uint64_t offs[FUNCTIONS];

	*state = h;
	if (!h)
		return -1;
	h->n_stack_bytes = sizeof(h->stack);
	h->memory = (struct native_memory){.lines = h->lines,
					   .n_lines = HOST_LINES,
					   .read = host__read,
					   .ctx = h,
					   .fault_at = SIZE_MAX};
	head = (void *)&h->lines[SPACE_LINE];
	head->generation = 7;
	for (unsigned k = 0; k < FUNCTIONS; k++) {
		offs[k] = k * FUNCTION_BYTES;
		h->code[ret_addr(k) - CODE - 5] = 0xe8; /* call rel32 */
	}
	host__table(h, TABLE_LINE, offs, none, FUNCTIONS, 0, FUNCTIONS * FUNCTION_BYTES,
		    UNWIND_SHIFT_MIN);
	host__mapping(h, &(struct unwind_mapping){.start = CODE,
						  .end = CODE + sizeof(h->code),
						  .code = UNWIND_CODE_TABLE,
						  .table = TABLE_LINE});
	/* The interrupted instruction is the fifth byte of function 0. */
	h->walk = (struct unwind_walk){
	    .regs = {.ip = CODE + 4, .sp = STACK, .valid = 0xffff, .exact = 1},
	    .space = SPACE_LINE,
	    .generation = 7,
	    .all_regs = 1,
	};
	h->walk.regs.r[ARCH_SP] = STACK;
	return 0;
}

static inline int host__free(void **state)
{
	free(*state);
	return 0;
}

/* Walks from REGS, after N_BEFORE kernel frames. */
static inline void host__walk_after(struct host *h, const struct unwind_regs *regs,
				    uint32_t n_before)
{
	struct unwind_walk w = {
	    .regs = *regs,
	    .space = h->walk.space,
	    .generation = h->walk.generation,
	    .all_regs = h->walk.all_regs,
	    .n = n_before + 1,
	    .max = n_before + USER_FRAMES_MAX,
	};

	for (size_t i = 0; i < sizeof(h->frames) / 8; i++)
		h->frames[i] = UNTOUCHED;
	h->frames[n_before] = regs->ip;
	h->walk = w;
	h->memory.n_reads = 0;
	native_memory = &h->memory;
	walk_user(&(struct walk_context){
	    .walk = &h->walk, .frames = h->frames, .cache = h->use_cache ? &h->cache : NULL});
}

/* ---- for short ---------------------------------------------------------------------------- */

enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15 };

/* The places of unwind_rule.saved. */
enum { SAVED_RBX, SAVED_RBP, SAVED_R12, SAVED_R13, SAVED_R14, SAVED_R15 };

#define CFA(reg, off, ret, ...)                                                                    \
	((struct unwind_rule){                                                                     \
	    .cfa = UNWIND_CFA_REG, .cfa_reg = (reg), .cfa_off = (off), .ra = (ret), __VA_ARGS__})
#define ROOT ((struct unwind_rule){.cfa = UNWIND_CFA_ROOT})
#define BY_FRAME ((struct unwind_rule){.cfa = UNWIND_CFA_FRAME})

static inline void walk(struct host *h)
{
	struct unwind_regs regs = h->walk.regs;

	host__walk_after(h, &regs, 0);
}

/* As walk(), from REGS each time. */
static inline void walk_from(struct host *h, const struct unwind_regs *regs)
{
	host__walk_after(h, regs, 0);
}

/* The walk ended with END after the N frames given, the interrupted one included. */
static inline void walked_list(const struct host *h, enum stack_end end, const uint64_t *frames,
			       size_t n)
{
	assert_int_equal(h->walk.end, end);
	assert_int_equal(h->walk.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(h->frames[i], frames[i]);
	assert_int_equal(h->frames[n], UNTOUCHED);
}

#define walked(h, end, ...)                                                                        \
	walked_list(h, end, (const uint64_t[]){CODE + 4, __VA_ARGS__},                             \
		    sizeof((const uint64_t[]){CODE + 4, __VA_ARGS__}) / 8)
#define walked_nowhere(h, end) walked_list(h, end, (const uint64_t[]){CODE + 4}, 1)

/* N frames of 72 bytes that all save rbp; the last has no caller. Function 1 calls itself. */
static inline void make_chain(struct host *h, size_t n)
{
	host__rule(h, 0, CFA(RSP, 72, 1, .saved = {[SAVED_RBP] = 2}));
	host__rule(h, 1, CFA(RSP, 72, 1, .saved = {[SAVED_RBP] = 2}));
	memset(h->stack, 0, sizeof(h->stack));
	for (size_t i = 0; i < n; i++) {
		h->stack[9 * i + 7] = 1000 + i;
		h->stack[9 * i + 8] = ret_addr(1);
	}
}

static inline void walked_chain(const struct host *h, uint32_t n_before, size_t n,
				enum stack_end end)
{
	assert_int_equal(h->walk.end, end);
	assert_int_equal(h->walk.n, n_before + 1 + n);
	for (uint32_t i = 0; i < n_before; i++)
		assert_int_equal(h->frames[i], UNTOUCHED);
	assert_int_equal(h->frames[n_before], CODE + 4);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(h->frames[n_before + 1 + i], ret_addr(1));
	assert_int_equal(h->frames[n_before + 1 + n], UNTOUCHED);
}

#define in_host(fn) cmocka_unit_test_setup_teardown(fn, host__new, host__free)

#endif
