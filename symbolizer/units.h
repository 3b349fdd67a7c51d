/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which compilation units hold the addresses of a request.
 *
 * .debug_aranges is missing from what clang and Go make and may be incomplete elsewhere. So a
 * unit's ranges here are those of .debug_aranges (DWARF 5, section 6.1.2), of the unit's own DIE,
 * and, where both are empty, of its functions. Only addresses asked for are kept: memory grows with
 * the question, not with the file.
 */
#ifndef SYMBOLIZER_UNITS_H
#define SYMBOLIZER_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dwarf_file.h"
#include "symbolizer/limits.h"

struct units;

/* A unit with addresses. */
struct unit {
	const struct dwarf_unit *unit;
	const uint32_t *queries; /* indices into VADDRS, ascending, each once */
	size_t n_queries;
};

/* Looks for the N addresses VADDRS, sorted ascending, in all units of FILE. 0 or -ENOMEM. */
int units__new(struct units **ret, struct dwarf_file *file, const uint64_t *vaddrs, size_t n,
	       struct limits *limits);
struct units *units__free(struct units *units);

/* The units that hold an address, in the order of the file. One address may be in several. */
size_t units__count(const struct units *units);
struct unit units__get(const struct units *units, size_t i);

#endif
