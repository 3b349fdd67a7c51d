/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a DWARF package (.dwp), .debug_cu_index: where in the packed sections the parts of
 * each unit begin (DWARF 5, section 7.3.5; and GNU's version 2, which has it from
 * https://gcc.gnu.org/wiki/DebugFissionDWP).
 */
#ifndef SYMBOLIZER_UNIT_INDEX_H
#define SYMBOLIZER_UNIT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/limits.h"
#include "symbolizer/section.h"

/* The parts of one unit: offsets in the sections of the package. */
struct unit_parts {
	uint64_t info, abbrev, str_offsets, rnglists;
};

struct unit_index {
	struct unit_parts *units; /* by info */
	size_t n;
};

/* Reads SECTION. What is broken, or over a limit, which is counted, is an empty index. 0 or
 * -ENOMEM. */
int unit_index__read(struct unit_index *ret, const struct section *section, struct limits *limits);
void unit_index__fini(struct unit_index *index);

/* The parts of the unit at offset INFO of .debug_info; NULL where the index has none there. */
const struct unit_parts *unit_index__find(const struct unit_index *index, uint64_t info);

#endif
