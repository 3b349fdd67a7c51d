/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one section of a file, of any size.
 *
 * A section that is stored as it is stays in the file, and windows onto it are read as they are
 * asked for: gigabytes of debug information cost the memory of what is looked at. A compressed
 * section (ELF gABI, "Section Compression": zlib and zstd; and ".zdebug_…", which begins with
 * "ZLIB" and the size) is inflated into memory as a whole. Nothing is mapped: the file may shrink.
 */
#ifndef SYMBOLIZER_SECTION_H
#define SYMBOLIZER_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/cursor.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/limits.h"

struct section {
	const struct elf_file *file; /* borrowed */
	uint8_t *bytes;		     /* NULL = in the file */
	uint64_t off, size;
};

/* Bytes of a section that were read last. Zeroed = none; released by window__fini(). */
struct window {
	uint8_t *buf;
	size_t cap, n;
	uint64_t off;
};

/*
 * Finds section NAME (".debug_info") of FILE, which must outlive it. A section that is missing,
 * broken or over a limit, which is counted, has no bytes. 0 or -ENOMEM.
 */
int section__open(struct section *ret, const struct elf_file *file, const char *name,
		  struct limits *limits);

/* Takes the whole section into memory, unless it has more than MAX bytes: then it has none, and
 * that is counted. 0 or -ENOMEM. */
int section__load(struct section *section, uint64_t max, struct limits *limits);
void section__fini(struct section *section);

/*
 * *RET: the N bytes at OFF of SECTION, fewer at its end, none past it or where the file cannot be
 * read. Borrowed until the next call for the same WINDOW, which is used for this section alone.
 * 0 or -ENOMEM.
 */
int window__read(struct window *window, const struct section *section, uint64_t off, size_t n,
		 struct cursor *ret);

/* A string of at most WINDOW_STRING_MAX bytes, what is longer is cut; *RET is not terminated, and
 * borrowed likewise. Empty where there is none. 0 or -ENOMEM. */
#define WINDOW_STRING_MAX (64u << 10)
int window__string(struct window *window, const struct section *section, uint64_t off,
		   const char **ret, size_t *ret_n);
void window__fini(struct window *window);

#endif
