/* SPDX-License-Identifier: Apache-2.0 */
/* A stopped thread, and the list of frames that an unwinder makes of it. */
#ifndef TRUTH_WALK_H
#define TRUTH_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/cprofd_abi.h"

/* A thread that does not run. */
struct stop {
	pid_t pid, tid;
	struct unwind_regs regs;
};

/* Leaf first: the instruction of frame 0, and the addresses that the others return to. */
struct walk {
	uint64_t pcs[USER_FRAMES_MAX];
	/* The instruction itself, not the one after a call. */
	bool exact[USER_FRAMES_MAX];
	uint32_t n;
	bool root;    /* ended where there is no caller */
	bool depth;   /* ended because the list is full */
	char why[64]; /* it ended, in words */
};

/* Registers as ptrace gives them. */
struct user_regs_struct;
void stop__set_regs(struct stop *s, const struct user_regs_struct *regs);

#endif
