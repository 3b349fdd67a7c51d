/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's helpers as the unwinder sees them, over recorded stack memory and with faults on
 * demand. Swapped in by bpf/helpers.bpf.h where the unwinder is compiled natively.
 */
#ifndef TESTS_UNWIND_NATIVE_H
#define TESTS_UNWIND_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/cdefs.h>

/* The user memory there is, and what happens to those who read it. */
struct native_memory {
	uint64_t start; /* address of bytes[0] */
	const void *bytes;
	size_t n_bytes;
	size_t fault_at; /* the read of this number fails, counted from 0; SIZE_MAX = none */
	/* Written by the helpers. */
	size_t n_reads;
	uint64_t last_read; /* address of the last read */
	bool went_back;	    /* a read did not lie above the one before */
};

/* The memory that the helpers read; the test at work sets it. */
static struct native_memory *native_memory;

static inline long bpf_probe_read_user(void *dst, uint32_t size, const void *unsafe_ptr)
{
	struct native_memory *m = native_memory;
	uint64_t addr = (uintptr_t)unsafe_ptr;

	if (m->n_reads && addr <= m->last_read)
		m->went_back = true;
	m->last_read = addr;
	if (m->n_reads++ == m->fault_at || addr < m->start || addr - m->start > m->n_bytes ||
	    m->n_bytes - (addr - m->start) < size) {
		memset(dst, 0, size); /* as the kernel does */
		return -14;	      /* -EFAULT */
	}
	memcpy(dst, (const char *)m->bytes + (addr - m->start), size);
	return 0;
}

static inline long bpf_loop(uint32_t n, long (*fn)(uint32_t, void *), void *ctx, uint64_t flags)
{
	uint32_t i = 0;

	while (i < n)
		if (fn(i++, ctx))
			break;
	return i;
}

#endif
