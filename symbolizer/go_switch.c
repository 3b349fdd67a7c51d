/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to follow, from runtime/asm_amd64.s, sys_linux_amd64.s, time_linux_amd64.s and
 * {race,msan,asan}_amd64.s of Go 1.16 to 1.26:
 *
 *	nanotime1, walltime1, time.now, vgetrandom1, sigfwd, callCgoMmap, callCgoMunmap,
 *	callCgoSigaction, racecall, msancall, asancall, _rt0_amd64_lib
 *		mov rsp -> r12 (or rbx; rbp in sigfwd of 1.16); rsp = another stack or aligned;
 *		call C; mov r12 -> rsp. C keeps r12 and rbx, so that the copy holds all the while.
 *
 *	systemstack, asmcgocall, cgocallback, switchToCrashStack0
 *		rsp = another stack, with rbp left as it was: the frame pointer of the function
 *		itself, whatever stack rsp points to. Until 1.20 the first two have no frame: rbp
 *		is their caller's, which is then missed, but not those outside of it. A second mov
 *		to rsp comes back.
 *
 *	mcall, morestack
 *		rsp = the scheduler's stack, never to return here. The goroutine that was left may
 *		run on another thread long before this one is done, so that its stack is none of
 *		ours; from 1.25 on they clear rbp for that reason, and before that it must not be
 *		followed.
 *
 *	clone
 *		the new thread's path has a new stack, where nobody is called from.
 *
 *	gogo
 *		rsp = a goroutine's stack, then jmp rbx into the goroutine. Between the two it is
 *		between two stacks; rbp is that of one's or the other's function with a frame,
 *		which is missed.
 */
#include "symbolizer/go_switch.h"

#include <Zydis/Zydis.h>

#include "base/util.h"

#define RBX 3
#define RBP 6
#define N_REGS 16
#define JUMPS_MAX 64
#define OFF_MAX (1 << 20) /* no stack of the runtime's is larger */
#define NO_COPY INT32_MIN

struct state {
	enum go_switch_mode mode;
	uint8_t reg;
	int32_t off;
	int32_t copies[N_REGS]; /* depth at which the register took rsp, or NO_COPY */
};

struct walk {
	const struct go_switch_function *f;
	struct state now;
	bool reached; /* the instruction before falls through to this one */
	/* Forward jumps, with the state that they carry to their target. */
	struct {
		uint64_t to;
		struct state state;
	} jumps[JUMPS_MAX];
	size_t n_jumps;
	size_t depth; /* index of the run of the instruction at work */
	struct go_switch_span *spans;
	size_t n_spans;
};

static const struct state at_entry = {
    .mode = GO_SWITCH_DEPTH,
    .copies = {NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY,
	       NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY, NO_COPY},
};

/* The registers that C keeps, as far as a copy of rsp may be in them: DWARF's number, else -1. */
static int kept_register(ZydisRegister reg)
{
	switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)) {
	case ZYDIS_REGISTER_RBX:
		return RBX;
	case ZYDIS_REGISTER_RBP:
		return RBP;
	case ZYDIS_REGISTER_R12:
		return 12;
	case ZYDIS_REGISTER_R13:
		return 13;
	case ZYDIS_REGISTER_R14:
		return 14;
	case ZYDIS_REGISTER_R15:
		return 15;
	default:
		return -1;
	}
}

/* What the table says about the depth at PC, which does not descend between calls. */
static int32_t depth_at(struct walk *w, uint64_t pc)
{
	const struct gopclntab_run *depths = w->f->depths;

	while (w->depth + 1 < w->f->n_depths && depths[w->depth].end <= pc)
		w->depth++;
	return w->f->n_depths ? depths[w->depth].value : 0;
}

/* rsp has left the stack that the caller is on, or is at an unknown distance on it. */
static void leave_stack(struct walk *w)
{
	static const uint8_t choice[] = {12, RBX, RBP, 13, 15};
	struct state *now = &w->now;

	if (w->f->end == GO_SWITCH_END_ROOT) {
		now->mode = GO_SWITCH_ROOT;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(choice); i++) {
		int32_t depth = now->copies[choice[i]];

		/* rbp at that depth is the frame pointer, for which there is a rule of its own. */
		if (depth == NO_COPY || (choice[i] == RBP && depth == 8))
			continue;
		now->mode = GO_SWITCH_COPY;
		now->reg = choice[i];
		now->off = depth;
		return;
	}
	now->mode = GO_SWITCH_FRAME;
}

/* rsp is where the table of depths has it. */
static void back_on_stack(struct state *now)
{
	now->mode = GO_SWITCH_DEPTH;
	now->off = 0;
}

static bool is_rsp(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == ZYDIS_REGISTER_RSP;
}

/* The constant by which the instruction makes the stack deeper. False where it is none. */
static bool deepens_by(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops,
		       int64_t *ret)
{
	const ZydisDecodedOperand *src = &ops[1];

	if (in->mnemonic == ZYDIS_MNEMONIC_LEA) {
		*ret = -src->mem.disp.value;
		return src->mem.base == ZYDIS_REGISTER_RSP && src->mem.index == ZYDIS_REGISTER_NONE;
	}
	if (src->type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    (in->mnemonic != ZYDIS_MNEMONIC_SUB && in->mnemonic != ZYDIS_MNEMONIC_ADD))
		return false;
	*ret = in->mnemonic == ZYDIS_MNEMONIC_SUB ? src->imm.value.s : -src->imm.value.s;
	return true;
}

/* An instruction at PC that sets rsp, other than by pushing and popping. */
static void set_rsp(struct walk *w, const ZydisDecodedInstruction *in,
		    const ZydisDecodedOperand *ops, uint64_t pc)
{
	int32_t before = depth_at(w, pc), after = depth_at(w, pc + in->length);
	struct state *now = &w->now;
	int64_t by;
	int reg;

	if (deepens_by(in, ops, &by)) {
		/* The assembler enters most of these in the table, but not a plain SUBQ. */
		by += now->off - ((int64_t)after - before);
		if (now->mode == GO_SWITCH_DEPTH)
			now->off = (int32_t)by;
		if (by < -OFF_MAX || by > OFF_MAX)
			now->mode = GO_SWITCH_NONE;
		return;
	}
	reg = in->mnemonic == ZYDIS_MNEMONIC_MOV && ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER
		  ? kept_register(ops[1].reg.value)
		  : -1;
	if (reg >= 0 && now->copies[reg] != NO_COPY) {
		now->mode = GO_SWITCH_DEPTH;
		now->off = now->copies[reg] - after;
		return;
	}
	if (now->mode == GO_SWITCH_DEPTH)
		leave_stack(w);
	else if (now->mode == GO_SWITCH_FRAME && w->f->framed_from > pc &&
		 in->mnemonic == ZYDIS_MNEMONIC_MOV)
		back_on_stack(now);
}

static bool loads_from_stack(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops)
{
	return in->mnemonic == ZYDIS_MNEMONIC_MOV && ops[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       ops[1].mem.base == ZYDIS_REGISTER_RSP;
}

/* An instruction at PC that writes OP, perhaps a register that C keeps. */
static void set_kept(struct walk *w, const ZydisDecodedInstruction *in,
		     const ZydisDecodedOperand *ops, const ZydisDecodedOperand *op, uint64_t pc)
{
	bool framed = w->f->framed_from <= pc;
	struct state *now = &w->now;
	int reg = kept_register(op->reg.value);

	if (reg < 0)
		return;
	now->copies[reg] = NO_COPY;
	if (in->mnemonic == ZYDIS_MNEMONIC_MOV && is_rsp(&ops[1]) && now->mode == GO_SWITCH_DEPTH)
		now->copies[reg] = depth_at(w, pc) + now->off;
	if (now->mode == GO_SWITCH_COPY && now->reg == reg)
		now->mode = framed ? GO_SWITCH_FRAME : GO_SWITCH_NONE;
	if (reg != RBP || now->mode != GO_SWITCH_FRAME)
		return;
	/* The epilogue gives the caller's rbp back: rsp is where it belongs by then. */
	if (framed && (in->mnemonic == ZYDIS_MNEMONIC_POP || loads_from_stack(in, ops)))
		back_on_stack(now);
	else if (!framed && w->f->end != GO_SWITCH_END_RESUME)
		now->mode = GO_SWITCH_NONE;
}

static void apply(struct walk *w, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops,
		  uint64_t pc)
{
	bool stack =
	    in->meta.category == ZYDIS_CATEGORY_PUSH || in->meta.category == ZYDIS_CATEGORY_POP ||
	    in->meta.category == ZYDIS_CATEGORY_CALL || in->meta.category == ZYDIS_CATEGORY_RET;

	if (in->operand_count_visible && is_rsp(&ops[0]) && !stack &&
	    (ops[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
		set_rsp(w, in, ops, pc);
		return;
	}
	for (unsigned i = 0; i < in->operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			set_kept(w, in, ops, &ops[i], pc);
}

/* Two ways lead to one place. Where one of them is on another stack, its rule holds for both. */
static void merge(struct state *a, const struct state *b)
{
	if (a->mode == GO_SWITCH_DEPTH && b->mode != GO_SWITCH_DEPTH)
		*a = *b;
}

static void note_jump(struct walk *w, const ZydisDecodedInstruction *in,
		      const ZydisDecodedOperand *ops, uint64_t pc)
{
	uint64_t to;

	if (!in->operand_count || ops[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !ops[0].imm.is_relative || w->n_jumps >= JUMPS_MAX)
		return;
	to = pc + in->length + (uint64_t)ops[0].imm.value.s;
	if (to <= pc || to - w->f->start >= w->f->n_bytes)
		return;
	w->jumps[w->n_jumps].to = to;
	w->jumps[w->n_jumps++].state = w->now;
}

/* Settles what holds at PC, given what held after the instruction before and what jumps here. */
static void arrive(struct walk *w, uint64_t pc)
{
	struct go_switch_span *last = w->n_spans ? &w->spans[w->n_spans - 1] : NULL;

	for (size_t i = 0; i < w->n_jumps; i++) {
		if (w->jumps[i].to != pc)
			continue;
		if (w->reached)
			merge(&w->now, &w->jumps[i].state);
		else
			w->now = w->jumps[i].state;
		w->reached = true;
	}
	if (!w->reached)
		w->now = at_entry;
	w->reached = true;
	if (last && last->mode == w->now.mode && last->reg == w->now.reg && last->off == w->now.off)
		return;
	if (w->n_spans == GO_SWITCH_SPANS_MAX) {
		last->mode = GO_SWITCH_NONE;
		return;
	}
	w->spans[w->n_spans++] = (struct go_switch_span){
	    .from = pc,
	    .mode = w->now.mode,
	    .reg = w->now.reg,
	    .off = w->now.off,
	};
}

/* The jump into the goroutine at the end of gogo. */
static bool is_resumption(const struct walk *w, const ZydisDecodedInstruction *in,
			  const ZydisDecodedOperand *ops)
{
	return w->f->end == GO_SWITCH_END_RESUME && w->now.mode == GO_SWITCH_FRAME &&
	       in->mnemonic == ZYDIS_MNEMONIC_JMP && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[0].reg.value == ZYDIS_REGISTER_RBX;
}

size_t go_switch_follow(const struct go_switch_function *f,
			struct go_switch_span ret[GO_SWITCH_SPANS_MAX])
{
	struct walk w = {.f = f, .now = at_entry, .reached = true, .spans = ret};
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	arrive(&w, f->start);
	for (size_t at = 0; at < f->n_bytes; at += in.length) {
		uint64_t pc = f->start + at;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, f->code + at, f->n_bytes - at,
							 &in, ops))) {
			w.now.mode = w.n_spans > 1 ? GO_SWITCH_NONE : GO_SWITCH_DEPTH;
			arrive(&w, pc);
			break;
		}
		if (is_resumption(&w, &in, ops)) {
			w.now.mode = GO_SWITCH_RESUME;
			w.now.reg = RBX;
			w.now.off = 0;
		}
		arrive(&w, pc);
		apply(&w, &in, ops, pc);
		note_jump(&w, &in, ops, pc);
		w.reached = in.mnemonic != ZYDIS_MNEMONIC_JMP &&
			    in.meta.category != ZYDIS_CATEGORY_RET &&
			    in.mnemonic != ZYDIS_MNEMONIC_UD2;
	}
	return w.n_spans;
}
