/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information: any bytes as .eh_frame and as .debug_frame of both machines, and as a
 * whole file; then the table that comes of it, in which every address must find a rule.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolizer/cfi.h"
#include "symbolizer/cfi_file.h"
#include "tests/unit/made_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_table(struct unwind_table *t, const struct elf_file *file)
{
	struct unwind_line *lines;
	const struct elf_segment *code;
	size_t n_lines, n_code;
	int r = unwind_table__layout(t, file, &lines, &n_lines);

	assert(r == 0 || r == -ENOEXEC || r == -EFBIG);
	if (r < 0)
		return;
	code = elf_file__code(file, &n_code);
	for (size_t i = 0; i < n_code; i++) {
		/* Those that wrap around are left out. */
		if (code[i].n_bytes > UINT64_MAX - MAX(code[i].off, code[i].vaddr))
			continue;
		for (uint64_t n = 0; n < MIN(code[i].n_bytes, 1u << 16); n += 61)
			assert(unwind_lookup_rule(lines, code[i].off + n).cfa < UNWIND_CFA_MAX);
	}
	free(lines);
}

static void read_as_section(struct made_table *m, const uint8_t *bytes, size_t n, bool is_debug,
			    uint16_t machine)
{
	struct cfi_section section = {
	    .bytes = bytes,
	    .n_bytes = n,
	    .vaddr = CODE - 0x1000,
	    .is_debug_frame = is_debug,
	    .ends_at_zero = n & 1,
	    .address_size = n & 2 ? 4 : 8,
	    .text_vaddr = CODE,
	    .data_vaddr = CODE,
	    .code_start = CODE,
	    .code_end = CODE + CODE_BYTES,
	};
	int r;

	unwind_table__free(m->t);
	m->t = NULL;
	r = unwind_table__new(&m->t);
	assert(r == 0);
	r = cfi_read(&section, machine, m->t);
	assert(r == 0);
	check_table(m->t, m->file);
}

static void read_as_file(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct unwind_table *t;
	struct elf_file *file;
	struct limits limits;

	limits__init(&limits, 0);
	assert(fd >= 0 && write_full(fd, bytes, n) == (int64_t)n);
	if (elf_file__open(&file, fd) == 0) {
		int r = unwind_table__new(&t);

		assert(r == 0);
		r = cfi_read_file(file, t, &limits);
		assert(r == 0);
		check_table(t, file);
		unwind_table__free(t);
		elf_file__close(file);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct made_table *m;

	if (!m)
		m = made_table__new(EM_X86_64);
	if (n >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG)) {
		read_as_file(bytes, n);
		return 0;
	}
	read_as_section(m, bytes, n, false, EM_X86_64);
	read_as_section(m, bytes, n, true, EM_X86_64);
	read_as_section(m, bytes, n, false, EM_AARCH64);
	return 0;
}
