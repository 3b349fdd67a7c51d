/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the unwind table of a file from all that the file says about its code. */
#ifndef SYMBOLIZER_UNWIND_FILE_H
#define SYMBOLIZER_UNWIND_FILE_H

#include "daemon/ipc/messages.h"

/*
 * Builds the table of the ELF file at FD (borrowed) in sealed memory, whose descriptor *RET_FD is
 * the caller's. 0, the failures of elf_file__open() and unwind_table__layout(), or -errno.
 */
int unwind_file_build(int fd, int *ret_fd, struct msg_unwind_table *ret);

#endif
