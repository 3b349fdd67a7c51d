/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rules by number, each once: code has few, and two bytes say which. At most RULES_MAX; what
 * is one too many gets the first one and is counted. How a rule follows from a state
 * (code_state__rule) is here, too.
 */
#ifndef SYMBOLIZER_CODE_RULE_H
#define SYMBOLIZER_CODE_RULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/hindex.h"
#include "bpf/cprofd_abi.h"

/* Zero is a valid beginning. */
struct code_rules {
	struct unwind_rule *v;
	size_t n, cap;
	struct hash_key key; /* from the first rule on: code may be such that its rules collide */
	struct hindex index;
	uint64_t n_cut;
};

/* *RET is 1 + the number of RULE in rules->v. 0 or -ENOMEM. */
int code_rules__intern(struct code_rules *rules, const struct unwind_rule *rule, uint16_t *ret);
void code_rules__fini(struct code_rules *rules);

#endif
