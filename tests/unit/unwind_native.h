/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the BPF walker reads, given by test_spaces.c: so what the collector has written
 * is looked up by the walker's own code. Swapped in by bpf/helpers.bpf.h.
 */
#ifndef TESTS_UNIT_UNWIND_NATIVE_H
#define TESTS_UNIT_UNWIND_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>

#include "bpf/cprofd_abi.h"

struct native_tables {
	const struct unwind_line *lines;
	uint32_t n_lines;
	const struct unwind_process *processes;
};

/* The test at work sets it. */
static struct native_tables native_tables;

static inline const struct unwind_line *unwind_line(uint32_t i)
{
	return i && i < native_tables.n_lines ? &native_tables.lines[i] : NULL;
}

static inline const struct unwind_process *process_line(uint32_t tgid)
{
	return native_tables.processes + unwind_process_line(tgid) * UNWIND_PROCESSES_PER_LINE;
}

#endif
