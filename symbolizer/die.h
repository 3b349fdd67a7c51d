/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading single debugging information entries (DIEs, DWARF 5, section 2.1) and walking their
 * trees.
 *
 * Attributes are read where they stand, references are followed by the caller, and the walk has no
 * recursion, so that no nesting can exhaust the stack.
 */
#ifndef SYMBOLIZER_DIE_H
#define SYMBOLIZER_DIE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/dwarf_file.h"
#include "symbolizer/limits.h"

/*
 * One DIE. Its bytes are borrowed: of the unit at hand until the next dwarf_unit__load(), of any
 * other until the next die_origin().
 */
struct die {
	const struct dwarf_unit *unit;
	uint64_t off; /* in .debug_info */
	const struct abbrev *abbrev;
	struct cursor attrs;
	uint64_t attrs_off; /* of the first attribute, in .debug_info */
};

/* Attributes of DIE itself. False where it has none of that name and kind. */
bool die_number(const struct die *die, uint16_t name, uint64_t *ret);
bool die_string(const struct die *die, uint16_t name, struct dwarf_string *ret);

/* Where the DIE is that die_origin() finds: the file and the offset in its .debug_info. False where
 * DIE names none. */
bool die_origin_place(const struct die *die, struct dwarf_file **ret_file, uint64_t *ret_off);

/* The DIE that DIE is an instance of (DW_AT_abstract_origin) or completes (DW_AT_specification):
 * *RET_FOUND, and in *RET if so. RET may be DIE. 0 or -ENOMEM. */
int die_origin(const struct die *die, struct die *ret, bool *ret_found);

/* The ranges of code of one DIE, one after the other; discarded code (tombstones) is left out. */
struct die_ranges {
	const struct dwarf_unit *unit;
	enum { RANGES_NONE, RANGES_ONE, RANGES_V4, RANGES_V5 } kind;
	uint64_t lo, hi; /* of RANGES_ONE */
	uint64_t off;	 /* of the next entry in its section */
	uint64_t base;
	uint32_t n;
};
void die_ranges__init(struct die_ranges *it, const struct die *die);

/* Those that UNIT's own DIE has. */
void die_ranges__init_unit(struct die_ranges *it, const struct dwarf_unit *unit);
bool die_ranges__next(struct die_ranges *it, struct limits *limits, uint64_t *ret_lo,
		      uint64_t *ret_hi);

/* True where [LO, HI) is code that the linker kept. */
bool range_is_live(uint64_t lo, uint64_t hi);

/* A walk over the unit at hand, parents before children. */
struct die_walk {
	struct die die;	    /* the one at hand */
	unsigned int depth; /* 0 = the unit's own */
	const struct abbrev_table *abbrevs;
};

/* Loads UNIT and starts with its own DIE. *RET_STARTED is false where it cannot be read. 0 or
 * -ENOMEM. */
int die_walk__init(struct die_walk *walk, const struct dwarf_unit *unit, bool *ret_started);

/* Goes on to the first child, if DESCEND and there is one, or else to what follows the subtree.
 * False at the end of the unit or of the limits. */
bool die_walk__next(struct die_walk *walk, struct limits *limits, bool descend);

#endif
