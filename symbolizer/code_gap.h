/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rules for one stretch of code that nothing else describes.
 *
 * Follows the instructions from every entry that is known, by direct jumps and into the next
 * instruction, and derives a rule at each. What jumps through tables reach is found by going over
 * the rest: it is taken for a function of its own, or for a part of the one before, whichever
 * agrees with where the stack pointer has to be when it returns or comes back to known code.
 * The bytes are hostile: work is proportional to them and what is too much is left out, counted.
 */
#ifndef SYMBOLIZER_CODE_GAP_H
#define SYMBOLIZER_CODE_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"

/* Six bytes of memory for each are taken; longer gaps are done in parts. */
#define CODE_GAP_BYTES_MAX (8u << 20)

struct code_gap_stats {
	uint64_t n_conflicts; /* ways to one instruction that disagree: the first one counts */
	uint64_t n_cut;	      /* paths not followed: over a limit */
};

struct code_gap;

/* BYTES (borrowed), at most CODE_GAP_BYTES_MAX. Each instruction that is looked at takes one from
 * *STEPS_LEFT (borrowed), and with none left no more are. 0 or -ENOMEM. */
int code_gap__new(struct code_gap **ret, const uint8_t *bytes, uint32_t n, uint64_t *steps_left);
struct code_gap *code_gap__free(struct code_gap *g);

/* A function starts at OFF. IS_CALLED: by a direct call; otherwise it may be jumped to, as the
 * handlers of an interpreter are. */
void code_gap__add_entry(struct code_gap *g, uint32_t off, bool is_called);

/* Derives the rules, once, after the last entry. 0 or -ENOMEM. */
int code_gap__analyse(struct code_gap *g);

/* The first run of code at or after *RET_START: one function or a part of one. False where there
 * is no more. */
bool code_gap__run(const struct code_gap *g, uint32_t *ret_start, uint32_t *ret_end);

/* The rule that begins at OFF, borrowed; NULL = that of the byte before goes on. */
const struct unwind_rule *code_gap__rule(const struct code_gap *g, uint32_t off);

const struct code_gap_stats *code_gap__stats(const struct code_gap *g);

#endif
