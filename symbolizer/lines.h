/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File and line of addresses, from the line program of one unit (DWARF 5, section 6.2; versions 2
 * to 5).
 *
 * The program is run once, and each row is held against the addresses that are asked for: no table
 * is built. Code that the compiler made for no line (line 0) gets the nearest line before it in the
 * same sequence. File names are absolute where the compilation directory is known.
 */
#ifndef SYMBOLIZER_LINES_H
#define SYMBOLIZER_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dwarf_file.h"
#include "symbolizer/limits.h"

/* Where an address is. File is a number for lines__path(). */
struct line_row {
	bool is_known;
	uint32_t line; /* 0 = unknown */
	uint64_t file;
};

struct lines;

int lines__new(struct lines **ret);
struct lines *lines__free(struct lines *lines);

/*
 * Reads the head of UNIT's line program: the names of its files. A unit without one, or whose head
 * is broken, has no files and no rows; a program over a limit is counted and has no rows. 0 or
 * -ENOMEM.
 */
int lines__load(struct lines *lines, const struct dwarf_unit *unit, struct limits *limits);

/* Runs the program. ROWS are N, zeroed, of the addresses VADDRS[QUERIES[i]], which ascend. */
void lines__run(struct lines *lines, const uint64_t *vaddrs, const uint32_t *queries, size_t n,
		struct line_row *rows, struct limits *limits);

/* How many files there are, and the path of file number INDEX (DW_AT_call_file, DW_AT_decl_file,
 * line_row.file): *RET is NULL where it is unknown, or else borrowed until the next call. 0 or
 * -ENOMEM. */
size_t lines__n_files(const struct lines *lines);
int lines__path(struct lines *lines, uint64_t index, const char **ret);

#endif
