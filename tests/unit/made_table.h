/* SPDX-License-Identifier: Apache-2.0 */
/* An unwind table to be filled, for a made-up file with code. */
#ifndef TESTS_MADE_TABLE_H
#define TESTS_MADE_TABLE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/unwind_table.h"
#include "tests/unit/elf_image.h"
#include "tests/unit/unwind_lookup.h"

/* The code: everything from the file's start on. */
#define CODE 0x400000ull
#define CODE_BYTES 0x8000ull

struct made_table {
	struct elf_image image;
	int fd;
	struct elf_file *file;
	struct unwind_table *t;
	struct unwind_line *lines; /* of the last layout */
	size_t n_lines;
};

static inline struct made_table *made_table__new(uint16_t machine)
{
	struct made_table *m = calloc(1, sizeof(*m));
	int r;

	assert(m);
	elf_image__init(&m->image);
	m->image.ehdr.e_machine = machine;
	elf_image__segment(&m->image, PT_LOAD, PF_R | PF_X, 0, CODE, CODE_BYTES);
	m->fd = elf_image__fd(&m->image);
	r = elf_file__open(&m->file, m->fd);
	assert(r == 0);
	r = unwind_table__new(&m->t);
	assert(r == 0);
	return m;
}

static inline void made_table__lay_out(struct made_table *m)
{
	int r;

	free(m->lines);
	m->lines = NULL;
	r = unwind_table__layout(m->t, m->file, &m->lines, &m->n_lines);
	assert(r == 0);
}

/* Lays the table out and asks it. */
static inline struct unwind_rule made_table__rule(struct made_table *m, uint64_t vaddr)
{
	made_table__lay_out(m);
	return unwind_lookup(m->lines, m->file, vaddr);
}

static inline void made_table__free(struct made_table *m)
{
	free(m->lines);
	unwind_table__free(m->t);
	elf_file__close(m->file);
	close(m->fd);
	free(m);
}

/* A rule of code that no source knows. */
static inline bool rule_is_unknown(struct unwind_rule rule)
{
	return rule.cfa == UNWIND_CFA_FRAME && rule.flags == UNWIND_FLAG_GUESSED;
}

/* For cmocka: the same rule, with the difference to be seen. */
#define assert_rule(have, ...)                                                                     \
	do {                                                                                       \
		struct unwind_rule have_ = (have), want_ = {__VA_ARGS__};                          \
		assert_int_equal(have_.cfa, want_.cfa);                                            \
		assert_int_equal(have_.cfa_reg, want_.cfa_reg);                                    \
		assert_int_equal(have_.cfa_off, want_.cfa_off);                                    \
		assert_int_equal(have_.cfa_off2, want_.cfa_off2);                                  \
		assert_int_equal(have_.ra, want_.ra);                                              \
		assert_int_equal(have_.flags, want_.flags);                                        \
		assert_memory_equal(have_.saved, want_.saved, sizeof(have_.saved));                \
	} while (0)

#endif
