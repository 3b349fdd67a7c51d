/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi_rule.h"

#include <elf.h>
#include <stddef.h>

/* System V x86-64 psABI, section 3.4 and table 3.36. */
static const struct cfi_abi x86_64 = {
    .saved = UNWIND_SAVED_X86_64,
    .ra = 16,
    .ra_slot = CFI_SLOT_RA,
    .sp = 7,
    .pc = 16,
    .n_regs = 16,
    .at_entry =
	{
	    .cfa = {.kind = CFI_VALUE_REG, .reg = 7, .off = 8},
	    .regs[CFI_SLOT_RA] = {.kind = CFI_REG_OFFSET, .off = -8},
	},
};

/* DWARF for the Arm 64-bit Architecture, section 4.1. */
static const struct cfi_abi aarch64 = {
    .saved = UNWIND_SAVED_AARCH64,
    .ra = 30,
    .ra_slot = 1,
    .ra_is_register = true,
    .sp = 31,
    .pc = CFI_REG_NONE,
    .n_regs = 32,
    .at_entry = {.cfa = {.kind = CFI_VALUE_REG, .reg = 31}},
};

const struct cfi_abi *cfi_abi_of(uint16_t machine)
{
	return machine == EM_X86_64 ? &x86_64 : machine == EM_AARCH64 ? &aarch64 : NULL;
}

unsigned cfi_abi__slot(const struct cfi_abi *abi, uint64_t reg)
{
	if (reg == abi->sp)
		return CFI_SLOT_SP;
	if (reg == abi->ra)
		return abi->ra_slot;
	for (unsigned i = 0; i < UNWIND_N_SAVED; i++)
		if (abi->saved[i] == reg)
			return i;
	return CFI_SLOT_MAX;
}

/* A slot at OFF of some base, in words downwards. False where there is none from FIRST to LAST. */
static bool words_down(int64_t off, int64_t first, int64_t last, uint8_t *ret)
{
	if (off % 8 != 0 || off > -8 * first || off < -8 * last)
		return false;
	*ret = (uint8_t)(-off / 8);
	return true;
}

/* Where REG is saved as an offset from the CFA, also if it was said by the register that the CFA
 * comes from. */
static bool offset_from_cfa(const struct cfi_reg *reg, const struct cfi_value *cfa, int64_t *ret)
{
	if (reg->kind == CFI_REG_OFFSET) {
		*ret = reg->off;
		return true;
	}
	if (reg->kind != CFI_REG_AT || cfa->kind != CFI_VALUE_REG || cfa->reg != reg->reg)
		return false;
	*ret = (int64_t)((uint64_t)reg->off - (uint64_t)cfa->off);
	return true;
}

static bool set_cfa(struct unwind_rule *rule, const struct cfi_value *cfa,
		    const struct cfi_abi *abi)
{
	if (cfa->reg >= abi->n_regs || cfa->off < INT32_MIN || cfa->off > INT32_MAX)
		return false;
	rule->cfa_reg = cfa->reg;
	rule->cfa_off = (int32_t)cfa->off;
	switch (cfa->kind) {
	case CFI_VALUE_REG:
		rule->cfa = UNWIND_CFA_REG;
		return true;
	case CFI_VALUE_DEREF_INDEXED:
		if (cfa->reg >= 16 || cfa->index >= 16 || cfa->index >= abi->n_regs)
			return false;
		rule->cfa_reg = (uint8_t)(cfa->reg | cfa->index << 4);
		rule->cfa = UNWIND_CFA_DEREF_INDEXED;
		break;
	case CFI_VALUE_DEREF:
		rule->cfa = UNWIND_CFA_DEREF;
		break;
	case CFI_VALUE_PLT:
		if (cfa->reg != abi->sp || cfa->off != 8 || cfa->off2 < 0 || cfa->off2 > 15)
			return false;
		rule->cfa = UNWIND_CFA_PLT;
		rule->cfa_off = (int32_t)cfa->off2;
		return true;
	default:
		return false;
	}
	if (cfa->off2 < INT16_MIN || cfa->off2 > INT16_MAX)
		return false;
	rule->cfa_off2 = (int16_t)cfa->off2;
	return true;
}

static bool set_ra(struct unwind_rule *rule, const struct cfi_state *state,
		   const struct cfi_abi *abi)
{
	const struct cfi_reg *ra = &state->regs[abi->ra_slot];
	int64_t off;

	if (offset_from_cfa(ra, &state->cfa, &off))
		return words_down(off, 1, UNWIND_RA_SLOT_MAX, &rule->ra);
	if (ra->kind == CFI_REG_SAME && abi->ra_is_register) {
		rule->ra = UNWIND_RA_REG + abi->ra;
		return true;
	}
	if (ra->kind != CFI_REG_REGISTER || ra->reg >= abi->n_regs)
		return false;
	rule->ra = UNWIND_RA_REG + ra->reg;
	return true;
}

/*
 * The register that saved registers are found by, where that is not the one the CFA comes from by
 * mere addition; CFI_REG_NONE = none. Functions that align their stack (GCC's DRAP) have all by
 * the frame pointer, and the CFA in a word below it or, in their prologue and epilogue, by a
 * register of its own.
 */
static uint8_t saved_at(const struct cfi_state *state, const struct cfi_abi *abi)
{
	bool is_reg = state->cfa.kind == CFI_VALUE_REG;

	if (!is_reg && state->cfa.kind != CFI_VALUE_DEREF)
		return CFI_REG_NONE;
	for (unsigned i = 0; i < UNWIND_N_SAVED; i++) {
		const struct cfi_reg *reg = &state->regs[i];
		uint8_t words;

		if (reg->kind == CFI_REG_AT && (reg->reg == state->cfa.reg) != is_reg &&
		    reg->reg < abi->n_regs &&
		    words_down(reg->off, 0, UNWIND_SAVED_SLOT_MAX - 1, &words))
			return reg->reg;
	}
	return CFI_REG_NONE;
}

static uint8_t saved(const struct cfi_reg *reg, const struct cfi_value *cfa, uint8_t at)
{
	uint8_t words;
	int64_t off;

	if (reg->kind == CFI_REG_SAME)
		return 0;
	if (at == CFI_REG_NONE && offset_from_cfa(reg, cfa, &off) &&
	    words_down(off, 1, UNWIND_SAVED_SLOT_MAX, &words))
		return words;
	if (at != CFI_REG_NONE && reg->kind == CFI_REG_AT && reg->reg == at &&
	    words_down(reg->off, 0, UNWIND_SAVED_SLOT_MAX - 1, &words))
		return (uint8_t)(words + 1);
	return UNWIND_SAVED_LOST;
}

static void set_saved(struct unwind_rule *rule, const struct cfi_state *state,
		      const struct cfi_abi *abi)
{
	uint8_t at = saved_at(state, abi);
	bool is_reg = state->cfa.kind == CFI_VALUE_REG;

	for (unsigned i = 0; i < UNWIND_N_SAVED; i++)
		rule->saved[i] = saved(&state->regs[i], &state->cfa, at);
	if (at == CFI_REG_NONE)
		return;
	/* The return instruction of such a function: GCC does not say that all are back by then,
	 * the register that they would be found by among them. */
	if (is_reg && state->cfa.reg == abi->sp) {
		for (unsigned i = 0; i < UNWIND_N_SAVED; i++)
			if (state->regs[i].kind == CFI_REG_AT && state->regs[i].reg == at)
				rule->saved[i] = 0;
		return;
	}
	rule->flags |= UNWIND_FLAG_SAVED_AT_REG;
	if (is_reg)
		rule->cfa_off2 = at;
}

struct unwind_rule cfi_state__rule(const struct cfi_state *state, const struct cfi_abi *abi,
				   bool is_signal)
{
	static const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	static const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	static const struct unwind_rule signal = {.cfa = UNWIND_CFA_SIGNAL};
	struct unwind_rule rule = {0};

	if (state->regs[abi->ra_slot].kind == CFI_REG_UNDEFINED)
		return root;
	/* Some authors mark ordinary frames so, to have the caller looked up exactly. */
	if (is_signal && (state->cfa.kind != CFI_VALUE_REG || abi->ra_is_register))
		return signal;
	if (!set_ra(&rule, state, abi))
		return is_signal ? signal : none;
	if (!set_cfa(&rule, &state->cfa, abi) || state->regs[CFI_SLOT_SP].kind != CFI_REG_SAME)
		return none;
	set_saved(&rule, state, abi);
	if (is_signal)
		rule.flags |= UNWIND_FLAG_EXACT;
	return rule;
}
