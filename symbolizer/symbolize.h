/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two questions that the symbolizer answers about files, given as descriptors.
 *
 * Where names come from, in this order: Go's own table; DWARF of the file, or of its separate debug
 * file; then the symbol tables of both and of .gnu_debugdata; the linker's stubs; and where a
 * function starts. Nothing is opened here; descriptors stay the caller's; nothing is kept from one
 * call to the next.
 */
#ifndef SYMBOLIZER_SYMBOLIZE_H
#define SYMBOLIZER_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"
#include "symbolizer/limits.h"

/* MSG_IDENTIFY. Returns 0, or -errno as elf_file__open() does. */
int symbolize_identify(int fd, struct msg_identity *ret);

/* Descriptors of MSG_SYMBOLIZE; -1 where there is none. */
struct symbolize_fds {
	int file, debug, alt, split;
};

/*
 * MSG_SYMBOLIZE: names the N file offsets OFFS, ascending, each once. *RET is the payload of the
 * answer, the caller's to free; *RET_LIMITS says what was cut. Returns 0; -EINVAL where the offsets
 * are not as promised; or -errno as elf_file__open() does for the file itself. A debug file that is
 * broken or does not fit is ignored, and the answer says so.
 */
int symbolize_offsets(const struct symbolize_fds *fds, const uint64_t *offs, uint32_t n, void **ret,
		      size_t *ret_n, struct limits *ret_limits);

#endif
