/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readable names from the names that linkers see: C++, Rust (both schemes) and D.
 *
 * A name of 256 bytes can stand for 128 MiB of text, so input and output are bounded, and work
 * stops at the bound.
 */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

#define DEMANGLE_IN_MAX 1024
#define DEMANGLE_OUT_MAX 4096

/* True for a name that begins as a mangled one does. */
bool name_is_mangled(const char *name);

/*
 * The length of the linkage name NAME, of N bytes, without what was appended to tell copies of one
 * function apart and says nothing to a reader: ".llvm.123456".
 */
size_t linkage_name_length(const char *name, size_t n);

/*
 * Writes the readable form of NAME, parameters included, to OUT and ends it with a NUL. Suffixes of
 * clones
 * (".cold", ".isra.0" …) are left off. Returns true, or false where NAME is not mangled, breaks the
 * rules of its scheme, or is over the bounds; OUT then holds NAME without those suffixes, cut to
 * fit.
 */
bool demangle(const char *name, char out[DEMANGLE_OUT_MAX]);

#endif
