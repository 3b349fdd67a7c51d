/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that runs a line program (DWARF 5, section 6.2.5) and finds the rows of addresses.
 */
#ifndef SYMBOLIZER_LINE_PROGRAM_H
#define SYMBOLIZER_LINE_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/cursor.h"
#include "symbolizer/limits.h"
#include "symbolizer/lines.h"

struct line_program {
	struct cursor bytes; /* borrowed */
	uint8_t min_insn_bytes, max_ops;
	int8_t line_base;
	uint8_t line_range, opcode_base;
	uint8_t address_size;
	uint8_t n_operands[256]; /* of each standard opcode */
};

/* As lines__run(). A program that breaks ends where it breaks. */
void line_program_run(const struct line_program *program, const uint64_t *vaddrs,
		      const uint32_t *queries, size_t n, struct line_row *rows,
		      struct limits *limits);

#endif
