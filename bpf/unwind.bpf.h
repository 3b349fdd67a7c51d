/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks a user stack by the unwind tables: per frame, find the rule for its address and apply it,
 * which gives the caller's address and registers.
 *
 * The walk goes outwards or ends with a reason: a caller's frame lies above its callee's, except
 * where a rule says that the stack changes, which may be so only a few times. It never says more than
 * the stack and the tables hold. Where it meets code that it has no table for it stops with the
 * registers of that frame, and whoever knows more goes on from there. Compiles natively too
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

/* What is mapped at ADDR: fills *RET_CODE, and for UNWIND_CODE_TABLE the table and the file offset. */
static void walk_find_code(struct unwind_walk *w, abi_u64 addr, abi_u32 *ret_code,
			   abi_u32 *ret_table, abi_u64 *ret_off);

#ifndef UNWIND_OWN_MAPPINGS
static __always_inline void walk_find_code(struct unwind_walk *w, abi_u64 addr, abi_u32 *ret_code,
					   abi_u32 *ret_table, abi_u64 *ret_off)
{
	const struct unwind_mapping *m = w->space ? find_mapping(&w->search, w->space, addr) : NULL;

	*ret_code = UNWIND_CODE_UNKNOWN;
	if (!m)
		return;
	*ret_table = m->table;
	*ret_off = m->off + (addr - m->start);
	*ret_code = m->code;
}
#endif

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
	abi_u32 code, table = 0;
	abi_u64 off = 0;

	walk_find_code(w, pc, &code, &table, &off);
	if (code == UNWIND_CODE_UNKNOWN)
		return STACK_END_UNKNOWN;
	if (code == UNWIND_CODE_NONE)
		return STACK_END_NO_INFO;
	if (code == UNWIND_CODE_FRAME) {
		*ret = (struct unwind_rule){.cfa = UNWIND_CFA_FRAME};
		return STACK_END_NOT;
	}
	return find_rule(&w->search, table, off, ret) ? STACK_END_NOT : STACK_END_NO_INFO;
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

static __always_inline bool reg_known(const struct unwind_regs *r, abi_u32 n)
{
	return r->valid >> (n & 31) & 1;
}

/* The address of the caller's frame. */
static __always_inline abi_u32 walk_cfa(const struct unwind_walk *w, const struct unwind_rule *rule,
					abi_u64 *ret)
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
	if (!reg_known(r, reg) || !reg_known(r, index))
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

/* Restores the registers that the code has saved, and forgets those that a callee need not keep. */
static __always_inline void walk_restore(struct unwind_walk *w, const struct unwind_rule *rule,
					 abi_u64 cfa)
{
	const abi_u8 numbers[UNWIND_N_SAVED] = ARCH_SAVED;
	struct unwind_regs *r = &w->regs;
	abi_u64 base = cfa;
	abi_u32 valid = r->valid & (ARCH_KEPT_MASK | 1u << ARCH_SP);

	if (rule->flags & UNWIND_FLAG_SAVED_AT_REG)
		base = r->r[rule->cfa_reg & (UNWIND_REGS_MAX - 1)] + 8;
	for (int i = 0; i < UNWIND_N_SAVED; i++) {
		abi_u32 slot = rule->saved[i], n = numbers[i];

		if (slot == 0 || (n != ARCH_FP && !w->all_regs))
			continue;
		if (slot == UNWIND_SAVED_LOST ||
		    window_read(&w->window, base - 8 * (abi_u64)slot, &r->r[n]))
			valid &= ~(1u << n);
		else
			valid |= 1u << n;
	}
	r->valid = valid;
}

static __always_inline bool follows_call(abi_u64 ip)
{
	abi_u8 bytes[ARCH_CALL_BYTES];

	/* Code that is not in memory cannot be judged; it is in an executable mapping or the walk
	 * ends at the next step. */
	if (bpf_probe_read_user(bytes, sizeof(bytes), (void *)(long)(ip - sizeof(bytes))))
		return true;
	return arch_follows_call(bytes);
}

/* Goes to the caller by the frame pointer. */
static __always_inline abi_u32 walk_by_frame(struct unwind_walk *w, abi_u32 flags)
{
	struct unwind_regs *r = &w->regs;
	abi_u64 fp = r->r[ARCH_FP], ip, next_fp;

	if (!reg_known(r, ARCH_FP))
		return STACK_END_NO_INFO;
	if (fp == 0)
		return flags & UNWIND_FLAG_GUESSED ? STACK_END_NO_INFO : STACK_END_ROOT;
	if ((fp & 7) || (fp < r->sp && !(flags & UNWIND_FLAG_SWITCH)))
		return STACK_END_BAD_CFA;
	if (!window_holds(&w->window, fp) || !window_holds(&w->window, fp + 8))
		window_move(&w->window, fp);
	if (window_read(&w->window, fp, &next_fp) || window_read(&w->window, fp + 8, &ip))
		return STACK_END_UNREADABLE;
	if (ip == 0)
		return STACK_END_ROOT;
	if (flags & UNWIND_FLAG_GUESSED && !follows_call(ip))
		return STACK_END_IMPLAUSIBLE;
	r->ip = ip;
	r->sp = r->r[ARCH_SP] = fp + 16;
	r->r[ARCH_FP] = next_fp;
	r->valid = 1u << ARCH_FP | 1u << ARCH_SP;
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
					   const struct unwind_rule *rule, abi_u64 cfa, abi_u64 *ret)
{
	abi_u32 reg = rule->ra - UNWIND_RA_REG;

	if (rule->ra == UNWIND_RA_UNDEFINED)
		return STACK_END_ROOT;
	if (rule->ra <= UNWIND_RA_SLOT_MAX)
		return window_read(&w->window, cfa - 8 * (abi_u64)rule->ra, ret)
			   ? STACK_END_UNREADABLE
			   : STACK_END_NOT;
	if (!reg_known(&w->regs, reg))
		return STACK_END_NO_INFO;
	*ret = w->regs.r[reg & (UNWIND_REGS_MAX - 1)];
	return STACK_END_NOT;
}

/* Goes to the caller by a rule with a CFA. */
static __always_inline abi_u32 walk_by_cfa(struct unwind_walk *w, const struct unwind_rule *rule)
{
	struct unwind_regs *r = &w->regs;
	abi_u64 cfa, ip;
	abi_u32 why;

	why = walk_cfa(w, rule, &cfa);
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
		return STACK_END_ROOT;
	if (rule->flags & UNWIND_FLAG_GUESSED && !follows_call(ip))
		return STACK_END_IMPLAUSIBLE;
	walk_restore(w, rule, cfa);
	r->ip = ip;
	r->sp = r->r[ARCH_SP] = cfa;
	r->exact = rule->flags & UNWIND_FLAG_EXACT ? 1 : 0;
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
		return walk_by_frame(w, rule->flags);
	case UNWIND_CFA_SIGNAL:
		return w->n_switches > STACK_SWITCHES_MAX ? STACK_END_BAD_CFA : walk_signal(w);
	default:
		why = walk_by_cfa(w, rule);
		/* A guess that fails may still have a frame pointer. */
		if (why && why != STACK_END_ROOT && rule->flags & UNWIND_FLAG_GUESSED)
			return walk_by_frame(w, UNWIND_FLAG_GUESSED);
		return why;
	}
}

/* One frame outwards. Returns 1 when the walk has ended, as bpf_loop() wants it. */
static long walk_step(abi_u32 i, void *ctx)
{
	struct walk_context *c = ctx;
	struct unwind_walk *w = c->walk;
	struct unwind_regs *r = &w->regs;
	struct unwind_rule rule = {0};

	(void)i;
	/* A return address may be the first of the next function: the call lies before it. */
	w->end = walk_rule(w, c->cache, r->exact ? r->ip : r->ip - 1, &rule);
	if (w->end == STACK_END_NOT)
		w->end = walk_apply(w, &rule);
	if (w->end == STACK_END_NOT && (r->ip < USER_CODE_START || r->ip >= ARCH_USER_END))
		w->end = STACK_END_NO_MAPPING;
	if (w->end != STACK_END_NOT)
		return 1;
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
	bpf_loop(USER_FRAMES_MAX, walk_step, c, 0);
	if (c->walk->end == STACK_END_NOT)
		c->walk->end = STACK_END_DEPTH;
}

/*
 * What END, at which the walk of RECORD has ended, means: a thread that has not begun yet has an empty
 * stack, though the code that made it says otherwise.
 */
static __always_inline abi_u32 walk_end_of(abi_u32 end, const struct sample_record *record)
{
	if (record->flags & SAMPLE_NEW_THREAD && record->n_user == 1 && end != STACK_END_UNKNOWN)
		return STACK_END_ROOT;
	return end;
}

#endif
