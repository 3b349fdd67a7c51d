/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/code_state.h"

#include <string.h>

#include "base/util.h"

/* Offsets beyond are no stack frame, and never come near an overflow. */
#define OFF_MAX (1 << 28)

#define WORD 8

/* Displacements with which code reaches for the frame that it runs in. */
#define FRAME_REACH 4096

/* x86-64's numbers, whatever machine this is compiled for. */
enum {
	NR_RT_SIGRETURN = 15,
	NR_CLONE = 56,
	NR_EXIT = 60,
	NR_EXIT_GROUP = 231,
	NR_CLONE3 = 435,
};

static const struct code_value unknown = {.kind = CODE_UNKNOWN};

static struct code_value address(uint32_t base, int64_t off)
{
	if (off < -OFF_MAX || off > OFF_MAX)
		return unknown;
	return (struct code_value){.kind = CODE_ADDR, .base = base, .off = (int32_t)off};
}

static struct code_value constant(int64_t v)
{
	if (v != (int32_t)v)
		return unknown;
	return (struct code_value){.kind = CODE_CONST, .off = (int32_t)v};
}

static bool same(const struct code_value *a, const struct code_value *b)
{
	return a->kind == b->kind && a->off == b->off && a->base == b->base && a->reg == b->reg;
}

static bool is_callee_saved(unsigned reg)
{
	return reg == CODE_RBX || reg == CODE_RBP || reg >= CODE_R12;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void remove_slot(struct code_state *s, unsigned i)
{
	s->slots[i] = s->slots[--s->n_slots];
	s->has_changed = true;
}

struct code_value code_state__load(const struct code_state *s, const struct code_value *addr)
{
	for (unsigned i = 0; addr->kind == CODE_ADDR && i < s->n_slots; i++)
		if (s->slots[i].base == addr->base && s->slots[i].off == addr->off)
			return s->slots[i].value;
	return unknown;
}

/* Forgets what lay in N_BYTES at ADDR. */
static void clobber(struct code_state *s, const struct code_value *addr, int64_t n_bytes)
{
	if (addr->kind != CODE_ADDR)
		return;
	for (unsigned i = s->n_slots; i-- > 0;) {
		const struct code_slot *slot = &s->slots[i];

		if (slot->base == addr->base && slot->off < addr->off + n_bytes &&
		    addr->off < slot->off + WORD)
			remove_slot(s, i);
	}
}

static void store(struct code_state *s, const struct code_value *addr, unsigned n_bytes,
		  const struct code_value *value)
{
	clobber(s, addr, n_bytes);
	if (addr->kind != CODE_ADDR || n_bytes != WORD || value->kind == CODE_UNKNOWN ||
	    (value->kind == CODE_ENTRY && !is_callee_saved(value->reg)) ||
	    s->n_slots == CODE_SLOTS_MAX)
		return;
	s->has_changed = true;
	s->slots[s->n_slots++] =
	    (struct code_slot){.base = addr->base, .off = addr->off, .value = *value};
}

/* What lies below the stack pointer is given up when the pointer is moved up, and by calls. */
static void drop_below_sp(struct code_state *s)
{
	const struct code_value *sp = &s->regs[CODE_RSP];

	for (unsigned i = s->n_slots; i-- > 0;)
		if (s->slots[i].base == sp->base && s->slots[i].off < sp->off)
			remove_slot(s, i);
}

/* ---- registers ------------------------------------------------------------------------------- */

static void forget_base(struct code_state *s, uint32_t base)
{
	for (unsigned i = 0; i < CODE_N_REGS; i++)
		if (s->regs[i].kind == CODE_ADDR && s->regs[i].base == base)
			s->regs[i] = unknown;
	for (unsigned i = s->n_slots; i-- > 0;) {
		const struct code_slot *slot = &s->slots[i];

		if (slot->base == base ||
		    (slot->value.kind == CODE_ADDR && slot->value.base == base))
			remove_slot(s, i);
	}
}

/* REG becomes an address that no other is known to be near to. */
static void rebase(struct code_state *s, unsigned reg, uint32_t base)
{
	s->has_changed = true;
	forget_base(s, base);
	s->regs[reg] = address(base, 0);
	/* What was related to the old stack pointer only by the base just forgotten. */
	if (s->regs[CODE_RSP].kind != CODE_ADDR)
		s->regs[CODE_RSP] = address(base | CODE_BASE_JOIN, 0);
}

static void set_reg(struct code_state *s, const struct code_insn *insn, unsigned reg,
		    const struct code_value *value)
{
	struct code_value v = *value, old = s->regs[CODE_RSP];

	if (reg >= CODE_N_REGS)
		return;
	/* Most instructions put one thing in the place of another that nobody knew either. */
	s->has_changed |= v.kind != CODE_UNKNOWN || s->regs[reg].kind != CODE_UNKNOWN;
	if (reg != CODE_RSP) {
		s->regs[reg] = v;
		return;
	}
	if (v.kind != CODE_ADDR) {
		rebase(s, CODE_RSP, insn->at + 1);
		return;
	}
	s->regs[reg] = v;
	if (v.base != old.base || v.off > old.off)
		drop_below_sp(s);
}

static unsigned reg_operand(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER ? code_reg_of(op->reg.value) : CODE_NO_REG;
}

/* Where the memory operand OP points to, as far as that is known. */
static struct code_value effective(const struct code_state *s, const ZydisDecodedOperand *op)
{
	unsigned base = code_reg_of(op->mem.base);

	if (base == CODE_NO_REG || op->mem.index != ZYDIS_REGISTER_NONE ||
	    s->regs[base].kind != CODE_ADDR || op->mem.segment == ZYDIS_REGISTER_FS ||
	    op->mem.segment == ZYDIS_REGISTER_GS || op->mem.disp.value < -OFF_MAX ||
	    op->mem.disp.value > OFF_MAX)
		return unknown;
	return address(s->regs[base].base, s->regs[base].off + op->mem.disp.value);
}

/* What the operand OP of 64 bits holds. */
static struct code_value value_of(const struct code_state *s, const ZydisDecodedOperand *op)
{
	struct code_value at;
	unsigned reg;

	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return constant(op->imm.value.s);
	case ZYDIS_OPERAND_TYPE_REGISTER:
		reg = reg_operand(op);
		return reg == CODE_NO_REG || op->size != 64 ? unknown : s->regs[reg];
	case ZYDIS_OPERAND_TYPE_MEMORY:
		at = effective(s, op);
		return op->size == 64 ? code_state__load(s, &at) : unknown;
	default:
		return unknown;
	}
}

/* Everything that INSN writes is unknown afterwards. */
static void forget_written(struct code_state *s, const struct code_insn *insn)
{
	for (unsigned i = 0; i < insn->n_ops; i++) {
		const ZydisDecodedOperand *op = &insn->ops[i];

		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			set_reg(s, insn, reg_operand(op), &unknown);
		} else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			struct code_value at = effective(s, op);

			clobber(s, &at, op->size / 8);
		}
	}
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void move_sp(struct code_state *s, const struct code_insn *insn, int64_t by)
{
	struct code_value sp = s->regs[CODE_RSP];

	sp = address(sp.base, sp.off + by);
	set_reg(s, insn, CODE_RSP, &sp);
}

static void push(struct code_state *s, const struct code_insn *insn, struct code_value value)
{
	unsigned n_bytes = insn->z.operand_width == 16 ? 2 : WORD;

	move_sp(s, insn, -(int64_t)n_bytes);
	store(s, &s->regs[CODE_RSP], n_bytes, &value);
}

static struct code_value pop(struct code_state *s, const struct code_insn *insn)
{
	bool is_word = insn->z.operand_width != 16;
	struct code_value v = code_state__load(s, &s->regs[CODE_RSP]);

	move_sp(s, insn, is_word ? WORD : 2);
	return is_word ? v : unknown;
}

static void write_operand(struct code_state *s, const struct code_insn *insn,
			  const ZydisDecodedOperand *op, const struct code_value *value)
{
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		struct code_value at = effective(s, op);

		store(s, &at, op->size / 8, value);
	} else {
		set_reg(s, insn, reg_operand(op), value);
	}
}

static void do_mov(struct code_state *s, const struct code_insn *insn)
{
	const ZydisDecodedOperand *to = &insn->ops[0], *from = &insn->ops[1];
	struct code_value v = value_of(s, from);
	unsigned reg = reg_operand(to);

	if (reg != CODE_NO_REG && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		const struct code_value *old = &s->regs[reg];

		if (to->size == 8 && old->kind == CODE_CONST &&
		    (to->reg.value < ZYDIS_REGISTER_AH || to->reg.value > ZYDIS_REGISTER_BH))
			v = constant((old->off & ~0xff) | (from->imm.value.s & 0xff));
		else if (to->size < 32)
			v = unknown;
	} else if (v.kind == CODE_CONST && to->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		v = unknown; /* not worth a slot */
	}
	write_operand(s, insn, to, &v);
}

/* ADD and SUB, of which SIGN tells. */
static void do_add(struct code_state *s, const struct code_insn *insn, int sign)
{
	const ZydisDecodedOperand *to = &insn->ops[0], *by = &insn->ops[1];
	struct code_value v = unknown, n = value_of(s, by);
	unsigned reg = reg_operand(to);

	if (reg == CODE_NO_REG || to->size < 32) {
		forget_written(s, insn);
		return;
	}
	if (to->size == 64 && s->regs[reg].kind == CODE_ADDR && n.kind == CODE_CONST)
		v = address(s->regs[reg].base, s->regs[reg].off + (int64_t)sign * n.off);
	else if (sign < 0 && reg == reg_operand(by))
		v = constant(0);
	set_reg(s, insn, reg, &v);
}

static void do_lea(struct code_state *s, const struct code_insn *insn)
{
	struct code_value v = insn->ops[0].size == 64 ? effective(s, &insn->ops[1]) : unknown;
	struct code_value *sp = &s->regs[CODE_RSP];

	/* OpenSSL pushes something and goes on with it below the stack pointer, in the red zone. */
	if (reg_operand(&insn->ops[0]) == CODE_RSP && v.kind == CODE_ADDR && v.base == sp->base &&
	    v.off - sp->off == WORD) {
		*sp = v;
		s->has_changed = true;
		return;
	}
	set_reg(s, insn, reg_operand(&insn->ops[0]), &v);
}

/* AND of an address, most often to align it: near it, but nobody knows where. */
static void do_and(struct code_state *s, const struct code_insn *insn)
{
	unsigned reg = reg_operand(&insn->ops[0]);

	if (reg != CODE_NO_REG && insn->ops[0].size == 64 && s->regs[reg].kind == CODE_ADDR)
		rebase(s, reg, insn->at + 1);
	else
		forget_written(s, insn);
}

static void do_cmov(struct code_state *s, const struct code_insn *insn)
{
	unsigned to = reg_operand(&insn->ops[0]);
	struct code_value from = value_of(s, &insn->ops[1]);

	if (to == CODE_NO_REG || same(&s->regs[to], &from))
		return;
	/* One of two addresses may become the stack pointer. */
	if (from.kind == CODE_ADDR || s->regs[to].kind == CODE_ADDR)
		rebase(s, to, insn->at + 1);
	else
		set_reg(s, insn, to, &unknown);
}

static void do_xchg(struct code_state *s, const struct code_insn *insn)
{
	struct code_value a = value_of(s, &insn->ops[0]), b = value_of(s, &insn->ops[1]);
	struct code_value at = unknown;

	if (insn->ops[0].size != 64) {
		forget_written(s, insn);
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		if (insn->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			at = effective(s, &insn->ops[i]);
	for (unsigned i = 0; i < 2; i++) {
		const struct code_value *v = i ? &a : &b;

		if (insn->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			store(s, &at, WORD, v);
		else
			set_reg(s, insn, reg_operand(&insn->ops[i]), v);
	}
}

static void do_xor(struct code_state *s, const struct code_insn *insn)
{
	unsigned a = reg_operand(&insn->ops[0]), b = reg_operand(&insn->ops[1]);
	struct code_value zero = constant(0);

	if (a != CODE_NO_REG && a == b && insn->ops[0].size >= 32)
		set_reg(s, insn, a, &zero);
	else
		forget_written(s, insn);
}

static void do_leave(struct code_state *s, const struct code_insn *insn)
{
	struct code_value v = s->regs[CODE_RBP];

	set_reg(s, insn, CODE_RSP, &v);
	v = pop(s, insn);
	set_reg(s, insn, CODE_RBP, &v);
}

static void do_enter(struct code_state *s, const struct code_insn *insn)
{
	push(s, insn, s->regs[CODE_RBP]);
	s->has_changed = true;
	s->regs[CODE_RBP] = s->regs[CODE_RSP];
	if ((insn->ops[1].imm.value.u & 31) == 0)
		move_sp(s, insn, -(int64_t)insn->ops[0].imm.value.u);
	else
		set_reg(s, insn, CODE_RSP, &unknown);
}

static void do_call(struct code_state *s, const struct code_insn *insn)
{
	/* "call 1f; 1: pop %rax" asks for the address and comes back at once. */
	if (insn->has_target && insn->target == (int64_t)insn->at + insn->length) {
		push(s, insn, unknown);
		return;
	}
	drop_below_sp(s);
	s->has_changed = true;
	for (unsigned i = 0; i < CODE_N_REGS; i++)
		if (i != CODE_RSP && !is_callee_saved(i))
			s->regs[i] = unknown;
}

static bool do_syscall(struct code_state *s, const struct code_insn *insn)
{
	const struct code_value *nr = &s->regs[CODE_RAX];

	if (nr->kind == CODE_CONST) {
		if (nr->off == NR_EXIT || nr->off == NR_EXIT_GROUP || nr->off == NR_RT_SIGRETURN)
			return false;
		if (nr->off == NR_CLONE || nr->off == NR_CLONE3)
			s->after_clone = true;
	}
	forget_written(s, insn);
	return true;
}

static void do_cmp(struct code_state *s, const struct code_insn *insn)
{
	if (reg_operand(&insn->ops[0]) == CODE_RSP && insn->ops[0].size == 64)
		s->compared = value_of(s, &insn->ops[1]);
	else if (reg_operand(&insn->ops[1]) == CODE_RSP && insn->ops[1].size == 64)
		s->compared = value_of(s, &insn->ops[0]);
	forget_written(s, insn);
}

static void do_inc(struct code_state *s, const struct code_insn *insn, int by)
{
	unsigned reg = reg_operand(&insn->ops[0]);
	struct code_value v = value_of(s, &insn->ops[0]);

	if (reg == CODE_NO_REG || v.kind != CODE_ADDR) {
		forget_written(s, insn);
		return;
	}
	v = address(v.base, (int64_t)v.off + by);
	set_reg(s, insn, reg, &v);
}

static bool do_other(struct code_state *s, const struct code_insn *insn)
{
	if (insn->z.meta.category == ZYDIS_CATEGORY_CMOV && insn->ops[0].size == 64)
		do_cmov(s, insn);
	else if (insn->z.meta.category == ZYDIS_CATEGORY_CALL)
		do_call(s, insn);
	else
		forget_written(s, insn);
	return true;
}

static bool do_insn(struct code_state *s, const struct code_insn *insn)
{
	struct code_value v;

	switch (insn->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		push(s, insn, value_of(s, &insn->ops[0]));
		return true;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFQ:
		push(s, insn, unknown);
		return true;
	case ZYDIS_MNEMONIC_POP:
		v = pop(s, insn);
		write_operand(s, insn, &insn->ops[0], &v);
		return true;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
		pop(s, insn);
		return true;
	case ZYDIS_MNEMONIC_MOV:
		do_mov(s, insn);
		return true;
	case ZYDIS_MNEMONIC_ADD:
		do_add(s, insn, 1);
		return true;
	case ZYDIS_MNEMONIC_SUB:
		do_add(s, insn, -1);
		return true;
	case ZYDIS_MNEMONIC_INC:
		do_inc(s, insn, 1);
		return true;
	case ZYDIS_MNEMONIC_DEC:
		do_inc(s, insn, -1);
		return true;
	case ZYDIS_MNEMONIC_LEA:
		do_lea(s, insn);
		return true;
	case ZYDIS_MNEMONIC_AND:
		do_and(s, insn);
		return true;
	case ZYDIS_MNEMONIC_XOR:
		do_xor(s, insn);
		return true;
	case ZYDIS_MNEMONIC_XCHG:
		do_xchg(s, insn);
		return true;
	case ZYDIS_MNEMONIC_CMP:
		do_cmp(s, insn);
		return true;
	case ZYDIS_MNEMONIC_LEAVE:
		do_leave(s, insn);
		return true;
	case ZYDIS_MNEMONIC_ENTER:
		do_enter(s, insn);
		return true;
	case ZYDIS_MNEMONIC_SYSCALL:
		return do_syscall(s, insn);
	default:
		return do_other(s, insn);
	}
}

bool code_state__step(struct code_state *s, const struct code_insn *insn)
{
	bool goes_on;

	if (insn->next != CODE_BRANCHES)
		s->compared = unknown;
	goes_on = do_insn(s, insn);
	/* The ABI has the frame pointer zeroed in the outermost frame. */
	if (s->after_clone && s->regs[CODE_RBP].kind == CODE_CONST && s->regs[CODE_RBP].off == 0)
		s->is_child = s->has_changed = true;
	return goes_on;
}

/* Loops that touch each page of a large frame end where rsp is what it is compared with. */
void code_state__fall_through(struct code_state *s, const struct code_insn *jump)
{
	if (jump->z.mnemonic == ZYDIS_MNEMONIC_JNZ && s->compared.kind == CODE_ADDR)
		s->regs[CODE_RSP] = s->compared;
	s->has_changed = true;
	s->compared = unknown;
}

/* Whether INSN computes with the register OP that a function has to keep for its caller. */
static bool reads_callers_reg(const struct code_state *s, const struct code_insn *insn,
			      const ZydisDecodedOperand *op)
{
	unsigned reg = reg_operand(op);

	if (reg >= CODE_N_REGS || reg == CODE_RBP || !is_callee_saved(reg) ||
	    !code_value_is_entry(&s->regs[reg], reg) ||
	    !(op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
		return false;
	switch (insn->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_VMOVQ:
		return false; /* may be saved so */
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
		return reg_operand(&insn->ops[0]) != reg_operand(&insn->ops[1]);
	default:
		return true;
	}
}

bool code_state__uses_callers_regs(const struct code_state *s, const struct code_insn *insn)
{
	int32_t depth;

	for (unsigned i = 0; i < insn->z.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &insn->ops[i];
		const unsigned regs[] = {code_reg_of(op->mem.base), code_reg_of(op->mem.index)};

		if (reads_callers_reg(s, insn, op))
			return true;
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		for (unsigned k = 0; k < ARRAY_SIZE(regs); k++)
			if (regs[k] != CODE_NO_REG && regs[k] != CODE_RBP &&
			    is_callee_saved(regs[k]) &&
			    code_value_is_entry(&s->regs[regs[k]], regs[k]))
				return true;
		/* Arguments on the stack are there, too, but few functions have more than 16. */
		if (regs[0] == CODE_RSP && code_state__depth(s, &depth) &&
		    (depth + op->mem.disp.value == -WORD ||
		     depth + op->mem.disp.value >= 10 * WORD))
			return true;
	}
	return false;
}

bool code_state__uses_outer_frame(const struct code_state *s, const struct code_insn *insn)
{
	if (!code_value_is_entry(&s->regs[CODE_RBP], CODE_RBP))
		return false;
	for (unsigned i = 0; i < s->n_slots; i++)
		if (code_value_is_entry(&s->slots[i].value, CODE_RBP))
			return false;
	for (unsigned i = 0; i < insn->z.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &insn->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    op->mem.base == ZYDIS_REGISTER_RBP && op->mem.disp.value > -FRAME_REACH &&
		    op->mem.disp.value < FRAME_REACH)
			return true;
	}
	return false;
}

/* ---- entries --------------------------------------------------------------------------------- */

void code_state__enter(struct code_state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < CODE_N_REGS; i++)
		s->regs[i] = (struct code_value){.kind = CODE_ENTRY, .reg = (uint8_t)i};
	s->regs[CODE_RSP] = address(CODE_BASE_CFA, -WORD);
}

void code_state__enter_at(struct code_state *s, int32_t off)
{
	memset(s, 0, sizeof(*s));
	s->regs[CODE_RSP] = address(CODE_BASE_CFA, off);
}

void code_state__enter_outer(struct code_state *s)
{
	static const struct code_value saved = {.kind = CODE_ENTRY, .reg = CODE_RBP};
	const struct code_value at = address(CODE_BASE_CFA, -2 * WORD);

	code_state__enter(s);
	s->regs[CODE_RSP] = address(CODE_BASE_OUTER, 0);
	s->regs[CODE_RBP] = at;
	s->in_outer_frame = true;
	store(s, &at, WORD, &saved);
}

/* ---- joins ----------------------------------------------------------------------------------- */

static bool has_slot(const struct code_state *s, const struct code_slot *wanted)
{
	for (unsigned i = 0; i < s->n_slots; i++)
		if (s->slots[i].off == wanted->off && s->slots[i].base == wanted->base &&
		    same(&s->slots[i].value, &wanted->value))
			return true;
	return false;
}

bool code_state__join(struct code_state *s, const struct code_state *other, uint32_t at,
		      bool *ret_changed)
{
	struct code_state m = *s;
	struct unwind_rule rule;
	bool changed = false;

	for (unsigned i = m.n_slots; i-- > 0;) {
		if (has_slot(other, &m.slots[i]))
			continue;
		remove_slot(&m, i);
		changed = true;
	}
	for (unsigned i = 0; i < CODE_N_REGS; i++) {
		if (i == CODE_RSP || m.regs[i].kind == CODE_UNKNOWN ||
		    same(&m.regs[i], &other->regs[i]))
			continue;
		m.regs[i] = unknown;
		changed = true;
	}
	m.after_clone &= other->after_clone;
	m.is_child &= other->is_child;
	changed |= m.after_clone != s->after_clone || m.is_child != s->is_child;
	if (!same(&m.regs[CODE_RSP], &other->regs[CODE_RSP])) {
		uint32_t base = (at + 1) | CODE_BASE_JOIN;

		changed |= m.regs[CODE_RSP].base != base || m.regs[CODE_RSP].off != 0;
		rebase(&m, CODE_RSP, base);
	}
	m.compared = unknown;
	if (changed && code_state__rule(s, &rule) && !code_state__rule(&m, &rule))
		return false;
	*s = m;
	*ret_changed = changed;
	return true;
}

bool code_state__depth(const struct code_state *s, int32_t *ret_off)
{
	if (!code_value_is_cfa(&s->regs[CODE_RSP]))
		return false;
	*ret_off = s->regs[CODE_RSP].off;
	return true;
}
