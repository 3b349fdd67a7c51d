/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading single debugging information entries (DIEs) and walking their trees.
 *
 * libdw's convenience functions (dwarf_attr_integrate, dwarf_srclang, dwarf_decl_line …) open the
 * file that a skeleton unit names. None of them is used here: attributes are read where they stand,
 * references are followed by the caller, and the walk has an explicit stack, so that no nesting can
 * exhaust ours.
 */
#ifndef SYMBOLIZER_DIE_H
#define SYMBOLIZER_DIE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/limits.h"

/* Attributes of DIE itself. False, or NULL, where it has none of that kind. */
bool die_number(Dwarf_Die *die, unsigned int name, uint64_t *ret);
const char *die_string(Dwarf_Die *die, unsigned int name);
bool die_reference(Dwarf_Die *die, unsigned int name, Dwarf_Die *ret);

/* The ranges of code of one DIE, one after the other; discarded code (tombstones) is left out. */
struct die_ranges {
	Dwarf_Die *die;
	ptrdiff_t state;
	Dwarf_Addr base;
	uint32_t n;
};
void die_ranges__init(struct die_ranges *it, Dwarf_Die *die);
bool die_ranges__next(struct die_ranges *it, struct limits *limits, uint64_t *ret_lo,
		      uint64_t *ret_hi);

/* True where [LO, HI) is code that the linker kept. */
bool range_is_live(uint64_t lo, uint64_t hi);

/* A walk below one unit, parents before children. stack[depth] is the DIE at hand; stack[0] the
 * unit. */
struct die_walk {
	Dwarf_Die stack[LIMIT_DEPTH_MAX];
	unsigned int depth;
};
void die_walk__init(struct die_walk *walk, const Dwarf_Die *unit);

/* Goes on to the first child, if DESCEND and there is one, or else to what follows the subtree.
 * False at the end of the unit or of the limits. */
bool die_walk__next(struct die_walk *walk, struct limits *limits, bool descend);

#endif
