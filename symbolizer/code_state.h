/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known about the registers and the stack before an instruction, and what unwind rule
 * follows from it.
 *
 * An abstract interpreter of x86-64: a value is unknown, or what a register held when the function
 * was entered, or an address a fixed number of bytes away from one that does not change: the
 * canonical frame address (CFA), or wherever the stack pointer came to lie when it was aligned or
 * moved by an amount that is not known. Memory is believed to change only through addresses that
 * can be told apart from the saved registers; hand-written code keeps to that, and a rule that is
 * derived here is only a guess for whoever uses it.
 */
#ifndef SYMBOLIZER_CODE_STATE_H
#define SYMBOLIZER_CODE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "symbolizer/code_insn.h"

enum code_kind {
	CODE_UNKNOWN,
	CODE_ENTRY, /* what register `reg` held at the entry */
	CODE_ADDR,  /* base + off */
	CODE_CONST, /* off */
};

/* Bases of addresses: the CFA; the stack pointer of a function that runs in the frame of another
 * one; 1 + the instruction that made a base; that and JOIN where paths with different ones met. */
#define CODE_BASE_CFA 0u
#define CODE_BASE_OUTER UINT32_MAX
#define CODE_BASE_JOIN (1u << 31)

struct code_value {
	uint32_t base;
	int32_t off;
	uint8_t kind; /* enum code_kind */
	uint8_t reg;
};

struct code_slot {
	uint32_t base;
	int32_t off;
	struct code_value value;
};

/* Six saved registers, the CFA, and as many spilled addresses again. */
#define CODE_SLOTS_MAX 24

struct code_state {
	struct code_value regs[CODE_N_REGS]; /* that of rsp is always an address */
	struct code_slot slots[CODE_SLOTS_MAX];
	struct code_value compared; /* with rsp, by the instruction before */
	uint8_t n_slots;
	bool in_outer_frame; /* see code_state__enter_outer() */
	bool after_clone;    /* clone() has returned, in the parent or the child */
	bool is_child;	     /* in the child: there is no caller */
	bool has_changed;    /* set by whatever may change the rule; cleared by who asks for it */
};

static inline bool code_value_is_entry(const struct code_value *v, unsigned reg)
{
	return v->kind == CODE_ENTRY && v->reg == reg;
}

static inline bool code_value_is_cfa(const struct code_value *v)
{
	return v->kind == CODE_ADDR && v->base == CODE_BASE_CFA;
}

/* The state at the entry of a function that was called. */
void code_state__enter(struct code_state *s);

/* The same, where the stack pointer lies at CFA + OFF and nothing is known about the registers. */
void code_state__enter_at(struct code_state *s, int32_t off);

/* The state of code that runs in the frame of some function, through that one's frame pointer:
 * handlers of interpreters, which jump from one to the next. */
void code_state__enter_outer(struct code_state *s);

/* Whether INSN reaches for memory around the frame pointer of a caller, which was not saved. */
bool code_state__uses_outer_frame(const struct code_state *s, const struct code_insn *insn);

/* Whether INSN reaches for memory through what a caller had in its own registers, or for the
 * caller's frame: then this is no function that was just called. */
bool code_state__uses_callers_regs(const struct code_state *s, const struct code_insn *insn);

/* Does INSN. False where the code ends: the system call does not return. */
bool code_state__step(struct code_state *s, const struct code_insn *insn);

/* What a conditional jump tells those who do not take it. */
void code_state__fall_through(struct code_state *s, const struct code_insn *jump);

/*
 * Takes from S what does not hold in OTHER, which arrives at the same instruction, AT. False where
 * that would leave nothing to unwind by: then S stays as it was, and the two contradict each other.
 * *RET_CHANGED: S holds less than before.
 */
bool code_state__join(struct code_state *s, const struct code_state *other, uint32_t at,
		      bool *ret_changed);

/* The rule that follows, or false where none does. In code_rule.c. */
bool code_state__rule(const struct code_state *s, struct unwind_rule *ret);

/* What lies in memory at ADDR. */
struct code_value code_state__load(const struct code_state *s, const struct code_value *addr);

/* Where the stack pointer lies, relative to the CFA. False where that is not known. */
bool code_state__depth(const struct code_state *s, int32_t *ret_off);

#endif
