/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the rule for an address: process -> space -> mapping -> table -> bucket -> row -> rule, all
 * by array look-ups in memory that user space writes while we read.
 *
 * A list or a table is complete before anything points to it, and stays for a second after nothing
 * does, so what is read is whole. Even if it were not, every index is checked where it is used: the
 * worst that a torn read can give is a wrong rule. Needs unwind_line() and process_line(): in BPF
 * in maps.bpf.h, natively in unwind_native.h.
 */
#ifndef UNWIND_TABLES_BPF_H
#define UNWIND_TABLES_BPF_H

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"
#include "bpf/unwind_state.bpf.h"
#ifdef __bpf__
#include "bpf/maps.bpf.h"
#endif

/* Word I of the lines from LINE on; 0 beyond the memory. */
static __always_inline abi_u32 table_word(abi_u32 line, abi_u32 i)
{
	const struct unwind_line *l = unwind_line(line + i / UNWIND_LINE_WORDS);

	return l ? l->w[i % UNWIND_LINE_WORDS] : 0;
}

/*
 * Reads a word that user space may be storing, in the order of the source: what is stored last,
 * with release, is read first. Processors that reorder loads (Arm) may still see a torn entry.
 */
#define READ_SHARED(x) (*(const volatile abi_u32 *)&(x))

/* The line of the space that a process runs in; 0 = not known. */
static __always_inline abi_u32 find_space(abi_u32 tgid, abi_u32 exec_id, abi_u64 start_ns)
{
	const struct unwind_process *p = process_line(tgid);
	abi_u32 start = unwind_process_start(start_ns), space;

	for (int i = 0; p && i < UNWIND_PROCESSES_PER_LINE; i++) {
		if (READ_SHARED(p[i].tgid) != tgid || READ_SHARED(p[i].exec_id) != exec_id ||
		    READ_SHARED(p[i].start) != start)
			continue;
		space = READ_SHARED(p[i].space);
		/* The entry may have been given to another process meanwhile. */
		return READ_SHARED(p[i].tgid) == tgid ? space : 0;
	}
	return 0;
}

static __always_inline const struct unwind_mapping *space_mapping(abi_u32 space, abi_u32 i)
{
	const struct unwind_line *l = unwind_line(space + 1 + i / UNWIND_MAPPINGS_PER_LINE);

	return l ? (const struct unwind_mapping *)l + i % UNWIND_MAPPINGS_PER_LINE : NULL;
}

/* The mapping of SPACE that holds ADDR, or NULL. */
static __always_inline const struct unwind_mapping *find_mapping(struct unwind_search *at,
								 abi_u32 space, abi_u64 addr)
{
	const struct unwind_space_head *head = (const void *)unwind_line(space);
	const struct unwind_mapping *m;

	if (!head)
		return NULL;
	/* The first that ends above ADDR. */
	at->lo = 0;
	at->hi = head->n_mappings;
	for (int step = 0; step < UNWIND_MAPPING_STEPS && at->lo < at->hi; step++) {
		abi_u32 mid = (at->lo + at->hi) / 2;

		m = space_mapping(space, mid);
		if (!m)
			return NULL;
		if (m->end <= addr)
			at->lo = mid + 1;
		else
			at->hi = mid;
	}
	if (at->lo >= head->n_mappings)
		return NULL;
	m = space_mapping(space, at->lo);
	return m && m->start <= addr && addr < m->end ? m : NULL;
}

/* The number of the row of TABLE that holds the file offset OFF; false outside of the table. */
static __always_inline bool find_row(struct unwind_search *at,
				     const struct unwind_table_head *table, abi_u32 table_line,
				     abi_u64 off, abi_u32 *ret)
{
	abi_u64 bucket = (off - table->start) >> (table->shift & 31);
	abi_u32 dir = table_line + table->dir_line, rows = table_line + table->row_line;
	abi_u32 low = (abi_u32)off & 0xffff;

	if (off < table->start || bucket >= table->n_buckets)
		return false;
	at->lo = table_word(dir, (abi_u32)bucket);
	at->hi = table_word(dir, (abi_u32)bucket + 1);
	/* The first row of the bucket that lies above OFF; the one before it holds. */
	for (int step = 0; step < UNWIND_BUCKET_STEPS && at->lo < at->hi; step++) {
		abi_u32 mid = (at->lo + at->hi) / 2;

		if ((table_word(rows, mid) & 0xffff) <= low)
			at->lo = mid + 1;
		else
			at->hi = mid;
	}
	if (at->lo == 0)
		return false;
	*ret = at->lo - 1;
	return true;
}

/* Copies the rule for the file offset OFF of the table at TABLE_LINE. False where there is none. */
static __always_inline bool find_rule(struct unwind_search *at, abi_u32 table_line, abi_u64 off,
				      struct unwind_rule *ret)
{
	const struct unwind_table_head *table = (const void *)unwind_line(table_line);
	const struct unwind_line *line;
	abi_u32 row, word, rule;

	if (!table || !find_row(at, table, table_line, off, &row))
		return false;
	word = table_word(table_line + table->row_line, row);
	rule = word >> 16;
	line = unwind_line(table_line + table->rule_line + rule / UNWIND_RULES_PER_LINE);
	if (!line)
		return false;
	*ret = ((const struct unwind_rule *)line)[rule % UNWIND_RULES_PER_LINE];
	unwind_rule_at(ret, (abi_u32)(off - word) & 0xffff);
	return true;
}

#endif
