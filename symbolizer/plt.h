/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the linker's stubs for calls into other files: "memcpy@plt". No symbol table has them;
 * the stub jumps through a word that a relocation fills in, and that has the symbol. x86-64 only:
 * elsewhere nothing is found.
 */
#ifndef SYMBOLIZER_PLT_H
#define SYMBOLIZER_PLT_H

#include "symbolizer/elf_file.h"
#include "symbolizer/limits.h"

struct plt;

/* Reads the stubs' sections and the relocations of FILE, which must outlive the object. 0 or
 * -ENOMEM; what is missing, broken or over a limit (counted) leaves it empty. */
int plt__new(struct plt **ret, const struct elf_file *file, struct limits *limits);
/* Takes NULL. Returns NULL. */
struct plt *plt__free(struct plt *plt);

/* The symbol, without "@plt", whose stub holds VADDR; NULL where there is none. Borrowed from the
 * file. */
const char *plt__find(const struct plt *plt, uint64_t vaddr);

#endif
