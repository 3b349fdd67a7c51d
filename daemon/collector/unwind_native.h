/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's helpers as the unwinder sees them when it goes on with a walk in user space: over
 * the part of the stack that came with the sample, and with the mappings that the process had then.
 * Only for unwinder.c, through bpf/helpers.bpf.h.
 */
#ifndef COLLECTOR_UNWIND_NATIVE_H
#define COLLECTOR_UNWIND_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/mapset.h"

/* A piece of stack that came with the sample. */
struct native_stack {
	uint64_t start;
	const char *bytes;
	size_t n_bytes;
	uint32_t missing; /* bit n: page n of it is not there */
	bool cut;	  /* it goes on beyond what was copied */
};

/* What the walk under way works on; unwinder.c sets it. */
struct native_walk {
	const struct unwind_line *lines; /* line 0 of the unwind memory */
	uint32_t n_lines;
	const struct mapset *maps;
	struct native_stack stacks[2];
	bool beyond;		       /* a read went over the end of one */
	const struct mapping *missing; /* code whose table is not there yet */
};

static _Thread_local struct native_walk *native_walk;

static inline const struct unwind_line *unwind_line(uint32_t i)
{
	return i && i < native_walk->n_lines ? &native_walk->lines[i] : NULL;
}

/* Processes are found by the caller. */
static inline const struct unwind_process *process_line(uint32_t tgid)
{
	(void)tgid;
	return NULL;
}

/* Whether the pages of S that hold SIZE bytes at OFF have come along. */
static inline bool has_pages(const struct native_stack *s, uint64_t off, uint32_t size)
{
	/* By offsets: a stack pointer may be so high that addresses wrap around. */
	uint64_t in_page = s->start % USER_PAGE;
	uint64_t from = (in_page + off) / USER_PAGE;
	uint64_t to = (in_page + off + size - 1) / USER_PAGE;

	for (; from <= to; from++)
		if (from < 32 && s->missing >> from & 1)
			return false;
	return true;
}

static inline long bpf_probe_read_user(void *dst, uint32_t size, const void *unsafe_ptr)
{
	for (size_t i = 0; i < 2; i++) {
		const struct native_stack *s = &native_walk->stacks[i];
		uint64_t off = (uintptr_t)unsafe_ptr - s->start;

		if (off < s->n_bytes && size <= s->n_bytes - off && has_pages(s, off, size)) {
			memcpy(dst, s->bytes + off, size);
			return 0;
		}
		/* Not far behind the end of what was copied it goes on. */
		native_walk->beyond |= s->cut && off - s->n_bytes + size < STACK_COPY_MAX;
	}
	memset(dst, 0, size);
	return -14; /* -EFAULT, as the kernel's */
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
