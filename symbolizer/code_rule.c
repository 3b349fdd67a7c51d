/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/code_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"
#include "symbolizer/code_state.h"

#define RULES_MAX UINT16_MAX
#define WORD 8

int code_rules__intern(struct code_rules *rules, const struct unwind_rule *rule, uint16_t *ret)
{
	struct hindex_iter it;
	uint64_t hash;
	uint32_t i;
	int r;

	if (!rules->n)
		rules->key = hash_key_random();
	hash = hash_bytes(&rules->key, rule, sizeof(*rule));
	for (it = hindex__find(&rules->index, hash); hindex_iter__next(&it, &i);) {
		if (!memcmp(&rules->v[i], rule, sizeof(*rule))) {
			*ret = (uint16_t)(i + 1);
			return 0;
		}
	}
	if (rules->n >= RULES_MAX) {
		rules->n_cut++;
		*ret = 1;
		return 0;
	}
	r = array_reserve(&rules->v, &rules->cap, rules->n + 1, sizeof(*rules->v));
	if (r == 0)
		r = hindex__add(&rules->index, hash, (uint32_t)rules->n);
	if (r < 0)
		return r;
	rules->v[rules->n] = *rule;
	*ret = (uint16_t)++rules->n;
	return 0;
}

void code_rules__fini(struct code_rules *rules)
{
	hindex__fini(&rules->index);
	free(rules->v);
	*rules = (struct code_rules){0};
}

/* The rule by a register that is a known distance away from the CFA. */
static bool rule_by_reg(const struct code_state *s, unsigned reg, struct unwind_rule *rule)
{
	if (!code_value_is_cfa(&s->regs[reg]))
		return false;
	rule->cfa = UNWIND_CFA_REG;
	rule->cfa_reg = (uint8_t)reg;
	rule->cfa_off = -s->regs[reg].off;
	return true;
}

/* The rule by a slot, near what a register points to, that holds such an address. */
static bool rule_by_slot(const struct code_state *s, unsigned reg, struct unwind_rule *rule)
{
	const struct code_value *v = &s->regs[reg];
	const struct code_slot *best = NULL;

	if (v->kind != CODE_ADDR || v->base == CODE_BASE_CFA)
		return false;
	for (unsigned i = 0; i < s->n_slots; i++) {
		const struct code_slot *slot = &s->slots[i];

		/* The lowest, so that the answer does not depend on the order of the slots. */
		if (slot->base == v->base && code_value_is_cfa(&slot->value) &&
		    slot->value.off >= INT16_MIN && slot->value.off <= INT16_MAX &&
		    -slot->value.off <= INT16_MAX && (!best || slot->off < best->off))
			best = slot;
	}
	if (!best)
		return false;
	rule->cfa = UNWIND_CFA_DEREF;
	rule->cfa_reg = (uint8_t)reg;
	rule->cfa_off = best->off - v->off;
	rule->cfa_off2 = (int16_t)-best->value.off;
	return true;
}

/* Where the register REG was saved, relative to the CFA or AT_REG. */
static uint8_t saved_slot(const struct code_state *s, unsigned reg, const struct code_value *at_reg)
{
	uint8_t found = 0;

	for (unsigned i = 0; i < s->n_slots; i++) {
		const struct code_slot *slot = &s->slots[i];
		int64_t down =
		    at_reg ? (int64_t)at_reg->off - slot->off + WORD : -(int64_t)slot->off;

		if (!code_value_is_entry(&slot->value, reg) ||
		    slot->base != (at_reg ? at_reg->base : CODE_BASE_CFA) || down % WORD ||
		    down < WORD || down > UNWIND_SAVED_SLOT_MAX * WORD)
			continue;
		found = found ? MIN(found, (uint8_t)(down / WORD)) : (uint8_t)(down / WORD);
	}
	/* A copy in the frame outlives the register, which a loop may change further on. */
	if (found)
		return found;
	return code_value_is_entry(&s->regs[reg], reg) ? 0 : UNWIND_SAVED_LOST;
}

/* Fills in where the registers are. Returns how many are lost. */
static unsigned fill_saved(const struct code_state *s, const struct code_value *at_reg,
			   struct unwind_rule *rule)
{
	static const uint8_t regs[] = UNWIND_SAVED_X86_64;
	unsigned n_lost = 0;

	for (unsigned i = 0; i < UNWIND_N_SAVED; i++) {
		rule->saved[i] = saved_slot(s, regs[i], at_reg);
		n_lost += rule->saved[i] == UNWIND_SAVED_LOST;
	}
	return n_lost;
}

static bool find_cfa(const struct code_state *s, struct unwind_rule *rule)
{
	/* In the order in which they are likely to live. */
	static const uint8_t others[] = {CODE_RBX, CODE_R12, CODE_R13, CODE_R14, CODE_R15,
					 CODE_R11, 10,	     9,	       CODE_R8,	 CODE_RAX,
					 CODE_RDX, CODE_RCX, CODE_RSI, CODE_RDI};
	struct code_value saved_rbp = code_state__load(s, &s->regs[CODE_RBP]);

	if (rule_by_reg(s, CODE_RSP, rule) || rule_by_reg(s, CODE_RBP, rule))
		return true;
	/* A frame with a frame pointer in it: that says where the registers are, too. */
	if (code_value_is_entry(&saved_rbp, CODE_RBP) && rule_by_slot(s, CODE_RBP, rule))
		return true;
	if (rule_by_slot(s, CODE_RSP, rule) || rule_by_slot(s, CODE_RBP, rule))
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (rule_by_reg(s, others[i], rule))
			return true;
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (rule_by_slot(s, others[i], rule))
			return true;
	return false;
}

bool code_state__rule(const struct code_state *s, struct unwind_rule *ret)
{
	struct unwind_rule rule = {.ra = 1, .flags = UNWIND_FLAG_GUESSED}, at_reg;
	unsigned n_lost;

	if (s->is_child) {
		*ret = (struct unwind_rule){.cfa = UNWIND_CFA_ROOT};
		return true;
	}
	if (!find_cfa(s, &rule) ||
	    (rule.cfa == UNWIND_CFA_REG && rule.cfa_reg == CODE_RSP && rule.cfa_off < 0))
		return false;
	if (s->in_outer_frame && rule.cfa == UNWIND_CFA_REG && rule.cfa_reg == CODE_RBP) {
		*ret = (struct unwind_rule){.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_GUESSED};
		return true;
	}
	at_reg = rule;
	n_lost = fill_saved(s, NULL, &rule);
	if (n_lost && s->regs[rule.cfa_reg].base != CODE_BASE_CFA &&
	    fill_saved(s, &s->regs[rule.cfa_reg], &at_reg) < n_lost) {
		at_reg.flags |= UNWIND_FLAG_SAVED_AT_REG;
		rule = at_reg;
	}
	*ret = rule;
	return true;
}
