/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mini debug info: the input as an xz stream, and as the ELF file that comes out of one, of which
 * the symbols are read and asked for.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolizer/gnu_debugdata.h"
#include "symbolizer/symtab.h"

#define TEXT_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_symbols(int fd, struct limits *limits)
{
	struct symtab *symtab;
	struct elf_file *file;
	uint64_t start;
	int r;

	if (elf_file__open(&file, fd) < 0)
		return;
	r = symtab__new(&symtab);
	assert(r == 0);
	r = symtab__add(symtab, file, ".symtab", limits);
	assert(r == 0);
	symtab__sort(symtab);
	for (uint64_t vaddr = 0; vaddr < 64; vaddr++)
		if (symtab__find(symtab, 0x400000 + vaddr * 64, &start))
			assert(start <= 0x400000 + vaddr * 64);
	symtab__free(symtab);
	elf_file__close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits limits;
	int fd = -1, r;

	limits__init(&limits, 64);
	r = gnu_debugdata_inflate_bytes(data, size, TEXT_BYTES_MAX, &limits, &fd);
	assert(r >= 0);
	if (r != GNU_DEBUGDATA_OK) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		assert(fd >= 0);
		assert(write_full(fd, data, size) == (int64_t)size);
	}
	read_symbols(fd, &limits);
	close(fd);
	return 0;
}
