/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi_expr.h"

#include <dwarf.h>
#include <stdbool.h>

/* Real ones need four. */
#define STACK_MAX 16

/* Registers that a rule can name. */
#define REGS_MAX 32

struct stack {
	struct cfi_value v[STACK_MAX];
	unsigned n;
	bool broken; /* the result is not known */
};

static const struct cfi_value other = {.kind = CFI_VALUE_OTHER};

static void push(struct stack *s, struct cfi_value v)
{
	if (s->n == STACK_MAX)
		s->broken = true;
	else
		s->v[s->n++] = v;
}

static struct cfi_value pop(struct stack *s)
{
	if (s->n == 0) {
		s->broken = true;
		return other;
	}
	return s->v[--s->n];
}

/* The value DEPTH below the top. */
static struct cfi_value peek(struct stack *s, unsigned depth)
{
	if (depth >= s->n) {
		s->broken = true;
		return other;
	}
	return s->v[s->n - 1 - depth];
}

static void push_const(struct stack *s, uint64_t v)
{
	push(s, (struct cfi_value){.kind = CFI_VALUE_CONST, .off = (int64_t)v});
}

static void push_reg(struct stack *s, uint64_t reg, int64_t off)
{
	if (reg >= REGS_MAX)
		push(s, other);
	else
		push(s, (struct cfi_value){.kind = CFI_VALUE_REG, .reg = (uint8_t)reg, .off = off});
}

/* Additions wrap around, as they do in the target. */
static int64_t wrap_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static struct cfi_value add_const(struct cfi_value a, int64_t n)
{
	switch (a.kind) {
	case CFI_VALUE_CONST:
	case CFI_VALUE_REG:
	case CFI_VALUE_SCALED:
	case CFI_VALUE_INDEXED:
	case CFI_VALUE_PLT:
		a.off = wrap_add(a.off, n);
		return a;
	case CFI_VALUE_DEREF:
	case CFI_VALUE_DEREF_INDEXED:
		a.off2 = wrap_add(a.off2, n);
		return a;
	default:
		return other;
	}
}

static struct cfi_value add(struct cfi_value a, struct cfi_value b)
{
	if (b.kind == CFI_VALUE_CONST)
		return add_const(a, b.off);
	if (a.kind == CFI_VALUE_CONST)
		return add_const(b, a.off);
	if (a.kind != CFI_VALUE_REG) {
		struct cfi_value swap = a;

		a = b;
		b = swap;
	}
	if (a.kind != CFI_VALUE_REG)
		return other;
	if (b.kind == CFI_VALUE_SCALED) {
		a.kind = CFI_VALUE_INDEXED;
		a.index = b.index;
		a.off = wrap_add(a.off, b.off);
		return a;
	}
	if (b.kind == CFI_VALUE_PC_GE_8) {
		a.kind = CFI_VALUE_PLT;
		a.off2 = b.off2;
		return a;
	}
	return other;
}

static struct cfi_value times_8(struct cfi_value a)
{
	if (a.kind == CFI_VALUE_REG && a.reg < REGS_MAX)
		return (struct cfi_value){.kind = CFI_VALUE_SCALED,
					  .index = a.reg,
					  .off = (int64_t)((uint64_t)a.off * 8)};
	if (a.kind == CFI_VALUE_PC_GE)
		a.kind = CFI_VALUE_PC_GE_8;
	else
		a = other;
	return a;
}

static struct cfi_value deref(struct cfi_value a)
{
	if (a.kind == CFI_VALUE_REG)
		a.kind = CFI_VALUE_DEREF;
	else if (a.kind == CFI_VALUE_INDEXED)
		a.kind = CFI_VALUE_DEREF_INDEXED;
	else
		a = other;
	return a;
}

static bool is_const(struct cfi_value a, int64_t n)
{
	return a.kind == CFI_VALUE_CONST && a.off == n;
}

/* A operated on with B, which lies above it. */
static struct cfi_value operate(uint8_t op, struct cfi_value a, struct cfi_value b, uint8_t pc_reg)
{
	switch (op) {
	case DW_OP_plus:
		return add(a, b);
	case DW_OP_minus:
		return b.kind == CFI_VALUE_CONST ? add_const(a, (int64_t)(0 - (uint64_t)b.off))
						 : other;
	case DW_OP_mul:
		return is_const(b, 8) ? times_8(a) : is_const(a, 8) ? times_8(b) : other;
	case DW_OP_shl:
		return is_const(b, 3) ? times_8(a) : other;
	case DW_OP_and:
		if (a.kind == CFI_VALUE_REG && a.reg == pc_reg && a.off == 0 && is_const(b, 15))
			return (struct cfi_value){.kind = CFI_VALUE_PC_LOW};
		return other;
	case DW_OP_ge:
		if (a.kind == CFI_VALUE_PC_LOW && b.kind == CFI_VALUE_CONST)
			return (struct cfi_value){.kind = CFI_VALUE_PC_GE, .off2 = b.off};
		return other;
	default:
		return other;
	}
}

/* Pushes the constant of the operators DW_OP_const1u … DW_OP_consts. */
static void push_operand(struct stack *s, uint8_t op, struct cursor *c)
{
	switch (op) {
	case DW_OP_const1u:
		return push_const(s, cursor__u8(c));
	case DW_OP_const1s:
		return push_const(s, (uint64_t)(int8_t)cursor__u8(c));
	case DW_OP_const2u:
		return push_const(s, cursor__u16(c));
	case DW_OP_const2s:
		return push_const(s, (uint64_t)(int16_t)cursor__u16(c));
	case DW_OP_const4u:
		return push_const(s, cursor__u32(c));
	case DW_OP_const4s:
		return push_const(s, (uint64_t)(int32_t)cursor__u32(c));
	case DW_OP_const8u:
	case DW_OP_const8s:
		return push_const(s, cursor__u64(c));
	case DW_OP_constu:
		return push_const(s, cursor__uleb(c));
	default:
		return push_const(s, (uint64_t)cursor__sleb(c));
	}
}

/* The operators that move values about. False where OP is none. */
static bool shuffle(struct stack *s, uint8_t op, struct cursor *c)
{
	struct cfi_value a, b;

	switch (op) {
	case DW_OP_dup:
		push(s, peek(s, 0));
		return true;
	case DW_OP_over:
		push(s, peek(s, 1));
		return true;
	case DW_OP_pick:
		push(s, peek(s, cursor__u8(c)));
		return true;
	case DW_OP_drop:
		pop(s);
		return true;
	case DW_OP_swap:
		a = pop(s);
		b = pop(s);
		push(s, a);
		push(s, b);
		return true;
	default:
		return false;
	}
}

static void step(struct stack *s, uint8_t op, struct cursor *c, uint8_t pc_reg)
{
	uint64_t reg;

	if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
		return push_const(s, op - DW_OP_lit0);
	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		return push_reg(s, op - DW_OP_breg0, cursor__sleb(c));
	if (op >= DW_OP_const1u && op <= DW_OP_consts)
		return push_operand(s, op, c);
	if (shuffle(s, op, c))
		return;
	switch (op) {
	case DW_OP_nop:
		break;
	case DW_OP_bregx:
		reg = cursor__uleb(c);
		push_reg(s, reg, cursor__sleb(c));
		break;
	case DW_OP_deref:
		push(s, deref(pop(s)));
		break;
	case DW_OP_plus_uconst:
		push(s, add_const(pop(s), (int64_t)cursor__uleb(c)));
		break;
	case DW_OP_and:
	case DW_OP_ge:
	case DW_OP_minus:
	case DW_OP_mul:
	case DW_OP_plus:
	case DW_OP_shl: {
		struct cfi_value b = pop(s), a = pop(s);

		push(s, operate(op, a, b, pc_reg));
		break;
	}
	default:
		s->broken = true;
	}
}

struct cfi_value cfi_expr_value(struct cursor expr, const struct cfi_value *initial, uint8_t pc_reg)
{
	struct stack s = {.n = 0};

	if (initial)
		push(&s, *initial);
	while (!s.broken && cursor__left(&expr) > 0) {
		uint8_t op = cursor__u8(&expr);

		step(&s, op, &expr, pc_reg);
	}
	if (s.broken || expr.failed || s.n == 0)
		return other;
	return s.v[s.n - 1];
}
