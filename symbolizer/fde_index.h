/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the function that holds an address starts, from the sorted table that the linker puts into
 * .eh_frame_hdr (Linux Standard Base, Core, section 10.6.2) and the entries of .eh_frame it leads
 * to.
 *
 * A function that nobody names still is one, and its addresses belong together. Read with pread,
 * a few times per address; nothing is kept.
 */
#ifndef SYMBOLIZER_FDE_INDEX_H
#define SYMBOLIZER_FDE_INDEX_H

#include "symbolizer/elf_file.h"

struct fde_index {
	const struct elf_file *file; /* borrowed */
	uint64_t vaddr;		     /* of .eh_frame_hdr */
	uint64_t n;		     /* entries of its table; 0 = none */
};

/* Finds the table of FILE. Where there is none, or one of a kind that no linker makes, nothing will
 * be found in it. */
void fde_index__init(struct fde_index *index, const struct elf_file *file);

/* The start of the function that holds VADDR. False where none is known. */
bool fde_index__find(const struct fde_index *index, uint64_t vaddr, uint64_t *ret_start);

#endif
