/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a DWARF expression in call frame information computes, as far as an unwind rule can say it.
 *
 * The expression is run on symbols instead of numbers: registers stay unknown, and a value is kept
 * as long as it has one of a few forms. So it does not matter which of the many spellings a
 * compiler or an assembler programmer has chosen. Everything else is CFI_VALUE_OTHER.
 */
#ifndef SYMBOLIZER_CFI_EXPR_H
#define SYMBOLIZER_CFI_EXPR_H

#include <stdint.h>

#include "symbolizer/cursor.h"

enum cfi_value_kind {
	CFI_VALUE_OTHER,
	CFI_VALUE_CONST,	 /* off */
	CFI_VALUE_REG,		 /* r[reg] + off */
	CFI_VALUE_SCALED,	 /* 8 * r[index] + off */
	CFI_VALUE_INDEXED,	 /* r[reg] + 8 * r[index] + off */
	CFI_VALUE_DEREF,	 /* *(r[reg] + off) + off2 */
	CFI_VALUE_DEREF_INDEXED, /* *(r[reg] + 8 * r[index] + off) + off2 */
	CFI_VALUE_PC_LOW,	 /* pc & 15 */
	CFI_VALUE_PC_GE,	 /* (pc & 15) >= off2: 0 or 1 */
	CFI_VALUE_PC_GE_8,	 /* … 0 or 8 */
	CFI_VALUE_PLT,		 /* r[reg] + off + ((pc & 15) >= off2 ? 8 : 0) */
};

/* Takes the place of a register: the canonical frame address. */
#define CFI_REG_CFA 255

/* No register is the program counter. */
#define CFI_REG_NONE 254

struct cfi_value {
	uint8_t kind; /* enum cfi_value_kind */
	uint8_t reg, index;
	int64_t off, off2;
};

/*
 * The value of EXPR. On the stack lies INITIAL, unless it is NULL. PC_REG is the number of the
 * program counter. Takes time linear in the bytes.
 */
struct cfi_value cfi_expr_value(struct cursor expr, const struct cfi_value *initial,
				uint8_t pc_reg);

#endif
