/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of abbreviations (DWARF 5, section 7.5.3): which attributes a DIE has, in which forms.
 *
 * A unit names its table by offset; units may share one. A table is read whole on the first use,
 * and the few that were used last are kept. Forms whose size is the same in every DIE are added up,
 * so that passing over a DIE takes a few additions.
 */
#ifndef SYMBOLIZER_ABBREVS_H
#define SYMBOLIZER_ABBREVS_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/form.h"
#include "symbolizer/section.h"

struct attr_spec {
	uint16_t name; /* DW_AT_…; 0 = none that we know */
	uint16_t form; /* DW_FORM_… */
	uint16_t run;  /* how many attributes from here on are of fixed size */
	uint32_t run_bytes;
	int64_t constant; /* of DW_FORM_implicit_const */
};

struct abbrev {
	uint64_t code;
	const struct attr_spec *attrs; /* borrowed from the table */
	uint32_t n_attrs;
	uint16_t tag; /* DW_TAG_…; 0 = none that we know */
	bool has_children;
	bool has_sibling; /* DW_AT_sibling */
	bool has_code;	  /* DW_AT_low_pc or DW_AT_ranges */
};

struct abbrevs;
struct abbrev_table;

/* For the bytes of SECTION (.debug_abbrev), loaded and borrowed. 0 or -ENOMEM. */
int abbrevs__new(struct abbrevs **ret, const struct section *section);
struct abbrevs *abbrevs__free(struct abbrevs *abbrevs);

/*
 * The table at OFF as a unit of ENCODING reads it, borrowed until the next call; a broken table
 * ends where it breaks. 0 or -ENOMEM.
 */
int abbrevs__get(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
		 const struct abbrev_table **ret);

/* Likewise, but borrowed until the next call of this. */
int abbrevs__get_lasting(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
			 const struct abbrev_table **ret);

/*
 * The abbreviation of CODE alone, for the one DIE of most units that is looked at: the table is
 * read no further than that. *RET is NULL where there is none, or else borrowed until the next
 * call. 0 or -ENOMEM.
 */
int abbrevs__get_one(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
		     uint64_t code, const struct abbrev **ret);

/* The abbreviation of a code, or NULL. */
const struct abbrev *abbrev_table__find(const struct abbrev_table *table, uint64_t code);

#endif
