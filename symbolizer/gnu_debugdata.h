/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Mini debug info": the section .gnu_debugdata, an xz stream (xz-file-format 1.1) of a small ELF
 * file whose .symtab has the functions that are not in .dynsym. Fedora and its kin put it into
 * everything that they strip.
 */
#ifndef SYMBOLIZER_GNU_DEBUGDATA_H
#define SYMBOLIZER_GNU_DEBUGDATA_H

#include "symbolizer/elf_file.h"
#include "symbolizer/limits.h"

/* What may come of it, besides 0 and -errno. */
enum gnu_debugdata_result {
	GNU_DEBUGDATA_OK,
	GNU_DEBUGDATA_NONE,   /* the file has none */
	GNU_DEBUGDATA_BROKEN, /* no whole xz stream; or over a limit, which is counted */
};

/*
 * Inflates FILE's into memory, to be closed by the caller. Neither the text nor the decoder's own
 * memory grows beyond limits.h, whatever the stream says. Compressed data are not inflated twice:
 * such a section in the result is the caller's not to ask for. GNU_DEBUGDATA_… or -errno.
 */
int gnu_debugdata_inflate(const struct elf_file *file, struct limits *limits, int *ret_fd);

/* The same for N bytes at S, of which the text is at most MAX bytes. */
int gnu_debugdata_inflate_bytes(const void *s, size_t n, uint64_t max, struct limits *limits,
				int *ret_fd);

#endif
