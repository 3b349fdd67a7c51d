/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's helpers as the unwinder sees them, over memory that the test gives and with faults
 * on demand. Swapped in by bpf/helpers.bpf.h where the unwinder is compiled natively.
 */
#ifndef TESTS_UNWIND_NATIVE_H
#define TESTS_UNWIND_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/cdefs.h>

#include "bpf/cprofd_abi.h"

/* Reads SIZE bytes at ADDR of the user memory into DST. False where some are not there. */
typedef bool (*native_read_fn)(void *ctx, uint64_t addr, void *dst, size_t size);

/* What the walk under way works on. */
struct native_memory {
	/* Of the kernel: the unwind memory and the processes. */
	const struct unwind_line *lines;
	uint32_t n_lines;
	const struct unwind_line *processes; /* UNWIND_PROCESS_LINES of them; NULL = none */
	/* Of the process. */
	native_read_fn read;
	void *ctx;
	size_t fault_at; /* the read of this number fails, counted from 0; SIZE_MAX = none */
	size_t n_reads;	 /* written by the helpers */
};

/* The test at work sets it. */
static struct native_memory *native_memory;

/* Line 0 is there, as in the kernel, and full of zeros. */
static inline const struct unwind_line *unwind_line(uint32_t i)
{
	return i < native_memory->n_lines ? &native_memory->lines[i] : NULL;
}

static inline const struct unwind_process *process_line(uint32_t tgid)
{
	const struct unwind_line *p = native_memory->processes;

	return p ? (const void *)&p[unwind_process_line(tgid)] : NULL;
}

static inline long bpf_probe_read_user(void *dst, uint32_t size, const void *unsafe_ptr)
{
	struct native_memory *m = native_memory;
	uint64_t addr = (uintptr_t)unsafe_ptr;

	if (m->n_reads++ == m->fault_at || addr + size < addr ||
	    !m->read(m->ctx, addr, dst, size)) {
		memset(dst, 0, size); /* as the kernel does */
		return -14;	      /* -EFAULT */
	}
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

#endif
