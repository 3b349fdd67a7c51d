/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code from ELF symbol tables, several tables united.
 *
 * The answer never depends on the order of the tables: of several symbols that hold an address, the
 * one that starts nearest wins, and of aliases the one that a person would call it by. A symbol
 * names only what is inside of it: nothing is named after whatever happens to stand before it.
 */
#ifndef SYMBOLIZER_SYMTAB_H
#define SYMBOLIZER_SYMTAB_H

#include <stdint.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/limits.h"

struct symtab;

/* An empty table. 0 or -ENOMEM. */
int symtab__new(struct symtab **ret);
struct symtab *symtab__free(struct symtab *symtab);

/*
 * Adds what the section NAME (".symtab" or ".dynsym") of FILE says about code. FILE must outlive
 * the table. No such section, or one that cannot be read, adds nothing; over a limit the rest is
 * left out and counted. 0 or -ENOMEM.
 */
int symtab__add(struct symtab *symtab, const struct elf_file *file, const char *name,
		struct limits *limits);

/* Adds one symbol of the caller's making; NAME is borrowed. SIZE 0 = up to the next symbol, at most
 * END. IS_GLOBAL: 2 global, 1 weak, 0 local. 0 or -ENOMEM. */
int symtab__add_symbol(struct symtab *symtab, const char *name, uint64_t vaddr, uint64_t size,
		       uint64_t end, int binding_rank);

/* Makes the table ready for symtab__find(), after the last symbol was added. */
void symtab__sort(struct symtab *symtab);

/*
 * The symbol that holds VADDR, and where it starts (RET_START may be NULL), or NULL. The name has
 * no version (@VERSION) stripped: see symbol_name_length(). Borrowed as long as the files live.
 */
const char *symtab__find(const struct symtab *symtab, uint64_t vaddr, uint64_t *ret_start);

/* The bytes of a symbol's name before its version: "memcpy" of "memcpy@@GLIBC_2.14". */
size_t symbol_name_length(const char *name);

#endif
