/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a laid out unwind table what holds at an address, as the BPF program does. */
#ifndef TESTS_UNWIND_LOOKUP_H
#define TESTS_UNWIND_LOOKUP_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/cprofd_abi.h"
#include "symbolizer/elf_file.h"

/* The number of the row that holds at file offset OFF. */
static inline uint32_t unwind_lookup_row(const struct unwind_line *lines, uint64_t off)
{
	const struct unwind_table_head *head = (const void *)lines;
	const uint32_t *dir = (const void *)&lines[head->dir_line];
	const uint32_t *rows = (const void *)&lines[head->row_line];
	uint64_t bucket = (off - head->start) >> head->shift;
	uint32_t lo, hi;

	assert(off >= head->start && bucket < head->n_buckets);
	lo = dir[bucket];
	hi = dir[bucket + 1];
	assert(lo <= hi && hi <= head->n_rows);
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if ((rows[mid] & 0xffff) <= (off & 0xffff))
			lo = mid + 1;
		else
			hi = mid;
	}
	assert(lo > 0);
	return lo - 1;
}

static inline struct unwind_rule unwind_lookup_rule(const struct unwind_line *lines, uint64_t off)
{
	const struct unwind_table_head *head = (const void *)lines;
	const uint32_t *rows = (const void *)&lines[head->row_line];
	const struct unwind_rule *rules = (const void *)&lines[head->rule_line];
	uint32_t row = rows[unwind_lookup_row(lines, off)];
	struct unwind_rule rule;

	assert(row >> 16 < head->n_rules);
	rule = rules[row >> 16];
	unwind_rule_at(&rule, (uint32_t)(off - row) & 0xffff);
	return rule;
}

/* The rule at VADDR, which must be in an executable segment of FILE. */
static inline struct unwind_rule unwind_lookup(const struct unwind_line *lines,
					       const struct elf_file *file, uint64_t vaddr)
{
	size_t n;
	const struct elf_segment *code = elf_file__code(file, &n);

	for (size_t i = 0; i < n; i++)
		if (vaddr >= code[i].vaddr && vaddr - code[i].vaddr < code[i].n_bytes)
			return unwind_lookup_rule(lines, vaddr - code[i].vaddr + code[i].off);
	assert(!"no code");
	return (struct unwind_rule){0};
}

#endif
