/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi_program.h"

#include <dwarf.h>
#include <stddef.h>

#include "symbolizer/cfi_expr.h"

/* Not in the dwarf.h of every libdw; the second is new in 2024. */
#define OP_MIPS_ADVANCE_LOC8 0x1d
#define OP_AARCH64_NEGATE_RA_STATE_WITH_PC 0x2c
#define OP_WINDOW_SAVE 0x2d /* of AArch64: negate_ra_state */

#define PRIMARY 0xc0 /* mask of the opcodes that have an operand in their low bits */

struct program {
	const struct cfi_abi *abi;
	const struct cfi_common *common;
	const struct cfi_bases *bases;
	struct unwind_table *t; /* NULL: the program of a CIE, which stays where it is */
	struct cursor c;
	uint64_t loc, end;
	struct cfi_state state;
	bool is_new; /* the state has no row yet */
	bool is_past_end;
	struct cfi_state *remembered;
	unsigned depth;
};

static int64_t wrap_multiply(uint64_t n, int64_t by)
{
	return (int64_t)(n * (uint64_t)by);
}

static int emit(struct program *p)
{
	struct unwind_rule rule;

	if (!p->is_new || !p->t || p->loc >= p->end)
		return CFI_OK;
	p->is_new = false;
	rule = cfi_state__rule(&p->state, p->abi, p->common->is_signal);
	return unwind_table__row(p->t, p->loc, &rule);
}

static int go_to(struct program *p, uint64_t loc)
{
	int r;

	if (!p->t || loc < p->loc)
		return CFI_BAD;
	r = emit(p);
	p->loc = loc;
	p->is_past_end = loc >= p->end;
	return r;
}

static int advance(struct program *p, uint64_t delta)
{
	uint64_t bytes, loc;

	if (__builtin_mul_overflow(delta, p->common->code_align, &bytes) ||
	    __builtin_add_overflow(p->loc, bytes, &loc))
		return CFI_BAD;
	return delta ? go_to(p, loc) : CFI_OK;
}

static int set_loc(struct program *p)
{
	uint64_t loc;

	if (!p->t || !cfi_pointer_read(&p->c, p->common->encoding, p->bases, &loc))
		return CFI_BAD;
	return go_to(p, loc);
}

static int set_reg(struct program *p, uint64_t reg, struct cfi_reg rule)
{
	unsigned slot = cfi_abi__slot(p->abi, reg);

	if (slot == CFI_SLOT_MAX)
		return CFI_OK;
	p->state.regs[slot] = rule;
	p->is_new = true;
	return CFI_OK;
}

static int set_offset(struct program *p, uint64_t reg, uint64_t factored)
{
	int64_t off = wrap_multiply(factored, p->common->data_align);

	return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_OFFSET, .off = off});
}

/* The register's value is the CFA and something: of use for the stack pointer only, if it is 0. */
static int set_value(struct program *p, uint64_t reg, uint64_t factored)
{
	bool is_sp = reg == p->abi->sp && factored == 0;

	return set_reg(p, reg, (struct cfi_reg){.kind = is_sp ? CFI_REG_SAME : CFI_REG_OTHER});
}

static int set_in_register(struct program *p, uint64_t reg, uint64_t other)
{
	if (reg == other)
		return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_SAME});
	if (other >= UNWIND_REGS_MAX)
		return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_OTHER});
	return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_REGISTER, .reg = (uint8_t)other});
}

static int restore(struct program *p, uint64_t reg)
{
	unsigned slot = cfi_abi__slot(p->abi, reg);

	if (!p->t)
		return CFI_BAD;
	return slot == CFI_SLOT_MAX ? CFI_OK : set_reg(p, reg, p->common->initial.regs[slot]);
}

/* An expression for the place where the register is saved, or, IS_VALUE, for its value. */
static int set_expression(struct program *p, uint64_t reg, bool is_value)
{
	static const struct cfi_value cfa = {.kind = CFI_VALUE_REG, .reg = CFI_REG_CFA};
	struct cursor expr = cursor__take(&p->c, cursor__uleb(&p->c));
	struct cfi_value place = cfi_expr_value(expr, &cfa, p->abi->pc);
	struct cfi_reg rule = {.kind = CFI_REG_OTHER};

	/* A value that was read somewhere is saved there. */
	if (place.kind == (is_value ? CFI_VALUE_DEREF : CFI_VALUE_REG) && place.off2 == 0) {
		rule.kind = place.reg == CFI_REG_CFA ? CFI_REG_OFFSET : CFI_REG_AT;
		rule.reg = place.reg;
		rule.off = place.off;
	} else if (is_value && place.kind == CFI_VALUE_REG && place.reg == CFI_REG_CFA &&
		   place.off == 0) {
		return set_value(p, reg, 0);
	}
	return set_reg(p, reg, rule);
}

/* The instructions that begin with a register, the others are unknown. */
static int step_reg(struct program *p, uint8_t op)
{
	uint64_t reg = cursor__uleb(&p->c);

	switch (op) {
	case DW_CFA_offset_extended:
		return set_offset(p, reg, cursor__uleb(&p->c));
	case DW_CFA_offset_extended_sf:
		return set_offset(p, reg, (uint64_t)cursor__sleb(&p->c));
	case DW_CFA_GNU_negative_offset_extended:
		return set_offset(p, reg, 0 - cursor__uleb(&p->c));
	case DW_CFA_val_offset:
		return set_value(p, reg, cursor__uleb(&p->c));
	case DW_CFA_val_offset_sf:
		return set_value(p, reg, (uint64_t)cursor__sleb(&p->c));
	case DW_CFA_restore_extended:
		return restore(p, reg);
	case DW_CFA_undefined:
		return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_UNDEFINED});
	case DW_CFA_same_value:
		return set_reg(p, reg, (struct cfi_reg){.kind = CFI_REG_SAME});
	case DW_CFA_register:
		return set_in_register(p, reg, cursor__uleb(&p->c));
	case DW_CFA_expression:
		return set_expression(p, reg, false);
	case DW_CFA_val_expression:
		return set_expression(p, reg, true);
	default:
		return CFI_BAD;
	}
}

static void set_cfa(struct program *p, uint64_t reg, int64_t off)
{
	/* A register that no rule can name makes these rows unknown, not the function. */
	p->state.cfa = (struct cfi_value){
	    .kind = reg < UNWIND_REGS_MAX ? CFI_VALUE_REG : CFI_VALUE_OTHER,
	    .reg = (uint8_t)reg,
	    .off = off,
	};
	p->is_new = true;
}

/* Sets only one half of a CFA, which must have two. */
static void set_cfa_reg(struct program *p, uint64_t reg)
{
	bool has_off = p->state.cfa.kind == CFI_VALUE_REG;

	set_cfa(p, has_off ? reg : UNWIND_REGS_MAX, p->state.cfa.off);
}

static void set_cfa_off(struct program *p, int64_t off)
{
	bool has_reg = p->state.cfa.kind == CFI_VALUE_REG;

	set_cfa(p, has_reg ? p->state.cfa.reg : UNWIND_REGS_MAX, off);
}

/* True where OP was an instruction about the CFA. */
static bool step_cfa(struct program *p, uint8_t op)
{
	int64_t data_align = p->common->data_align;
	struct cursor *c = &p->c;
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = cursor__uleb(c);
		set_cfa(p, reg, (int64_t)cursor__uleb(c));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = cursor__uleb(c);
		set_cfa(p, reg, wrap_multiply((uint64_t)cursor__sleb(c), data_align));
		return true;
	case DW_CFA_def_cfa_register:
		set_cfa_reg(p, cursor__uleb(c));
		return true;
	case DW_CFA_def_cfa_offset:
		set_cfa_off(p, (int64_t)cursor__uleb(c));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		set_cfa_off(p, wrap_multiply((uint64_t)cursor__sleb(c), data_align));
		return true;
	case DW_CFA_def_cfa_expression:
		p->state.cfa = cfi_expr_value(cursor__take(c, cursor__uleb(c)), NULL, p->abi->pc);
		p->is_new = true;
		return true;
	default:
		return false;
	}
}

static int remember(struct program *p)
{
	if (p->depth == CFI_REMEMBER_MAX)
		return CFI_BAD;
	p->remembered[p->depth++] = p->state;
	return CFI_OK;
}

static int recall(struct program *p)
{
	if (p->depth == 0)
		return CFI_BAD;
	p->state = p->remembered[--p->depth];
	p->is_new = true;
	return CFI_OK;
}

static int step(struct program *p)
{
	uint8_t op = cursor__u8(&p->c), low = op & (uint8_t)~PRIMARY;

	switch (op & PRIMARY ? op & PRIMARY : op) {
	case DW_CFA_advance_loc:
		return advance(p, low);
	case DW_CFA_offset:
		return set_offset(p, low, cursor__uleb(&p->c));
	case DW_CFA_restore:
		return restore(p, low);
	case DW_CFA_nop:
	case OP_WINDOW_SAVE:
	case OP_AARCH64_NEGATE_RA_STATE_WITH_PC:
		return CFI_OK;
	case DW_CFA_set_loc:
		return set_loc(p);
	case DW_CFA_advance_loc1:
		return advance(p, cursor__u8(&p->c));
	case DW_CFA_advance_loc2:
		return advance(p, cursor__u16(&p->c));
	case DW_CFA_advance_loc4:
		return advance(p, cursor__u32(&p->c));
	case OP_MIPS_ADVANCE_LOC8:
		return advance(p, cursor__u64(&p->c));
	case DW_CFA_remember_state:
		return remember(p);
	case DW_CFA_restore_state:
		return recall(p);
	case DW_CFA_GNU_args_size:
		cursor__uleb(&p->c);
		return CFI_OK;
	default:
		return step_cfa(p, op) ? CFI_OK : step_reg(p, op);
	}
}

static int run(struct program *p)
{
	int r = CFI_OK;

	while (r == CFI_OK && !p->is_past_end && cursor__left(&p->c) > 0)
		r = step(p);
	if (r == CFI_OK && p->c.failed)
		r = CFI_BAD;
	return r == CFI_OK ? emit(p) : r;
}

int cfi_program_run_common(const struct cfi_abi *abi, struct cfi_common *common,
			   struct cursor program, struct cfi_scratch *scratch)
{
	struct program p = {
	    .abi = abi,
	    .common = common,
	    .c = program,
	    .state = abi->at_entry,
	    .remembered = scratch->remembered,
	};
	int r = run(&p);

	if (r == CFI_OK)
		common->initial = p.state;
	return r;
}

int cfi_program_run(const struct cfi_abi *abi, const struct cfi_function *function,
		    struct unwind_table *t, struct cfi_scratch *scratch)
{
	struct program p = {
	    .abi = abi,
	    .common = function->common,
	    .bases = &function->bases,
	    .t = t,
	    .c = function->program,
	    .loc = function->start,
	    .end = function->end,
	    .state = function->common->initial,
	    .is_new = true,
	    .remembered = scratch->remembered,
	};

	return run(&p);
}
