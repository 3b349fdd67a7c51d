/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks a user stack by the unwind tables: per frame, find the rule for its address and apply it,
 * which gives the caller's address and registers.
 *
 * The walk goes outwards or ends with a reason: a caller's frame lies above its callee's, except
 * where a rule says that the stack changes, which may be so only a few times. It never says more
 * than the stack and the tables hold. Where it meets code that it has no table for it stops with
 * the registers of that frame, and whoever knows more goes on from there. Compiles natively too
 * (helpers.bpf.h), where the same walk finds other mappings (UNWIND_OWN_MAPPINGS).
 *
 * A frame costs one line of the rule cache and a word or two of the stack. Only what the cache does
 * not know is searched for; so the price does not depend on how large the tables are.
 */
#ifndef UNWIND_BPF_H
#define UNWIND_BPF_H

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"
#include "bpf/unwind_stack.bpf.h"
#include "bpf/unwind_state.bpf.h"
#include "bpf/unwind_tables.bpf.h"
#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#include "bpf/arch_x86.bpf.h"
#elif defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
#include "bpf/arch_arm64.bpf.h"
#else
#error "this CPU has no arch_*.bpf.h"
#endif

/* Changes of the stack in one walk: a signal within a signal on Go's system stack makes four. */
#define STACK_SWITCHES_MAX 16

/* No return address is below: the first page is never mapped (vm.mmap_min_addr). */
#define USER_CODE_START 4096

/* What is mapped at an address. */
struct walk_code {
	abi_u64 off;   /* in the file */
	abi_u32 code;  /* enum unwind_code */
	abi_u32 table; /* UNWIND_CODE_TABLE: its line */
};

/* Finds what is mapped at ADDR. 0 where nothing is that can be executed. */
VERIFIED_ONCE int walk_find_code(struct unwind_walk *w, abi_u64 addr, struct walk_code *ret);

#ifndef UNWIND_OWN_MAPPINGS
VERIFIED_ONCE int walk_find_code(struct unwind_walk *w, abi_u64 addr, struct walk_code *ret)
{
	const struct unwind_mapping *m;

	if (!w || !ret)
		return 0;
	m = w->space ? find_mapping(&w->search, w->space, addr) : NULL;
	ret->code = UNWIND_CODE_UNKNOWN;
	if (!m)
		return 0;
	/* A table stands there before its code says so. */
	ret->code = READ_SHARED(m->code);
	ret->table = READ_SHARED(m->table);
	ret->off = m->off + (addr - m->start);
	return 1;
}
#endif

/* Copies the rule for AT. 0 where there is none. */
VERIFIED_ONCE int walk_find_rule(struct unwind_walk *w, struct walk_code *at,
				 struct unwind_rule *ret)
{
	if (!w || !at || !ret)
		return 0;
	return find_rule(&w->search, at->table, at->off, ret);
}

static __always_inline abi_u32 cache_place(abi_u64 pc, abi_u32 generation)
{
	abi_u64 hash = (pc ^ (abi_u64)generation << 32) * 0x9e3779b97f4a7c15ull;

	return hash >> 48 & (UNWIND_CACHE_ENTRIES - 1);
}

/*
 * The functions below return an enum stack_end: STACK_END_NOT where the walk can go on.
 */

/* The rule for the code at PC, from the tables. */
static __always_inline abi_u32 walk_search_rule(struct unwind_walk *w, abi_u64 pc,
						struct unwind_rule *ret)
{
	struct walk_code at = {0};

	if (!walk_find_code(w, pc, &at) && w->space)
		return STACK_END_NO_MAPPING;
	if (at.code == UNWIND_CODE_UNKNOWN)
		return STACK_END_UNKNOWN;
	if (at.code == UNWIND_CODE_NONE)
		return STACK_END_NO_INFO;
	if (at.code == UNWIND_CODE_FRAME) {
		*ret = (struct unwind_rule){.cfa = UNWIND_CFA_FRAME,
					    .flags = UNWIND_FLAG_GUESSED | UNWIND_FLAG_JIT};
		return STACK_END_NOT;
	}
	return walk_find_rule(w, &at, ret) ? STACK_END_NOT : STACK_END_NO_INFO;
}

static __always_inline abi_u32 walk_rule(struct unwind_walk *w, struct unwind_cache *cache,
					 abi_u64 pc, struct unwind_rule *ret)
{
	struct unwind_cache_entry *e;
	abi_u32 why;

	if (!cache || !w->generation)
		return walk_search_rule(w, pc, ret);
	e = &cache->entries[cache_place(pc, w->generation)];
	if (e->pc == pc && e->generation == w->generation) {
		*ret = e->rule;
		w->n_hits++;
		return STACK_END_NOT;
	}
	w->n_misses++;
	why = walk_search_rule(w, pc, ret);
	if (why)
		return why;
	e->pc = pc;
	e->generation = w->generation;
	e->rule = *ret;
	return STACK_END_NOT;
}

/* Whether register N is known; *GUESSED is set where it is only likely. */
static __always_inline bool reg_known(const struct unwind_regs *r, abi_u32 n, bool *guessed)
{
	abi_u32 bit = 1u << (n & 31);

	if (r->valid & bit)
		return true;
	*guessed = true;
	return r->unsure & bit;
}

/* The address of the caller's frame. *GUESSED as reg_known(). */
static __always_inline abi_u32 walk_cfa(const struct unwind_walk *w, const struct unwind_rule *rule,
					abi_u64 *ret, bool *guessed)
{
	const struct unwind_regs *r = &w->regs;
	abi_u32 reg = rule->cfa_reg, index = ARCH_SP;
	abi_u64 base;

	if (rule->cfa == UNWIND_CFA_PLT) {
		*ret = r->sp + ((r->ip & 15) >= (abi_u32)rule->cfa_off ? 16 : 8);
		return STACK_END_NOT;
	}
	if (rule->cfa == UNWIND_CFA_DEREF_INDEXED) {
		index = reg >> 4;
		reg &= 15;
	}
	if (!reg_known(r, reg, guessed) || !reg_known(r, index, guessed))
		return STACK_END_NO_INFO;
	base = r->r[reg & (UNWIND_REGS_MAX - 1)] + (abi_u64)(long long)rule->cfa_off;
	if (rule->cfa == UNWIND_CFA_REG) {
		*ret = base;
		return STACK_END_NOT;
	}
	if (rule->cfa == UNWIND_CFA_DEREF_INDEXED)
		base += 8 * r->r[index & (UNWIND_REGS_MAX - 1)];
	if (window_read(&w->window, base, ret))
		return STACK_END_UNREADABLE;
	*ret += (abi_u64)(long long)rule->cfa_off2;
	return STACK_END_NOT;
}

/* Restores the registers that the code has saved. Those that a callee need not keep, and those that
 * are not restored, are not known any more. */
static __always_inline void walk_restore(struct unwind_walk *w, const struct unwind_rule *rule,
					 abi_u64 cfa)
{
	const abi_u8 numbers[UNWIND_N_SAVED] = ARCH_SAVED;
	struct unwind_regs *r = &w->regs;
	abi_u64 base = cfa;
	abi_u32 valid = r->valid & ARCH_KEPT_MASK, unsure = r->valid | r->unsure;

	if (rule->flags & UNWIND_FLAG_SAVED_AT_REG) {
		abi_u32 at = rule->cfa == UNWIND_CFA_REG ? (abi_u32)rule->cfa_off2 : rule->cfa_reg;

		/* Read as from no memory where it is not known. */
		base = r->valid >> (at & 31) & 1 ? r->r[at & (UNWIND_REGS_MAX - 1)] + 8 : 0;
	}
	for (int i = 0; i < UNWIND_N_SAVED; i++) {
		abi_u32 slot = rule->saved[i], n = numbers[i];

		if (slot == 0)
			continue;
		valid &= ~(1u << n);
		unsure &= ~(1u << n);
		if (slot != UNWIND_SAVED_LOST && (n == ARCH_FP || w->all_regs) &&
		    !window_read(&w->window, base - 8 * (abi_u64)slot, &r->r[n]))
			valid |= 1u << n;
	}
	r->valid = valid | 1u << ARCH_SP;
	r->unsure = unsure & ~r->valid;
}

/* Whether IP can be where a call returns to: right after a call; or where the code cannot be
 * read, in code at all. */
static __always_inline bool is_plausible(struct unwind_walk *w, abi_u64 ip)
{
	abi_u8 bytes[ARCH_CALL_BYTES];
	struct walk_code at = {0};

	if (!bpf_probe_read_user(bytes, sizeof(bytes), (void *)(long)(ip - sizeof(bytes))))
		return arch_follows_call(bytes);
	return walk_find_code(w, ip - 1, &at);
}

/* Whether IP is code in no file. Interpreters that are made at run time (HotSpot's) push
 * addresses to return to that follow no call. */
static __always_inline bool is_jit(struct unwind_walk *w, abi_u64 ip)
{
	struct walk_code at = {0};

	walk_find_code(w, ip - 1, &at);
	return at.code == UNWIND_CODE_FRAME;
}

/* Goes to the caller by the frame pointer. */
static __always_inline abi_u32 walk_by_frame(struct unwind_walk *w, abi_u32 flags)
{
	struct unwind_regs *r = &w->regs;
	bool guessed = flags & UNWIND_FLAG_GUESSED;
	abi_u64 fp = r->r[ARCH_FP], ip, next_fp;

	if (!reg_known(r, ARCH_FP, &guessed))
		return STACK_END_NO_INFO;
	if (fp == 0)
		return guessed ? STACK_END_NO_INFO : STACK_END_ROOT;
	if ((fp & 7) || (fp < r->sp && !(flags & UNWIND_FLAG_SWITCH)))
		return STACK_END_BAD_CFA;
	if (!window_holds(&w->window, fp) || !window_holds(&w->window, fp + 8))
		window_move(&w->window, fp);
	if (window_read(&w->window, fp, &next_fp) || window_read(&w->window, fp + 8, &ip))
		return STACK_END_UNREADABLE;
	if (ip == 0)
		return STACK_END_ROOT;
	if (guessed && !is_plausible(w, ip) && !(flags & UNWIND_FLAG_JIT && is_jit(w, ip)))
		return STACK_END_IMPLAUSIBLE;
	r->ip = ip;
	r->sp = r->r[ARCH_SP] = fp + 16;
	r->r[ARCH_FP] = next_fp;
	r->valid = 1u << ARCH_FP | 1u << ARCH_SP;
	r->unsure = 0;
	r->exact = 0;
	return STACK_END_NOT;
}

static __always_inline abi_u32 walk_signal(struct unwind_walk *w)
{
	struct arch_sigcontext context;

	if (bpf_probe_read_user(&context, sizeof(context),
				(void *)(long)(w->regs.sp + ARCH_SIGCONTEXT_OFF)))
		return STACK_END_UNREADABLE;
	arch_sigcontext_to_unwind(&context, &w->regs);
	w->n_switches++;
	w->window.n_bytes = 0;
	return STACK_END_NOT;
}

/* Where the return address is kept. */
static __always_inline abi_u32 walk_return(const struct unwind_walk *w,
					   const struct unwind_rule *rule, abi_u64 cfa,
					   abi_u64 *ret)
{
	abi_u32 reg = rule->ra - UNWIND_RA_REG;

	if (rule->ra == UNWIND_RA_UNDEFINED)
		return STACK_END_ROOT;
	if (rule->ra <= UNWIND_RA_SLOT_MAX)
		return window_read(&w->window, cfa - 8 * (abi_u64)rule->ra, ret)
			   ? STACK_END_UNREADABLE
			   : STACK_END_NOT;
	/* Not one that may be right: it would give the same caller for ever. */
	if (!(w->regs.valid >> (reg & 31) & 1))
		return STACK_END_NO_INFO;
	*ret = w->regs.r[reg & (UNWIND_REGS_MAX - 1)];
	return STACK_END_NOT;
}

/* Goes to the caller by a rule with a CFA. */
static __always_inline abi_u32 walk_by_cfa(struct unwind_walk *w, const struct unwind_rule *rule)
{
	bool guessed = rule->flags & UNWIND_FLAG_GUESSED;
	struct unwind_regs *r = &w->regs;
	abi_u64 cfa, ip;
	abi_u32 why;

	why = walk_cfa(w, rule, &cfa, &guessed);
	if (why)
		return why;
	if (cfa <= r->sp && !(rule->flags & UNWIND_FLAG_SWITCH) &&
	    !(cfa == r->sp && rule->ra >= UNWIND_RA_REG))
		return STACK_END_BAD_CFA;
	/* What is saved lies right below the CFA, but never below the stack pointer. */
	if (!window_holds(&w->window, cfa - 8))
		window_move(&w->window, cfa - r->sp > 64 ? cfa - 64 : r->sp);
	why = walk_return(w, rule, cfa, &ip);
	if (why)
		return why;
	if (ip == 0)
		return guessed && !(rule->flags & UNWIND_FLAG_GUESSED) ? STACK_END_NO_INFO
								       : STACK_END_ROOT;
	if (guessed && !is_plausible(w, ip))
		return STACK_END_IMPLAUSIBLE;
	walk_restore(w, rule, cfa);
	r->ip = ip;
	r->sp = r->r[ARCH_SP] = cfa;
	/* Code that holds its return address in a register may be on its way to a landing pad
	 * (libgcc's eh_return): that is no return address. */
	r->exact = rule->flags & UNWIND_FLAG_EXACT ||
		   (ARCH_CALL_PUSHES && rule->ra >= UNWIND_RA_REG && !is_plausible(w, ip));
	return STACK_END_NOT;
}

static __always_inline abi_u32 walk_apply(struct unwind_walk *w, const struct unwind_rule *rule)
{
	abi_u32 why;

	if (rule->flags & UNWIND_FLAG_SWITCH && ++w->n_switches > STACK_SWITCHES_MAX)
		return STACK_END_BAD_CFA;
	switch (rule->cfa) {
	case UNWIND_CFA_NONE:
		return STACK_END_NO_INFO;
	case UNWIND_CFA_ROOT:
		return STACK_END_ROOT;
	case UNWIND_CFA_FRAME:
		why = walk_by_frame(w, rule->flags);
		return why && rule->flags & UNWIND_FLAG_JIT ? STACK_END_JIT : why;
	case UNWIND_CFA_SIGNAL:
		return w->n_switches >= STACK_SWITCHES_MAX ? STACK_END_BAD_CFA : walk_signal(w);
	default:
		why = walk_by_cfa(w, rule);
		/* A guess that fails may still have a frame pointer. */
		if (why && why != STACK_END_ROOT && rule->flags & UNWIND_FLAG_GUESSED)
			return walk_by_frame(w, UNWIND_FLAG_GUESSED);
		return why;
	}
}

/* Words of the stack of code in no file that are looked at; PCRE's frames have up to 60. */
#define SCAN_WORDS 128

/* Pieces of such code, without frame pointers, in one stack. */
#define SCANS_MAX 3

#define WALK_STEPS_MAX (USER_FRAMES_MAX + SCANS_MAX * SCAN_WORDS)

/*
 * Looks at one word of the stack for the address that code in no file returns to. What calls such
 * code cannot know its address when it is compiled, so the call that precedes it is an indirect
 * one; of words that lie about from earlier calls few pass for it.
 */
static __always_inline abi_u32 walk_scan(struct unwind_walk *w)
{
	abi_u64 at = w->regs.sp + 8 * (abi_u64)(w->scan - 1), ip;
	abi_u8 bytes[ARCH_CALL_BYTES];
	struct walk_code code = {0};
	bool readable;

	if (w->scan++ > SCAN_WORDS || window_read(&w->window, at, &ip))
		return STACK_END_NO_INFO;
	if (ip < USER_CODE_START || ip >= ARCH_USER_END || !walk_find_code(w, ip - 1, &code) ||
	    code.code == UNWIND_CODE_NONE || code.code == UNWIND_CODE_FRAME)
		return STACK_END_NOT;
	readable = !bpf_probe_read_user(bytes, sizeof(bytes), (void *)(long)(ip - sizeof(bytes)));
	if (readable && !arch_follows_indirect_call(bytes))
		return STACK_END_NOT;
	/* Whoever gets the table scans anew: to pass over the caller would be to invent one. */
	if (code.code == UNWIND_CODE_UNKNOWN)
		return STACK_END_UNKNOWN;
	if (!readable)
		return STACK_END_NOT;
	w->scan = 0;
	w->regs.ip = ip;
	w->regs.sp = w->regs.r[ARCH_SP] = at + 8;
	w->regs.unsure = (w->regs.valid | w->regs.unsure) & ARCH_KEPT_MASK;
	w->regs.valid = 1u << ARCH_SP;
	w->regs.exact = 0;
	return STACK_END_NOT;
}

/* Goes to the caller by its rule, or begins to look for it. */
static __always_inline abi_u32 walk_frame(struct walk_context *c)
{
	struct unwind_walk *w = c->walk;
	struct unwind_regs *r = &w->regs;
	struct unwind_rule rule = {0};
	abi_u32 why;

	/* A return address may be the first of the next function: the call lies before it. */
	why = walk_rule(w, c->cache, r->exact ? r->ip : r->ip - 1, &rule);
	if (why == STACK_END_NOT)
		why = walk_apply(w, &rule);
	if (why != STACK_END_JIT)
		return why;
	if (w->n_scans++ >= SCANS_MAX)
		return STACK_END_NO_INFO;
	w->scan = 1;
	return STACK_END_NOT;
}

/* One frame outwards, or one word. Returns 1 when the walk has ended, as bpf_loop() wants it. */
static long walk_step(abi_u32 i, void *ctx)
{
	struct walk_context *c = ctx;
	struct unwind_walk *w = c->walk;
	struct unwind_regs *r = &w->regs;

	(void)i;
	w->end = w->scan ? walk_scan(w) : walk_frame(c);
	if (w->end == STACK_END_NOT && (r->ip < USER_CODE_START || r->ip >= ARCH_USER_END))
		w->end = STACK_END_NO_MAPPING;
	if (w->end != STACK_END_NOT)
		return 1;
	if (w->scan)
		return 0;
	/* verifier: the index must be bounded in the same step that uses it (6.1). */
	if (w->n >= w->max || w->n >= SAMPLE_FRAMES_MAX) {
		w->end = STACK_END_DEPTH;
		return 1;
	}
	c->frames[w->n++] = r->ip + r->exact;
	return 0;
}

/*
 * Walks outwards from w->regs, whose frame is in the list already, until the walk ends: then w->end
 * says why. At STACK_END_UNKNOWN w->regs are those of the last frame in the list.
 */
static __always_inline void walk_user(struct walk_context *c)
{
	bpf_loop(WALK_STEPS_MAX, walk_step, c, 0);
	if (c->walk->end == STACK_END_NOT)
		c->walk->end = STACK_END_DEPTH;
}

/*
 * What END, at which the walk of RECORD has ended, means. A thread that has not begun yet has an
 * empty stack, though the code that made it says otherwise. Exec gives the stack up before the
 * registers.
 */
static __always_inline abi_u32 walk_end_of(abi_u32 end, const struct sample_record *record)
{
	if (record->flags & SAMPLE_NEW_THREAD && record->n_user == 1 && end != STACK_END_UNKNOWN)
		return STACK_END_ROOT;
	if (record->flags & SAMPLE_IN_EXEC && end == STACK_END_UNREADABLE)
		return STACK_END_NO_MM;
	return end;
}

#endif
