/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names all addresses of a request from one file's DWARF, in one pass.
 *
 * Debuggers ask address by address, and each question costs as much as its unit is large.
 * Here the addresses come sorted and together, so each unit that holds some is read once: its
 * functions and inlined calls (inlines.h), its lines (lines.h), then the names of what was touched
 * (die_names.h).
 */
#ifndef SYMBOLIZER_SWEEP_H
#define SYMBOLIZER_SWEEP_H

#include <stdint.h>

#include "symbolizer/answer.h"
#include "symbolizer/dwarf_file.h"
#include "symbolizer/symtab.h"

/* A line that is known although the function is not (assembly). File is a string of the answer. */
struct sweep_line {
	uint32_t file;
	uint32_t line;
};

struct sweep {
	struct dwarf_file *dwarf;
	const uint64_t *vaddrs; /* sorted ascending */
	const uint32_t *addrs;	/* number of each in the answer */
	size_t n;
	const struct symtab *symtab; /* sorted; for what DWARF leaves out of outermost names */
	struct answer *answer;
	struct limits *limits;
	struct sweep_line *lines; /* room for N, zeroed; filled where only the line is known */
};

/* Fills the answer as far as DWARF goes. All pointers stay the caller's. 0 or -ENOMEM. */
int sweep_run(const struct sweep *sweep);

#endif
