/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks a user stack by frame pointers: at the address in the frame pointer stand the caller's
 * frame pointer and the return address (System V x86-64 psABI 3.2.2; AAPCS64 6.2.3, the same two
 * words).
 *
 * The walk goes outwards or ends: each frame must lie above the last. It never says more than the
 * stack holds; whether a return address is code is checked by the collector, which knows the
 * mappings. A function that has not set up its frame yet hides its caller: known, and why frame
 * pointers are only the first unwinder. Compiles natively too (helpers.bpf.h).
 */
#ifndef UNWIND_FP_BPF_H
#define UNWIND_FP_BPF_H

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"

struct user_regs {
	abi_u64 ip, sp, fp;
	abi_u64 end; /* first address that is not user space */
};

struct unwind_walk {
	abi_u64 *frames; /* SAMPLE_FRAMES_MAX long */
	abi_u64 fp;
	abi_u64 lowest; /* the next frame lies at or above this */
	abi_u64 user_end_addr;
	abi_u32 n;   /* frames used, kernel frames included */
	abi_u32 max; /* frames that may be used, at most SAMPLE_FRAMES_MAX */
	abi_u32 end; /* enum stack_end */
};

/* One frame outwards. Returns 1 when the walk has ended, as bpf_loop() wants it. */
static long unwind_fp_step(abi_u32 i, void *ctx)
{
	struct unwind_walk *w = ctx;
	struct {
		abi_u64 fp, ret_addr;
	} frame;

	(void)i;
	if (w->fp == 0) {
		w->end = STACK_END_ROOT;
		return 1;
	}
	if (w->fp < w->lowest || (w->fp & 7)) {
		w->end = STACK_END_BAD_CFA;
		return 1;
	}
	if (bpf_probe_read_user(&frame, sizeof(frame), (void *)(long)w->fp)) {
		w->end = STACK_END_UNREADABLE;
		return 1;
	}
	if (frame.ret_addr == 0) {
		w->end = STACK_END_ROOT;
		return 1;
	}
	if (frame.ret_addr >= w->user_end_addr) {
		w->end = STACK_END_BAD_CFA;
		return 1;
	}
	/* verifier: the index must be bounded in the same step that uses it (6.1). */
	if (w->n >= w->max || w->n >= SAMPLE_FRAMES_MAX) {
		w->end = STACK_END_DEPTH;
		return 1;
	}
	w->frames[w->n++] = frame.ret_addr;
	w->lowest = w->fp + sizeof(frame);
	w->fp = frame.fp;
	return 0;
}

/*
 * Appends the user frames to FRAMES, which holds N_BEFORE kernel frames already. Returns the number
 * of user frames and sets *RET_END to the reason why there are no more.
 */
static __always_inline abi_u32 unwind_user(const struct user_regs *regs, abi_u64 *frames,
					   abi_u32 n_before, abi_u8 *ret_end)
{
	struct unwind_walk walk = {
	    .frames = frames,
	    .fp = regs->fp,
	    .lowest = regs->sp,
	    .user_end_addr = regs->end,
	    .n = n_before,
	    .max = n_before + USER_FRAMES_MAX,
	    .end = STACK_END_DEPTH,
	};

	if (walk.n >= SAMPLE_FRAMES_MAX) {
		*ret_end = STACK_END_DEPTH;
		return 0;
	}
	frames[walk.n++] = regs->ip;
	bpf_loop(USER_FRAMES_MAX, unwind_fp_step, &walk, 0);
	*ret_end = (abi_u8)walk.end;
	return walk.n - n_before;
}

#endif
