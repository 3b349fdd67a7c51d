/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's helpers as the unwinder sees them when it goes on with a walk in user space: over the
 * part of the stack that came with the sample, and with the mappings that the process had then. Only
 * for unwinder.c, through bpf/helpers.bpf.h.
 */
#ifndef COLLECTOR_UNWIND_NATIVE_H
#define COLLECTOR_UNWIND_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/mapset.h"

/* What the walk under way works on; unwinder.c sets it. */
struct native_walk {
	const struct unwind_line *lines; /* line 0 of the unwind memory */
	const struct mapset *maps;
	uint64_t stack_start;
	const char *stack;
	size_t stack_bytes;
	bool beyond; /* a read went over the end of the copy */
	const struct mapping *missing; /* code whose table is not there yet */
};

static _Thread_local struct native_walk *native_walk;

static inline const struct unwind_line *unwind_line(uint32_t i)
{
	return i ? &native_walk->lines[i] : NULL;
}

/* Processes are found by the caller. */
static inline const struct unwind_process *process_line(uint32_t tgid)
{
	(void)tgid;
	return NULL;
}

static inline long bpf_probe_read_user(void *dst, uint32_t size, const void *unsafe_ptr)
{
	struct native_walk *n = native_walk;
	uint64_t off = (uintptr_t)unsafe_ptr - n->stack_start;

	if (off > n->stack_bytes || size > n->stack_bytes - off) {
		n->beyond |= off >= n->stack_bytes && off < n->stack_bytes + STACK_COPY_MAX;
		memset(dst, 0, size);
		return -14; /* -EFAULT, as the kernel's */
	}
	memcpy(dst, n->stack + off, size);
	return 0;
}

static inline long bpf_loop(uint32_t n, long (*fn)(uint32_t, void *), void *ctx, uint64_t flags)
{
	uint32_t i = 0;

	(void)flags;
	while (i < n)
		if (fn(i++, ctx))
			break;
	return i;
}

/* The walker's own look-up of mappings is for the lists in the kernel's memory. */
#define UNWIND_OWN_MAPPINGS

#endif
