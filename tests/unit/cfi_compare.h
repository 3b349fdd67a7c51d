/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds unwind rules against what libdw says about the same addresses. Both are evaluated for
 * made-up registers and memory, and must give the same caller.
 */
#ifndef TESTS_CFI_COMPARE_H
#define TESTS_CFI_COMPARE_H

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "tests/unit/unwind_lookup.h"

#define COMPARE_RA 16 /* x86-64 */
#define COMPARE_SP 7
#define COMPARE_RBX 3

struct cfi_comparison {
	uint64_t n_places;
	uint64_t n_unknown;    /* no rule can say it, as far as the caller's frame goes */
	uint64_t n_lost;       /* a saved register is given up that libdw knows */
	uint64_t n_missing;    /* libdw knows about code of which the table does not */
	uint64_t n_mismatches; /* must be none */
	bool print;
};

static inline uint64_t compare_reg(uint64_t reg, uint64_t pc)
{
	return reg == COMPARE_RA ? pc : hash_mix(reg, 1) & ~7ul;
}

static inline uint64_t compare_memory(uint64_t addr)
{
	return hash_mix(addr, 2);
}

/* Runs an operator that takes two values. */
static inline uint64_t compare_operate(uint8_t atom, uint64_t a, uint64_t b)
{
	switch (atom) {
	case DW_OP_plus:
		return a + b;
	case DW_OP_minus:
		return a - b;
	case DW_OP_mul:
		return a * b;
	case DW_OP_and:
		return a & b;
	case DW_OP_shl:
		return a << b;
	case DW_OP_ge:
		return (int64_t)a >= (int64_t)b;
	default:
		fprintf(stderr, "operator %#x\n", atom);
		abort();
	}
}

/* Evaluates libdw's operations; *RET_IS_PLACE where the result is an address of memory. */
static inline uint64_t compare_evaluate(const Dwarf_Op *ops, size_t n, uint64_t cfa, uint64_t pc,
					bool *ret_is_place)
{
	uint64_t s[64] = {0};
	size_t k = 1;

	*ret_is_place = true;
	for (size_t i = 0; i < n; i++) {
		uint8_t atom = ops[i].atom;

		assert(k >= 1 && k < 60);
		if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
			s[k++] = compare_reg(atom - DW_OP_breg0, pc) + ops[i].number;
		else if (atom == DW_OP_bregx)
			s[k++] = compare_reg(ops[i].number, pc) + ops[i].number2;
		else if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
			s[k++] = atom - DW_OP_lit0;
		else if (atom >= DW_OP_const1u && atom <= DW_OP_consts)
			s[k++] = ops[i].number;
		else if (atom == DW_OP_call_frame_cfa)
			s[k++] = cfa;
		else if (atom == DW_OP_plus_uconst)
			s[k - 1] += ops[i].number;
		else if (atom == DW_OP_deref)
			s[k - 1] = compare_memory(s[k - 1]);
		else if (atom == DW_OP_drop)
			k--;
		else if (atom == DW_OP_stack_value)
			*ret_is_place = false;
		else if (atom == DW_OP_regx) {
			s[k++] = compare_reg(ops[i].number, pc);
			*ret_is_place = false;
		} else {
			s[k - 2] = compare_operate(atom, s[k - 2], s[k - 1]);
			k--;
		}
	}
	return s[k - 1];
}

enum compare_verdict { COMPARE_UNDEFINED, COMPARE_VALUE };

/* What libdw says about the caller's REG. */
static inline enum compare_verdict compare_libdw_reg(Dwarf_Frame *frame, int reg, uint64_t cfa,
						     uint64_t pc, uint64_t *ret)
{
	Dwarf_Op mem[3], *ops;
	bool is_place;
	size_t n;

	if (dwarf_frame_register(frame, reg, mem, &ops, &n) < 0)
		abort();
	/* libdw takes rbx for a register that nobody keeps, unless it is told otherwise. */
	if (n == 0 && ops == mem && reg != COMPARE_RBX)
		return COMPARE_UNDEFINED;
	if (n == 0) {
		*ret = compare_reg((uint64_t)reg, pc);
		return COMPARE_VALUE;
	}
	*ret = compare_evaluate(ops, n, cfa, pc, &is_place);
	if (is_place)
		*ret = compare_memory(*ret);
	return COMPARE_VALUE;
}

static inline uint64_t compare_cfa(const struct unwind_rule *rule, uint64_t pc)
{
	uint64_t reg = compare_reg(rule->cfa_reg, pc), off = (uint64_t)(int64_t)rule->cfa_off,
		 off2 = (uint64_t)(int64_t)rule->cfa_off2, sp = compare_reg(COMPARE_SP, pc);

	switch (rule->cfa) {
	case UNWIND_CFA_REG:
		return reg + off;
	case UNWIND_CFA_DEREF:
		return compare_memory(reg + off) + off2;
	case UNWIND_CFA_DEREF_INDEXED:
		return compare_memory(compare_reg(rule->cfa_reg & 15, pc) +
				      8 * compare_reg(rule->cfa_reg >> 4, pc) + off) +
		       off2;
	case UNWIND_CFA_PLT:
		return sp + 8 + ((int64_t)(pc & 15) >= rule->cfa_off ? 8 : 0);
	case UNWIND_CFA_SIGNAL:
		return compare_memory(sp + 160);
	default:
		abort();
	}
}

/* Where struct ucontext has the registers that are followed. */
static inline uint64_t compare_ucontext(int reg)
{
	static const uint8_t at[] = {
	    [3] = 128, [6] = 120, [12] = 72, [13] = 80, [14] = 88, [15] = 96, [16] = 168};

	return at[reg];
}

/* What RULE says about register I of those that it tells about, or the return address. */
static inline enum compare_verdict compare_rule_reg(const struct unwind_rule *rule, int i,
						    uint64_t cfa, uint64_t pc, uint64_t *ret)
{
	static const uint8_t saved[] = UNWIND_SAVED_X86_64;
	bool is_ra = i == UNWIND_N_SAVED;
	int reg = is_ra ? COMPARE_RA : saved[i];

	if (rule->cfa == UNWIND_CFA_SIGNAL)
		*ret = compare_memory(compare_reg(COMPARE_SP, pc) + compare_ucontext(reg));
	else if (is_ra && rule->ra == 0)
		return COMPARE_UNDEFINED;
	else if (is_ra && rule->ra >= UNWIND_RA_REG)
		*ret = compare_reg(rule->ra - UNWIND_RA_REG, pc);
	else if (is_ra)
		*ret = compare_memory(cfa - 8ull * rule->ra);
	else if (rule->saved[i] == 0)
		*ret = compare_reg((uint64_t)reg, pc);
	else if (rule->saved[i] == UNWIND_SAVED_LOST)
		return COMPARE_UNDEFINED;
	else if (rule->flags & UNWIND_FLAG_SAVED_AT_REG)
		*ret =
		    compare_memory(compare_reg(rule->cfa_reg, pc) - 8ull * (rule->saved[i] - 1ull));
	else
		*ret = compare_memory(cfa - 8ull * rule->saved[i]);
	return COMPARE_VALUE;
}

static inline void compare_print(const char *what, uint64_t pc, const struct unwind_rule *rule)
{
	printf("%s at %#" PRIx64 ": cfa %u reg %u off %d off2 %d ra %u flags %u saved", what, pc,
	       rule->cfa, rule->cfa_reg, rule->cfa_off, rule->cfa_off2, rule->ra, rule->flags);
	for (int i = 0; i < UNWIND_N_SAVED; i++)
		printf(" %u", rule->saved[i]);
	printf("\n");
}

/* Whether register I, which libdw finds as THEIRS, has been popped, as RULE has it: compilers
 * leave it where it was saved, although that lies below the stack pointer then. */
static inline bool is_popped(const struct unwind_rule *rule, int i, uint64_t cfa, uint64_t theirs)
{
	if (i >= UNWIND_N_SAVED || rule->saved[i] || rule->cfa_reg != COMPARE_SP)
		return false;
	for (int k = 1; k <= UNWIND_N_SAVED; k++)
		if (theirs == compare_memory(cfa - (uint64_t)rule->cfa_off - 8ull * (unsigned)k))
			return true;
	return false;
}

/* True where RULE is right about the caller of PC, or does not say. */
static inline bool compare_frame(Dwarf_Frame *frame, const struct unwind_rule *rule, uint64_t pc,
				 struct cfi_comparison *result)
{
	static const uint8_t saved[] = UNWIND_SAVED_X86_64;
	uint64_t cfa, theirs = 0, ours = 0;
	Dwarf_Op *ops;
	bool is_place;
	size_t n;

	if (rule->cfa == UNWIND_CFA_NONE) {
		result->n_unknown++;
		return true;
	}
	if (rule->cfa == UNWIND_CFA_ROOT)
		return compare_libdw_reg(frame, COMPARE_RA, 0, pc, &theirs) == COMPARE_UNDEFINED;
	if (rule->cfa == UNWIND_CFA_FRAME || dwarf_frame_cfa(frame, &ops, &n) < 0)
		return false;
	cfa = compare_evaluate(ops, n, 0, pc, &is_place);
	if (cfa != compare_cfa(rule, pc))
		return false;
	for (int i = 0; i <= UNWIND_N_SAVED; i++) {
		int reg = i == UNWIND_N_SAVED ? COMPARE_RA : saved[i];
		enum compare_verdict a = compare_libdw_reg(frame, reg, cfa, pc, &theirs),
				     b = compare_rule_reg(rule, i, cfa, pc, &ours);

		if (b == COMPARE_UNDEFINED && i < UNWIND_N_SAVED)
			result->n_lost += a != b;
		else if (a == b && is_popped(rule, i, cfa, theirs))
			continue;
		else if (a != b || theirs != ours)
			return false;
	}
	return true;
}

static inline void compare_place(Dwarf_Frame *frame, const struct elf_file *file,
				 const struct unwind_line *lines, uint64_t pc,
				 struct cfi_comparison *result)
{
	struct unwind_rule rule = unwind_lookup(lines, file, pc);
	uint64_t unknown = result->n_unknown;

	result->n_places++;
	if (rule.flags & UNWIND_FLAG_GUESSED) {
		result->n_missing++;
		if (result->print)
			compare_print("missing", pc, &rule);
	} else if (!compare_frame(frame, &rule, pc, result)) {
		result->n_mismatches++;
		compare_print("mismatch", pc, &rule);
	} else if (result->print && result->n_unknown > unknown) {
		compare_print("unknown", pc, &rule);
	}
}

/* Compares at the start and the end of each row that libdw has for [START, END). */
static inline void compare_range(Dwarf_CFI *cfi, const struct elf_file *file,
				 const struct unwind_line *lines, uint64_t start, uint64_t end,
				 struct cfi_comparison *result)
{
	uint64_t pc = start;

	while (pc < end) {
		Dwarf_Addr from, to;
		Dwarf_Frame *frame;
		bool is_signal;

		if (dwarf_cfi_addrframe(cfi, pc, &frame) != 0) {
			/* Functions are aligned, the end of a row need not be. */
			pc++;
			continue;
		}
		if (dwarf_frame_info(frame, &from, &to, &is_signal) < 0)
			abort();
		compare_place(frame, file, lines, pc, result);
		if (to <= pc + 1)
			to = pc + 1;
		else if (to - 1 < end)
			compare_place(frame, file, lines, to - 1, result);
		pc = to;
		free(frame);
	}
}

static inline void compare_file(Dwarf_CFI *cfi, const struct elf_file *file,
				const struct unwind_line *lines, struct cfi_comparison *result)
{
	size_t n;
	const struct elf_segment *code = elf_file__code(file, &n);

	for (size_t i = 0; i < n; i++)
		compare_range(cfi, file, lines, code[i].vaddr, code[i].vaddr + code[i].n_bytes,
			      result);
}

#endif
