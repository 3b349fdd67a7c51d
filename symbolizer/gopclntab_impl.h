/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layouts are those of cmd/link/internal/ld/pcln.go and runtime/symtab.go. All parts of the
 * table are found through offsets in its header:
 *
 *	functab		a pair per function, sorted: its entry, and where its record lies
 *	records		struct _func of runtime/runtime2.go, behind the functab
 *	funcname	names, each with a terminator
 *	cutab		of each compilation unit: for its files, numbered, where the name lies in
 *	filetab		names of files, each with a terminator
 *	pctab		tables of runs
 *
 * Until 1.17 entries are addresses; from 1.18 on they are offsets from runtime.text, whose address
 * the header has up to 1.25, and only the runtime's moduledata since. The section .text is not it:
 * where a C linker had a hand in, that begins with C's start code.
 */
#ifndef SYMBOLIZER_GOPCLNTAB_IMPL_H
#define SYMBOLIZER_GOPCLNTAB_IMPL_H

/* Of gopclntab.c and gopclntab_records.c alone. */

#include <string.h>

#include "symbolizer/gopclntab.h"

#define PAGE_BYTES (16u << 10)
#define N_PAGES 128u /* 2 MiB: neighbours in one part are near each other in the others too */

enum layout { LAYOUT_116, LAYOUT_118, LAYOUT_120 };

struct page {
	uint64_t number;      /* + 1; 0 = empty */
	unsigned char *bytes; /* made when first needed: most tables are smaller than all pages */
};

struct gopclntab {
	const struct elf_file *file; /* borrowed */
	uint64_t vaddr, n_bytes;     /* n_bytes: up to the end of its section or segment */
	uint64_t text;
	uint64_t n_functions;
	uint64_t module; /* address of the moduledata; 0 = not found, or not needed */
	uint64_t gofunc; /* 0 = not known */
	uint64_t funcname, cutab, filetab, pctab, functab; /* relative to the start */
	struct page pages[N_PAGES];
	enum layout layout;
	uint8_t quantum; /* addresses in pctab are multiples of it */
	int error;	 /* the last of reading, while the table is looked for; 0 = none */
	uint64_t scan_bytes_left;
	uint32_t page_reads_left, module_tries_left;
};

static inline uint32_t get_u32(const unsigned char *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static inline uint64_t get_u64(const unsigned char *bytes)
{
	uint64_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

/* Copies N bytes at OFF. 0, GOPCLNTAB_BROKEN outside of the table, or -errno. */
int gopclntab_read_at(struct gopclntab *tab, uint64_t off, void *buf, size_t n);

/* Bytes of one half of a pair of the functab, and of the entry in a record. */
size_t gopclntab_entry_bytes(const struct gopclntab *tab);

/* The entry of function I < n_functions, or for I == n_functions the end of the last; and where its
 * record lies. As gopclntab_read_at(). */
int gopclntab_read_pair(struct gopclntab *tab, uint64_t i, uint64_t *ret_entry,
			uint64_t *ret_record);

/* Whether trees of inlined calls are found where GOFUNC says that they are; then it is kept. */
bool gopclntab_gofunc_fits(struct gopclntab *tab, uint64_t gofunc);

#endif
