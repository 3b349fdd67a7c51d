/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the BPF walker reads: hands out runs of lines (bpf/cprofd_abi.h) of a BPF array
 * that is shared with the kernel, within a fixed budget.
 *
 * Writing is storing: no system call, so no tick is missed while tables change. What is given back
 * is handed out again only after a second, when no walk can still be reading it. One thread.
 */
#ifndef COLLECTOR_UNWIND_MEMORY_H
#define COLLECTOR_UNWIND_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"

struct unwind_memory;

/*
 * Over the BPF array at FD (borrowed), of N_LINES lines; FD -1: over memory of our own, where there
 * is no walker in the kernel. Only what is handed out is mapped. 0 or -errno.
 */
int unwind_memory__new(struct unwind_memory **ret, int fd, uint32_t n_lines);
/* Takes NULL. Returns NULL. */
struct unwind_memory *unwind_memory__free(struct unwind_memory *m);

/* Hands out N lines in a row, zeroed. *RET is the number of the first, never 0. 0, -ENOSPC, or
 * -errno. */
int unwind_memory__take(struct unwind_memory *m, uint32_t n, uint32_t *ret);

/* Gives N lines from LINE on back, to which nothing points any more since NOW_NS
 * (CLOCK_MONOTONIC). */
void unwind_memory__give(struct unwind_memory *m, uint32_t line, uint32_t n, uint64_t now_ns);

/* Makes what was given back long enough before NOW_NS available. */
void unwind_memory__settle(struct unwind_memory *m, uint64_t now_ns);

/* Line 0. Lines that are not handed out may not be touched. */
struct unwind_line *unwind_memory__lines(const struct unwind_memory *m);

/* Lines there are; lines that are handed out or were until lately; and of those the latter, which
 * settle by themselves. */
uint32_t unwind_memory__n_lines(const struct unwind_memory *m);
uint32_t unwind_memory__n_used(const struct unwind_memory *m);
uint32_t unwind_memory__n_resting(const struct unwind_memory *m);

#endif
