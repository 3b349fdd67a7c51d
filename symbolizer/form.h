/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of attributes as they are stored (DWARF 5, sections 7.5.4 and 7.5.5, and GNU's forms of
 * split and thinned-out DWARF 4).
 */
#ifndef SYMBOLIZER_FORM_H
#define SYMBOLIZER_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/cursor.h"

/* The widths that numbers have in a unit. */
struct encoding {
	uint8_t offset_size;  /* 4, or 8 in 64-bit DWARF */
	uint8_t address_size; /* 4 or 8 */
	uint8_t version;      /* 2 to 5 */
};

/* What a value is; its number means: */
enum form_class {
	FORM_NONE,    /* nothing that we know */
	FORM_NUMBER,  /* a number, or an offset in a section that the attribute tells */
	FORM_ADDRESS, /* an address */
	FORM_ADDRESS_INDEX,
	FORM_RANGES_INDEX,
	FORM_STRING,	/* offset of a string that stands right here */
	FORM_STRP,	/* … in .debug_str */
	FORM_LINE_STRP, /* … in .debug_line_str */
	FORM_ALT_STRP,	/* … in .debug_str of the alternate file */
	FORM_STRING_INDEX,
	FORM_UNIT_REF, /* offset of a DIE in the unit */
	FORM_INFO_REF, /* … in .debug_info */
	FORM_ALT_REF,  /* … in .debug_info of the alternate file */
};

struct form_value {
	enum form_class class;
	uint64_t number;
};

/*
 * Reads a value of FORM at C, which is at offset HERE of its section. CONSTANT is the number of a
 * DW_FORM_implicit_const. A form that nobody has heard of fails C.
 */
struct form_value form_read(struct cursor *c, uint64_t here, uint16_t form, int64_t constant,
			    const struct encoding *encoding);

/* Passes over such a value. */
void form_skip(struct cursor *c, uint16_t form, const struct encoding *encoding);

/* How many bytes a form takes in every DIE of ENCODING, or -1. */
int form_size(uint16_t form, const struct encoding *encoding);

#endif
