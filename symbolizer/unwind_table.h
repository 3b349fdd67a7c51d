/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts together the unwind table of one file (bpf/cprofd_abi.h) from what several sources say about
 * its functions.
 *
 * Functions may come in any order and may overlap: the earlier source of enum unwind_source wins,
 * and of one source the function that starts later. Code that no source knows is given to the frame
 * pointer, as a guess. The input is hostile: whatever is too much is left out and counted.
 */
#ifndef SYMBOLIZER_UNWIND_TABLE_H
#define SYMBOLIZER_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "symbolizer/elf_file.h"

/* In the order of precedence. */
enum unwind_source {
	UNWIND_SOURCE_EH_FRAME,
	UNWIND_SOURCE_GO, /* .gopclntab, which knows more than the .debug_frame beside it */
	UNWIND_SOURCE_DEBUG_FRAME,
	UNWIND_SOURCE_ENTRY, /* the entry point, where nothing else is known about it */
	UNWIND_SOURCE_CODE,  /* derived from the instructions */
	UNWIND_SOURCE_MAX
};

struct unwind_table_stats {
	uint64_t n_functions[UNWIND_SOURCE_MAX];
	uint64_t n_bad;	    /* functions that could not be read, skipped one at a time */
	uint64_t n_dropped; /* functions or rules over a limit */
};

struct unwind_table;

int unwind_table__new(struct unwind_table **ret);
/* Takes NULL. Returns NULL. */
struct unwind_table *unwind_table__free(struct unwind_table *t);

/*
 * Begins the function at [START, END), addresses in the file's own terms. Its rows follow. A
 * function that is empty, or one too many, is dropped and counted, with its rows. 0 or -ENOMEM.
 */
int unwind_table__begin(struct unwind_table *t, enum unwind_source source, uint64_t start,
			uint64_t end);

/*
 * From VADDR on, up to the next row or the function's end, RULE holds. Rows of a function ascend;
 * one at the address of the last replaces it; one outside of the function is ignored. Before the
 * first row nothing is known. 0 or -ENOMEM.
 */
int unwind_table__row(struct unwind_table *t, uint64_t vaddr, const struct unwind_rule *rule);

/* Takes the function begun last back, which turned out to be unreadable, and counts it as bad. */
void unwind_table__abandon(struct unwind_table *t);

/* A part of [START, END) that no function holds so far. A negative return ends the call. */
typedef int (*unwind_gap_fn)(void *ctx, uint64_t start, uint64_t end);

/*
 * Calls FN for each gap between the functions begun so far, in the order of addresses. FN may not
 * change the table. 0, -ENOMEM or a negative error of FN.
 */
int unwind_table__each_gap(struct unwind_table *t, uint64_t start, uint64_t end, unwind_gap_fn fn,
			   void *ctx);

/* Borrowed; may be counted into by the sources. */
struct unwind_table_stats *unwind_table__stats(struct unwind_table *t);

/*
 * Lays the table out for the executable segments of FILE, as struct unwind_table_head describes it.
 * *RET (the caller's to free) holds *RET_N lines. 0, -ENOMEM, -ENOEXEC where FILE has no executable
 * bytes, -EFBIG over UNWIND_TABLE_LINES_MAX.
 */
int unwind_table__layout(struct unwind_table *t, const struct elf_file *file,
			 struct unwind_line **ret, size_t *ret_n);

#endif
