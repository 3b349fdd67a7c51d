/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as .eh_frame encodes them (Linux Standard Base, Core, "DWARF Exception Header
 * Encoding"): a format, and what the number is relative to.
 */
#ifndef SYMBOLIZER_CFI_POINTER_H
#define SYMBOLIZER_CFI_POINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/cursor.h"

enum {
	CFI_POINTER_ABSOLUTE = 0x00,
	CFI_POINTER_FORMAT = 0x0f, /* mask */
	CFI_POINTER_OMIT = 0xff,
};

struct cfi_bases {
	const uint8_t *bytes; /* of the section, borrowed … */
	uint64_t vaddr;	      /* … and where they are loaded */
	uint64_t text_vaddr, data_vaddr, function;
	uint8_t address_size; /* 4 or 8 */
};

/* True with the address that ENCODING says. False where there is none, it cannot be known from the
 * file alone ("indirect") or C ends. */
bool cfi_pointer_read(struct cursor *c, uint8_t encoding, const struct cfi_bases *bases,
		      uint64_t *ret);

#endif
