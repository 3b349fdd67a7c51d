/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File and line of addresses, from the line table of one unit.
 *
 * Code that the compiler made for no line (line 0) gets the nearest line before it in the same
 * sequence. File names are absolute where the compilation directory is known.
 */
#ifndef SYMBOLIZER_LINES_H
#define SYMBOLIZER_LINES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/limits.h"

/* The tables are libdw's and live as long as its Dwarf. */
#define LINES_PATH_MAX 4096
struct lines {
	Dwarf_Lines *rows;
	size_t n_rows;
	Dwarf_Files *files;
	size_t n_files;
	const char *directory; /* in which the compiler ran; NULL = unknown */
	char path[LINES_PATH_MAX];
};

/*
 * Runs the line program of the unit whose DIE is UNIT. DEBUG_LINE are the bytes of .debug_line, for
 * the size of the program. A unit without lines, or with ones that cannot be read, leaves an empty
 * table; a program over the limit is counted and not run.
 */
void lines__load(struct lines *ret, Dwarf_Die *unit, const Elf_Data *debug_line,
		 struct limits *limits);

/* The row that covers VADDR. *RET_FILE is NULL where it is unknown, or else borrowed until the
 * next call for LINES. False where there is none. */
bool lines__find(struct lines *lines, uint64_t vaddr, const char **ret_file, uint32_t *ret_line);

/* File number INDEX of the unit's table (DW_AT_call_file, DW_AT_decl_file), or NULL. Borrowed
 * likewise. */
const char *lines__file(struct lines *lines, uint64_t index);

#endif
