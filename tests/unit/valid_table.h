/* SPDX-License-Identifier: Apache-2.0 */
/* Small unwind tables made by hand, as the symbolizer would lay them out. */
#ifndef TESTS_VALID_TABLE_H
#define TESTS_VALID_TABLE_H

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "bpf/cprofd_abi.h"

#define MADE_TABLE_LINES_MAX 64
#define MADE_TABLE_SHIFT 12

/* Registers by their DWARF numbers. */
#ifdef __x86_64__
#define MADE_FP 6
#define MADE_SP 7
#else
#define MADE_FP 29
#define MADE_SP 31
#endif

struct made_table {
	struct unwind_line lines[MADE_TABLE_LINES_MAX];
	uint32_t n_lines;
};

struct made_row {
	uint64_t off;
	uint32_t rule;
};

static inline struct unwind_table_head *made_head(struct made_table *t)
{
	return (struct unwind_table_head *)t->lines;
}

static inline uint32_t *made_dir(struct made_table *t)
{
	return t->lines[made_head(t)->dir_line].w;
}

static inline uint32_t *made_rows(struct made_table *t)
{
	return t->lines[made_head(t)->row_line].w;
}

static inline struct unwind_rule *made_rules(struct made_table *t)
{
	return (struct unwind_rule *)&t->lines[made_head(t)->rule_line];
}

static inline uint32_t made_lines_of(uint32_t n, uint32_t per_line)
{
	return (n + per_line - 1) / per_line;
}

/* N_BUCKETS of 4 KiB from START on; row 0 must lie at START. */
static inline struct made_table made_table(uint64_t start, uint32_t n_buckets, uint32_t n_rows,
					   const struct made_row *rows, uint32_t n_rules,
					   const struct unwind_rule *rules)
{
	struct made_table t = {0};
	struct unwind_table_head *h = made_head(&t);
	uint32_t row = 0;

	*h = (struct unwind_table_head){.start = start,
					.shift = MADE_TABLE_SHIFT,
					.n_buckets = n_buckets,
					.n_rows = n_rows,
					.n_rules = n_rules,
					.dir_line = 1};
	h->row_line = h->dir_line + made_lines_of(n_buckets + 1, UNWIND_LINE_WORDS);
	h->rule_line = h->row_line + made_lines_of(n_rows, UNWIND_LINE_WORDS);
	h->n_lines = t.n_lines = h->rule_line + made_lines_of(n_rules, UNWIND_RULES_PER_LINE);
	for (uint32_t b = 0; b <= n_buckets; b++) {
		while (row < n_rows && rows[row].off < start + ((uint64_t)b << MADE_TABLE_SHIFT))
			row++;
		made_dir(&t)[b] = row;
	}
	for (uint32_t i = 0; i < n_rows; i++)
		made_rows(&t)[i] = unwind_row(rows[i].off, rows[i].rule);
	memcpy(made_rules(&t), rules, n_rules * sizeof(*rules));
	return t;
}

/* The first N_BYTES of a file, all of them under one rule. */
static inline struct made_table made_table_of(uint32_t n_bytes, struct unwind_rule rule)
{
	const struct made_row row = {0};

	return made_table(0, (n_bytes + 4095) / 4096, 1, &row, 1, &rule);
}

/* A function that has pushed N words: its caller's address lies above them. */
static inline struct unwind_rule made_rule(int n)
{
	return (struct unwind_rule){
	    .cfa = UNWIND_CFA_REG, .cfa_reg = MADE_SP, .ra = 1, .cfa_off = 8 * (n + 1)};
}

/* A table that is worth reading: two files' pages, three rules. */
static inline struct made_table made_table_example(void)
{
	static const struct made_row rows[] = {{0x20000, 0}, {0x20010, 1}, {0x20400, 2},
					       {0x21000, 0}, {0x21008, 2}, {0x23ff0, 1}};
	const struct unwind_rule rules[] = {made_rule(0), made_rule(1), made_rule(2)};

	return made_table(0x20000, 4, ARRAY_SIZE(rows), rows, ARRAY_SIZE(rules), rules);
}

/* N_BYTES in memory with SEALS. The caller's to close; -1 on failure. */
static inline int made_sealed(const void *bytes, size_t n_bytes, int seals)
{
	int fd = memfd_create("table", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (write_full(fd, bytes, n_bytes) != (int64_t)n_bytes ||
			fcntl(fd, F_ADD_SEALS, seals) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

#endif
