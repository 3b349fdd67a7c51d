/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads call frame information: .eh_frame (Linux Standard Base, Core, section 10.6) and
 * .debug_frame (DWARF 5, section 6.4).
 *
 * Each function that it describes goes into an unwind table by itself, so one that makes no sense
 * costs that function only. The bytes are untrusted: none outside of them is read, and the time is
 * linear in their number.
 */
#ifndef SYMBOLIZER_CFI_H
#define SYMBOLIZER_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind_table.h"

struct cfi_section {
	const void *bytes; /* borrowed for the call */
	size_t n_bytes;
	uint64_t vaddr;
	bool is_debug_frame;
	bool ends_at_zero;    /* it is not known where it ends, but by its terminator */
	uint8_t address_size; /* 4 or 8 */
	/* What addresses may be relative to. */
	uint64_t text_vaddr, data_vaddr;
	/* All code lies in [code_start, code_end). What starts elsewhere was left over when a
	 * linker dropped its code, and is no function. */
	uint64_t code_start, code_end;
};

/* Adds the functions of SECTION to T; none where MACHINE (EM_X86_64 …) is not known. Functions that
 * cannot be read are counted in T's n_bad. 0 or -ENOMEM. */
int cfi_read(const struct cfi_section *section, uint16_t machine, struct unwind_table *t);

/* One for each combination of languages and assembler in .eh_frame, where linkers merge equal ones;
 * one for each unit in .debug_frame. Functions of those over the limit are counted as bad. */
#define CFI_CIES_MAX (256u << 10)

#endif
