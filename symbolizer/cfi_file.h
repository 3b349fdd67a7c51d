/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the call frame information of an ELF file: .eh_frame, by its section or, where a file has
 * lost those, by the segment that leads to it; and .debug_frame, compressed or not.
 */
#ifndef SYMBOLIZER_CFI_FILE_H
#define SYMBOLIZER_CFI_FILE_H

#include "symbolizer/elf_file.h"
#include "symbolizer/limits.h"
#include "symbolizer/unwind_table.h"

/* Adds to T what FILE says, if anything. A section over a limit is left out and counted in LIMITS.
 * 0, -ENOMEM or -errno of reading the file. */
int cfi_read_file(const struct elf_file *file, struct unwind_table *t, struct limits *limits);

#endif
