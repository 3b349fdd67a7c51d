/* SPDX-License-Identifier: Apache-2.0 */
/* Samples whose walk goes on in user space: with registers and a piece of stack. */
#ifndef TESTS_MADE_WALK_H
#define TESTS_MADE_WALK_H

#include "bpf/cprofd_abi.h"
#include "daemon/collector/sampler.h"
#include "tests/unit/made_sample.h"
#include "tests/unit/valid_table.h"

struct made_walk {
	struct made_sample sample;
	char more[sizeof(struct unwind_regs) + STACK_COPY_BELOW + STACK_COPY_MAX];
};

/* The registers of a frame at IP with the stack at SP; FP as its frame pointer. */
static inline struct unwind_regs made_regs(uint64_t ip, uint64_t sp, uint64_t fp)
{
	struct unwind_regs regs = {.ip = ip, .sp = sp, .exact = 1};

	regs.r[MADE_SP] = sp;
	regs.r[MADE_FP] = fp;
	regs.valid = 1u << MADE_SP | 1u << MADE_FP;
	return regs;
}

/* Adds the registers of the last frame, and the stack from its sp on, to W->sample; below it all is
 * zero. */
static inline void made_walk__goes_on(struct made_walk *w, const struct unwind_regs *regs,
				      const void *stack, size_t stack_bytes)
{
	struct sample_record *record = &w->sample.record;
	char *end = (char *)(w->sample.frames + record->n_kernel + record->n_user);

	record->user_end = STACK_END_UNKNOWN;
	memcpy(end, regs, sizeof(*regs));
	if (!stack_bytes)
		return;
	record->stack_bytes = (uint32_t)(STACK_COPY_BELOW + stack_bytes);
	memset(end + sizeof(*regs), 0, STACK_COPY_BELOW);
	memcpy(end + sizeof(*regs) + STACK_COPY_BELOW, stack, stack_bytes);
}

/* The sample of a process that was interrupted in the frame of REGS. */
static inline void made_walk(struct made_walk *w, uint32_t tgid, const struct unwind_regs *regs,
			     const void *stack, size_t stack_bytes)
{
	memset(w, 0, sizeof(*w));
	w->sample = made_sample(tgid, tgid, "made", NO_FRAMES, FRAMES(regs->ip), STACK_END_UNKNOWN);
	made_walk__goes_on(w, regs, stack, stack_bytes);
}

#endif
