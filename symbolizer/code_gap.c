/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/code_gap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/code_rule.h"
#include "symbolizer/code_state.h"

/* States kept for one function, 700 bytes each. The largest of V8's builtins need some 2,000. */
#define LEADERS_MAX 8192

/* Times that code after a leader is done again because less is known there than was thought. */
#define VISITS_MAX 4

/* Instructions done per byte of the gap. Code takes less than one, constants taken for code up to
 * six. */
#define STEPS_PER_BYTE 8

/* What compilers and assemblers align functions to, at least. */
#define ENTRY_ALIGN 16

/* Depths of the stack among which the usual one of a function is found. */
#define DEPTHS_MAX 16

enum {
	IS_ENTRY = 1,	/* a function starts here */
	IS_CALLED = 2,	/* by a direct call */
	IS_COVERED = 4, /* a byte of an instruction that has a rule */
	IS_MINE = 8,	/* the same, by the function at work */
	IS_START = 16,	/* where a run begins */
	IS_WEAK = 32,	/* done right after a call, which may not have come back */
};

/* An instruction to which more than one way may lead, and what holds on all of them. */
struct leader {
	uint32_t off;
	uint8_t n_visits;
	bool is_pending;
	bool is_weak; /* known only from code right after a call */
	struct code_state state;
};

/* What speaks for and against the state in which a function was entered. */
struct evidence {
	uint32_t n_returns; /* with the stack pointer where it has to be */
	uint32_t n_good;    /* and ways into known code, with the same */
	uint32_t n_bad;	    /* with the stack pointer elsewhere */
	uint32_t n_unknown; /* returns with it nobody knows where */
	int32_t shift;	    /* how much higher it should have been at first, by the first bad one */
	bool is_broken;	    /* ran into what is no code */
	bool uses_outer;    /* reaches for a frame that it has not made */
	bool has_table;	    /* jumps to places that are not known, in the middle of its work */
	bool uses_callers;  /* goes on with what another function has begun */
};

struct depth {
	struct code_value sp;
	uint32_t n;
	bool has_state;
	struct code_state state; /* the last with this depth at the end of a block */
};

struct code_gap {
	ZydisDecoder decoder;
	const uint8_t *bytes; /* borrowed */
	uint32_t n;
	uint8_t *flags;	     /* for each byte */
	uint16_t *rule_at;   /* for each byte: 1 + number of the rule; 0 = none begins here */
	uint16_t *leader_at; /* for each byte: 1 + number in leaders */
	struct code_rules rules;
	uint64_t steps_left, *all_steps_left; /* the latter borrowed */
	uint32_t *late;			      /* entries found behind the scan */
	size_t n_late, cap_late;
	uint32_t pos; /* of the scan */
	struct code_gap_stats stats;

	/* The function at work. */
	uint32_t entry;
	bool is_weak;  /* there was a call since the last leader */
	bool is_call;  /* it was entered as by a call */
	uint16_t rule; /* of the instruction before, as in rule_at */
	struct leader *leaders;
	size_t n_leaders, cap_leaders;
	uint16_t pending[LEADERS_MAX];
	size_t n_pending;
	uint32_t *seen; /* its instructions: offset << 4 | length */
	size_t n_seen, cap_seen;
	struct evidence evidence;
	struct depth depths[DEPTHS_MAX];
	size_t n_depths;
	/* The usual state of the last function that was accepted. */
	struct code_state body;
	bool has_body, has_table; /* whether there is one; it jumps by a table */
};

static const struct unwind_rule no_rule = {.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_GUESSED};

DEFINE_CLEANUP(struct code_gap *, code_gap__free);

struct code_gap *code_gap__free(struct code_gap *g)
{
	if (!g)
		return NULL;
	free(g->flags);
	free(g->rule_at);
	free(g->leader_at);
	code_rules__fini(&g->rules);
	free(g->late);
	free(g->leaders);
	free(g->seen);
	free(g);
	return NULL;
}

int code_gap__new(struct code_gap **ret, const uint8_t *bytes, uint32_t n, uint64_t *steps_left)
{
	_cleanup_(code_gap__freep) struct code_gap *g = calloc(1, sizeof(*g));

	assert(n <= CODE_GAP_BYTES_MAX);
	if (!g)
		return -ENOMEM;
	g->bytes = bytes;
	g->n = n;
	g->steps_left = (uint64_t)n * STEPS_PER_BYTE;
	g->all_steps_left = steps_left;
	g->flags = calloc(n + 1ull, sizeof(*g->flags));
	g->rule_at = calloc(n + 1ull, sizeof(*g->rule_at));
	g->leader_at = calloc(n + 1ull, sizeof(*g->leader_at));
	if (!g->flags || !g->rule_at || !g->leader_at)
		return -ENOMEM;
	code_decoder__init(&g->decoder);
	*ret = steal_ptr(g);
	return 0;
}

void code_gap__add_entry(struct code_gap *g, uint32_t off, bool is_called)
{
	if (off < g->n)
		g->flags[off] |= IS_ENTRY | (is_called ? IS_CALLED : 0);
}

const struct code_gap_stats *code_gap__stats(const struct code_gap *g)
{
	return &g->stats;
}

const struct unwind_rule *code_gap__rule(const struct code_gap *g, uint32_t off)
{
	return g->rule_at[off] ? &g->rules.v[g->rule_at[off] - 1] : NULL;
}

/* ---- leaders --------------------------------------------------------------------------------- */

static void make_pending(struct code_gap *g, struct leader *l)
{
	if (l->is_pending)
		return;
	l->is_pending = true;
	g->pending[g->n_pending++] = (uint16_t)(l - g->leaders);
}

static int add_leader(struct code_gap *g, uint32_t off, const struct code_state *s)
{
	struct leader *l;
	int r;

	if (g->n_leaders >= LEADERS_MAX) {
		g->stats.n_cut++;
		return 0;
	}
	r = array_reserve(&g->leaders, &g->cap_leaders, g->n_leaders + 1, sizeof(*g->leaders));
	if (r < 0)
		return r;
	l = &g->leaders[g->n_leaders++];
	l->off = off;
	l->n_visits = 0;
	l->is_pending = false;
	l->is_weak = g->is_weak;
	l->state = *s;
	g->leader_at[off] = (uint16_t)g->n_leaders;
	make_pending(g, l);
	return 0;
}

static void join_leader(struct code_gap *g, struct leader *l, const struct code_state *s)
{
	bool changed;

	if (!code_state__join(&l->state, s, l->off, &changed)) {
		g->stats.n_conflicts++;
		changed = l->is_weak && !g->is_weak;
		if (changed)
			l->state = *s;
	}
	l->is_weak &= g->is_weak;
	if (changed && l->n_visits < VISITS_MAX)
		make_pending(g, l);
}

/* The stack pointer lies SHIFT bytes higher than it would, had the function been entered right. */
static void count_depth(struct code_gap *g, int32_t shift)
{
	if (shift == 0) {
		g->evidence.n_good++;
	} else {
		if (g->evidence.n_bad++ == 0)
			g->evidence.shift = shift;
	}
}

/* Holds S against what is known at OFF, in another function. */
static void compare_depth(struct code_gap *g, uint32_t off, const struct code_state *s)
{
	const struct unwind_rule *rule = code_gap__rule(g, off);
	int32_t depth, right = -8;

	if (!code_state__depth(s, &depth))
		return;
	if (!(g->flags[off] & IS_ENTRY)) {
		if (!rule || rule->cfa != UNWIND_CFA_REG || rule->cfa_reg != CODE_RSP)
			return;
		right = -rule->cfa_off;
	}
	count_depth(g, depth - right);
}

/* A jump back into the middle of code that was done without knowing that it is jumped to. */
static int arrive_behind(struct code_gap *g, uint32_t off, const struct code_state *s)
{
	const struct unwind_rule *rule = code_gap__rule(g, off);
	struct code_state lost = *s;
	struct unwind_rule other;
	int32_t depth;
	bool changed;

	if (!rule || rule->cfa != UNWIND_CFA_REG || rule->cfa_reg != CODE_RSP ||
	    !code_state__depth(s, &depth) || depth == -rule->cfa_off)
		return 0;
	if ((g->flags[off] & IS_WEAK) && !g->is_weak) {
		/* Code after a call that does not come back, done as if it did. */
		g->stats.n_conflicts++;
		return add_leader(g, off, s);
	}
	/* A loop that moves the stack pointer: there may be another way to unwind. */
	lost.regs[CODE_RSP].off = -rule->cfa_off;
	if (code_state__join(&lost, s, off, &changed) && code_state__rule(&lost, &other))
		return add_leader(g, off, &lost);
	g->stats.n_conflicts++;
	return 0;
}

/* A way leads to OFF with the state S. */
static int arrive(struct code_gap *g, int64_t off, const struct code_state *s)
{
	uint8_t flags;
	int32_t depth;

	if (off < 0 || off >= g->n) {
		/* A tail call, or a part of this function that the linker has put elsewhere: only
		 * what has taken more than its frame off the stack is surely wrong. */
		if (code_state__depth(s, &depth) && depth > -8)
			count_depth(g, depth + 8);
		return 0;
	}
	flags = g->flags[off];
	if (g->leader_at[off])
		join_leader(g, &g->leaders[g->leader_at[off] - 1], s);
	else if ((flags & IS_MINE) && !(flags & IS_ENTRY))
		return arrive_behind(g, (uint32_t)off, s);
	else if (flags & (IS_COVERED | IS_ENTRY))
		compare_depth(g, (uint32_t)off, s);
	else
		return add_leader(g, (uint32_t)off, s);
	return 0;
}

/* ---- one function ---------------------------------------------------------------------------- */

static int record(struct code_gap *g, const struct code_insn *insn, struct code_state *s)
{
	struct unwind_rule rule;
	int r = 0;

	if (s->has_changed) {
		if (!code_state__rule(s, &rule))
			rule = no_rule;
		r = code_rules__intern(&g->rules, &rule, &g->rule);
	}
	if (r < 0)
		return r;
	s->has_changed = false;
	g->rule_at[insn->at] = g->rule;
	g->flags[insn->at] &= (uint8_t)~IS_WEAK;
	if (g->is_weak)
		g->flags[insn->at] |= IS_WEAK;
	if (g->flags[insn->at] & IS_MINE)
		return 0;
	r = array_reserve(&g->seen, &g->cap_seen, g->n_seen + 1, sizeof(*g->seen));
	if (r < 0) {
		g->rule_at[insn->at] = 0;
		return r;
	}
	g->seen[g->n_seen++] = insn->at << 4 | insn->length;
	for (uint32_t i = insn->at; i < insn->at + insn->length; i++)
		g->flags[i] |= IS_COVERED | IS_MINE;
	return 0;
}

/* Counts an instruction at the depth of S, whose state is kept where a block ends. */
static void count_body(struct code_gap *g, const struct code_state *s, bool block_ends)
{
	const struct code_value *sp = &s->regs[CODE_RSP];
	struct depth *d = NULL;

	for (size_t i = 0; i < g->n_depths && !d; i++)
		if (g->depths[i].sp.off == sp->off && g->depths[i].sp.base == sp->base)
			d = &g->depths[i];
	if (!d) {
		if (g->n_depths == DEPTHS_MAX)
			return;
		d = &g->depths[g->n_depths++];
		d->sp = *sp;
		d->n = 0;
		d->has_state = false;
	}
	d->n++;
	if (!block_ends)
		return;
	d->has_state = true;
	d->state = *s;
}

static void count_return(struct code_gap *g, const struct code_state *s)
{
	const struct code_value *sp = &s->regs[CODE_RSP];
	int32_t depth;

	if (s->in_outer_frame && sp->base == CODE_BASE_OUTER && sp->off == 0) {
		g->evidence.n_bad++; /* it was called after all */
	} else if (!code_state__depth(s, &depth)) {
		g->evidence.n_unknown++;
	} else {
		count_depth(g, depth + 8);
		g->evidence.n_returns += depth == -8;
	}
}

static int note_call(struct code_gap *g, const struct code_insn *insn)
{
	int r;

	if (!insn->has_target || insn->target < 0 || insn->target >= g->n ||
	    insn->target == insn->at + insn->length)
		return 0;
	if (g->flags[insn->target] & (IS_COVERED | IS_ENTRY)) {
		if (g->flags[insn->target] & IS_ENTRY)
			g->flags[insn->target] |= IS_CALLED;
		return 0;
	}
	code_gap__add_entry(g, (uint32_t)insn->target, true);
	if (insn->target > g->pos)
		return 0;
	r = array_reserve(&g->late, &g->cap_late, g->n_late + 1, sizeof(*g->late));
	if (r == 0)
		g->late[g->n_late++] = (uint32_t)insn->target;
	return r;
}

/* Whether the code at OFF, which the instruction before leads to, is to be done now. */
static bool is_fresh(struct code_gap *g, uint32_t off, const struct code_state *s, bool again)
{
	uint8_t flags;

	if (off >= g->n) {
		g->evidence.is_broken |= off > g->n;
		return false;
	}
	flags = g->flags[off];
	if ((flags & IS_ENTRY) || ((flags & IS_COVERED) && !(flags & IS_MINE))) {
		compare_depth(g, off, s);
		return false;
	}
	if (!(flags & IS_MINE))
		return true;
	/* In the middle of another instruction: one of the two is not code. */
	if (!g->rule_at[off])
		g->evidence.is_broken = true;
	return again && g->rule_at[off];
}

/* A call of a helper, which may rely on registers that it does not change: x264 and dav1d keep the
 * unaligned stack pointer in one. */
static int do_call(struct code_gap *g, const struct code_insn *insn, struct code_state *s)
{
	const struct unwind_rule *rule = code_gap__rule(g, insn->at);
	unsigned reg = rule && rule->cfa == UNWIND_CFA_REG ? rule->cfa_reg : CODE_RSP;
	struct code_value kept = s->regs[reg];

	if (reg == CODE_RSP || !insn->has_target || insn->target < 0 || insn->target >= g->n ||
	    !code_keeps_reg(&g->decoder, g->bytes, g->n, (uint32_t)insn->target, reg,
			    g->all_steps_left))
		return code_state__step(s, insn);
	code_state__step(s, insn);
	s->regs[reg] = kept;
	return 1;
}

/* Does INSN in the state S, and tells where else it leads. Positive: to the next instruction. */
static int do_insn(struct code_gap *g, const struct code_insn *insn, struct code_state *s)
{
	int32_t depth;
	int r = record(g, insn, s);

	if (r < 0)
		return r;
	count_body(g, s, insn->next != CODE_FALLS);
	if (!s->in_outer_frame && code_state__uses_outer_frame(s, insn))
		g->evidence.uses_outer = true;
	if (g->is_call && !g->evidence.uses_callers && code_state__uses_callers_regs(s, insn))
		g->evidence.uses_callers = true;
	switch (insn->next) {
	case CODE_RETURNS:
		count_return(g, s);
		return 0;
	case CODE_LEAVES:
		if (!code_state__depth(s, &depth) || depth != -8)
			g->evidence.has_table = true;
		return 0;
	case CODE_TRAPS:
		return 0;
	case CODE_JUMPS:
		return arrive(g, insn->target, s);
	case CODE_BRANCHES:
		if (!code_state__step(s, insn))
			return 0;
		r = arrive(g, insn->target, s);
		code_state__fall_through(s, insn);
		return r < 0 ? r : 1;
	case CODE_CALLS:
		g->is_weak = true;
		r = note_call(g, insn);
		return r < 0 ? r : do_call(g, insn, s);
	default:
		break;
	}
	return code_state__step(s, insn);
}

/* Whether INSN, done for the first time, shares bytes with another: one of the two is not code. */
static bool overlaps(const struct code_gap *g, const struct code_insn *insn)
{
	if (g->rule_at[insn->at])
		return false;
	for (uint32_t i = insn->at; i < insn->at + insn->length; i++)
		if (g->flags[i] & IS_COVERED)
			return true;
	return false;
}

/* From the leader NUMBER on until the path ends or is known. */
static int walk(struct code_gap *g, size_t number)
{
	struct leader *l = &g->leaders[number];
	struct code_state s = l->state;
	bool again = l->n_visits++ > 0 || (g->flags[l->off] & IS_MINE);
	uint32_t off = l->off;
	struct code_insn insn;
	int r;

	l->is_pending = false;
	g->is_weak = false;
	s.has_changed = true;
	for (bool first = true;; first = false) {
		if (!first && off < g->n && g->leader_at[off]) {
			join_leader(g, &g->leaders[g->leader_at[off] - 1], &s);
			return 0;
		}
		if (!first && !is_fresh(g, off, &s, again))
			return 0;
		if (!g->steps_left || !*g->all_steps_left) {
			g->stats.n_cut++;
			return 0;
		}
		g->steps_left--;
		--*g->all_steps_left;
		if (!code_insn__decode(&insn, &g->decoder, g->bytes, g->n, off) ||
		    overlaps(g, &insn)) {
			g->evidence.is_broken = true;
			return 0;
		}
		r = do_insn(g, &insn, &s);
		if (r <= 0)
			return r;
		off += insn.length;
	}
}

static void forget_leaders(struct code_gap *g)
{
	for (size_t i = 0; i < g->n_leaders; i++)
		g->leader_at[g->leaders[i].off] = 0;
	g->n_leaders = 0;
	g->n_pending = 0;
}

/* Follows the function that is entered at OFF in the state S. What comes out is in g->evidence, and
 * is to be accepted or taken back. */
static int explore(struct code_gap *g, uint32_t off, const struct code_state *s)
{
	int32_t depth;
	int r;

	g->entry = off;
	g->evidence = (struct evidence){0};
	g->n_seen = 0;
	g->n_depths = 0;
	g->is_weak = false;
	g->is_call = code_state__depth(s, &depth) && depth == -8;
	r = add_leader(g, off, s);
	while (r == 0 && g->n_pending)
		r = walk(g, g->pending[--g->n_pending]);
	forget_leaders(g);
	return r;
}

static void accept(struct code_gap *g)
{
	const struct depth *best = NULL;

	g->has_table = g->evidence.has_table;
	if (g->n_seen)
		g->flags[g->entry] |= IS_START;
	for (size_t i = 0; i < g->n_seen; i++)
		for (uint32_t k = 0; k < (g->seen[i] & 15); k++)
			g->flags[(g->seen[i] >> 4) + k] &= (uint8_t)~IS_MINE;
	for (size_t i = 0; i < g->n_depths; i++)
		if (g->depths[i].has_state && (!best || g->depths[i].n > best->n))
			best = &g->depths[i];
	if (best) {
		g->body = best->state;
		g->has_body = true;
	}
}

static void take_back(struct code_gap *g)
{
	for (size_t i = 0; i < g->n_seen; i++) {
		uint32_t off = g->seen[i] >> 4;

		g->rule_at[off] = 0;
		for (uint32_t k = 0; k < (g->seen[i] & 15); k++)
			g->flags[off + k] &= (uint8_t) ~(IS_MINE | IS_COVERED);
	}
	g->n_seen = 0;
}

/* A function that was not called but runs in another's frame. */
static bool is_outer(const struct code_gap *g, uint32_t off)
{
	return g->evidence.uses_outer && g->evidence.n_returns == 0 && !(g->flags[off] & IS_CALLED);
}

/* The function at OFF, which is surely one. */
static int do_function(struct code_gap *g, uint32_t off)
{
	struct code_state s;
	int r;

	code_state__enter(&s);
	r = explore(g, off, &s);
	if (r == 0 && is_outer(g, off)) {
		take_back(g);
		code_state__enter_outer(&s);
		r = explore(g, off, &s);
	}
	if (r == 0)
		accept(g);
	return r;
}

/* ---- code that nothing leads to -------------------------------------------------------------- */

static bool is_good(const struct evidence *e)
{
	return !(e->uses_callers && !e->n_good) && e->n_bad == 0 && e->n_unknown == 0 &&
	       !e->is_broken;
}

static bool is_better(const struct evidence *a, const struct evidence *b)
{
	if (a->is_broken != b->is_broken)
		return !a->is_broken;
	if (a->n_bad + a->n_unknown != b->n_bad + b->n_unknown)
		return a->n_bad + a->n_unknown < b->n_bad + b->n_unknown;
	if (a->uses_callers != b->uses_callers)
		return !a->uses_callers;
	return a->n_good > b->n_good;
}

/* Whether a function may start at OFF, where other code has ended. */
static bool looks_like_entry(const struct code_gap *g, uint32_t off)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	const uint8_t *b = g->bytes + off;

	/* The targets of tables are aligned, too, and nothing else tells that they are any. */
	if (!g->has_body || (off % ENTRY_ALIGN == 0 && !g->has_table) || b[0] == 0x55)
		return true;
	return g->n - off >= sizeof(endbr64) && !memcmp(b, endbr64, sizeof(endbr64));
}

/* The state that had to hold at first so that the evidence agrees. False where there is none. */
static bool corrected(const struct code_gap *g, const struct code_state *tried,
		      struct code_state *ret)
{
	int32_t off, body_off;

	if (g->evidence.shift == 0 || !code_state__depth(tried, &off))
		return false;
	off -= g->evidence.shift;
	if (off > -8 || off < -(1 << 20))
		return false;
	if (g->has_body && code_state__depth(&g->body, &body_off) && body_off == off)
		*ret = g->body;
	else
		code_state__enter_at(ret, off);
	return true;
}

/* Tries the states in which the code at OFF may be entered, until one is not contradicted. */
static int try_states(struct code_gap *g, uint32_t off, struct code_state *states, size_t n,
		      struct evidence *ret_best)
{
	size_t best = 0;
	bool was_corrected = false;

	for (size_t i = 0; i < n; i++) {
		int r = explore(g, off, &states[i]);

		if (r < 0)
			return r;
		if (i == 0 && is_outer(g, off) && g->evidence.n_bad == 0) {
			take_back(g);
			code_state__enter_outer(&states[0]);
			r = explore(g, off, &states[0]);
			if (r < 0)
				return r;
		}
		if (i == 0 || is_better(&g->evidence, ret_best)) {
			*ret_best = g->evidence;
			best = i;
		}
		if (is_good(&g->evidence))
			return 0;
		if (!was_corrected && g->evidence.n_bad && corrected(g, &states[i], &states[n])) {
			was_corrected = true;
			n++;
		}
		if (i + 1 < n)
			take_back(g);
	}
	if (best == n - 1)
		return 0;
	take_back(g);
	return explore(g, off, &states[best]);
}

/*
 * Code at OFF that nothing is known to lead to: a function that is only called through pointers, or
 * a part of the one before that is reached through a table. *RET_SKIP: it is neither.
 */
static int do_unknown(struct code_gap *g, uint32_t off, bool *ret_skip)
{
	struct code_state states[3], body = g->body;
	struct evidence best;
	bool had_body = g->has_body, had_table = g->has_table, as_entry = looks_like_entry(g, off);
	size_t n = 0;
	int r;

	code_state__enter(&states[n++]);
	if (had_body)
		states[n++] = body;
	if (!as_entry) {
		states[1] = states[0];
		states[0] = body;
	}
	r = try_states(g, off, states, n, &best);
	if (r < 0)
		return r;
	*ret_skip = best.is_broken && best.n_good <= best.n_bad;
	if (*ret_skip) {
		take_back(g);
		return 0;
	}
	accept(g);
	if (!as_entry && had_body) {
		g->flags[off] &= (uint8_t)~IS_START;
		g->body = body;
		g->has_table |= had_table;
	}
	return 0;
}

/* ---- the whole gap --------------------------------------------------------------------------- */

/* The look-up for where a signal handler returns to is for the byte before. */
static int mark_restorers(struct code_gap *g)
{
	static const struct unwind_rule rule = {.cfa = UNWIND_CFA_SIGNAL};
	uint32_t off = 0;
	uint16_t number;
	size_t n;

	while ((n = code_find_restorer(g->bytes, g->n, &off))) {
		uint32_t start = off ? off - 1 : 0;
		int r = code_rules__intern(&g->rules, &rule, &number);

		if (r < 0)
			return r;
		memset(&g->rule_at[start], 0, (off + n - start) * sizeof(*g->rule_at));
		for (uint32_t k = start; k < off + n; k++)
			g->flags[k] = (uint8_t)((g->flags[k] & ~IS_START) | IS_COVERED);
		g->rule_at[start] = number;
		g->flags[start] |= IS_START;
		off += (uint32_t)n;
	}
	return 0;
}

static int do_late(struct code_gap *g)
{
	int r = 0;

	for (size_t i = 0; i < g->n_late && r == 0; i++)
		if (!(g->flags[g->late[i]] & IS_COVERED))
			r = do_function(g, g->late[i]);
	return r;
}

int code_gap__analyse(struct code_gap *g)
{
	uint16_t number;
	int r = code_rules__intern(&g->rules, &no_rule, &number);

	/* In the order of addresses, so that what a function leaves over comes right after it. */
	for (g->pos = 0; g->pos < g->n && *g->all_steps_left && r == 0;) {
		bool skip = false;
		size_t n;

		if (g->flags[g->pos] & IS_COVERED) {
			g->pos++;
			continue;
		}
		if (g->flags[g->pos] & IS_ENTRY) {
			r = do_function(g, g->pos);
			/* Where not even one instruction is there. */
			g->pos += !(g->flags[g->pos] & IS_COVERED);
			continue;
		}
		n = code_padding(&g->decoder, g->bytes, g->n, g->pos);
		if (n) {
			size_t k = 1;

			while (k < n && !(g->flags[g->pos + k] & (IS_ENTRY | IS_COVERED)))
				k++;
			g->pos += (uint32_t)k;
			continue;
		}
		r = do_unknown(g, g->pos, &skip);
		if (skip || !(g->flags[g->pos] & IS_COVERED))
			for (g->pos++; g->pos < g->n && g->pos % ENTRY_ALIGN &&
				       !(g->flags[g->pos] & (IS_ENTRY | IS_COVERED));)
				g->pos++;
	}
	if (r == 0)
		r = do_late(g);
	g->stats.n_cut += g->rules.n_cut;
	return r == 0 ? mark_restorers(g) : r;
}

bool code_gap__run(const struct code_gap *g, uint32_t *ret_start, uint32_t *ret_end)
{
	uint32_t start = *ret_start, end;

	while (start < g->n && !(g->flags[start] & IS_COVERED))
		start++;
	if (start == g->n)
		return false;
	for (end = start + 1; end < g->n && (g->flags[end] & IS_COVERED); end++)
		if (g->flags[end] & IS_START)
			break;
	*ret_start = start;
	*ret_end = end;
	return true;
}
