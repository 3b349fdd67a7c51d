/* SPDX-License-Identifier: Apache-2.0 */
/* The running test as a file with DWARF: what its functions are is known from its source. */
#ifndef TESTS_SELF_FILE_H
#define TESTS_SELF_FILE_H

#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include "symbolizer/dwarf_file.h"
#include "symbolizer/elf_file.h"

struct self_file {
	int fd;
	struct elf_file *file;
	struct limits limits; /* of the reading itself */
	struct dwarf_file *dwarf;
	uint64_t bias; /* what the loader added to the addresses of the file */
};

static int self_read_bias(struct dl_phdr_info *info, size_t size, void *arg)
{
	*(uint64_t *)arg = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

static inline int self_file__open(struct self_file *self)
{
	self->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (elf_file__open(&self->file, self->fd) < 0)
		return -1;
	dl_iterate_phdr(self_read_bias, &self->bias);
	limits__init(&self->limits, 0);
	return dwarf_file__open(&self->dwarf, self->file, &self->limits);
}

static inline void self_file__close(struct self_file *self)
{
	dwarf_file__close(self->dwarf);
	elf_file__close(self->file);
	close(self->fd);
}

/* The address of FUNCTION in the file's own terms. */
#define self_vaddr(self, function) ((uint64_t)(uintptr_t)(function) - (self)->bias)

#endif
