/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DWARF reader alone: the input is the sections of a file, each behind two bytes with its
 * length. Whatever they say, a question for a spread of addresses has an answer that the collector
 * accepts.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/ipc/symbols.h"
#include "symbolizer/sweep.h"
#include "tests/unit/elf_image.h"

#define N_ADDRS 64
#define VADDR_FIRST 0x1000
#define VADDR_STEP 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    ".debug_info",	  ".debug_abbrev", ".debug_line",     ".debug_line_str", ".debug_str",
    ".debug_str_offsets", ".debug_addr",   ".debug_rnglists", ".debug_ranges",	 ".debug_aranges",
};

static void make_image(struct elf_image *image, const uint8_t *data, size_t size)
{
	elf_image__init(image);
	for (size_t i = 0; i < ARRAY_SIZE(names) && size >= 2; i++) {
		size_t n = data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		n = MIN(MIN(n, size), sizeof(image->bytes) - image->n_bytes);
		elf_image__section(image, names[i], SHT_PROGBITS, data, n);
		data += n;
		size -= n;
	}
}

static void name_all(struct dwarf_file *dwarf, struct limits *limits)
{
	struct sweep_line lines[N_ADDRS] = {0};
	uint64_t vaddrs[N_ADDRS];
	uint32_t addrs[N_ADDRS];
	struct symbols_view view;
	struct symtab *symtab;
	struct answer *answer;
	void *payload;
	size_t n;
	int r = symtab__new(&symtab);

	assert(r == 0);
	symtab__sort(symtab);
	r = answer__new(&answer, N_ADDRS, false, limits);
	assert(r == 0);
	for (uint32_t i = 0; i < N_ADDRS; i++) {
		vaddrs[i] = VADDR_FIRST + i * VADDR_STEP;
		addrs[i] = i;
	}
	r = sweep_run(&(struct sweep){
	    .dwarf = dwarf,
	    .vaddrs = vaddrs,
	    .addrs = addrs,
	    .n = N_ADDRS,
	    .symtab = symtab,
	    .answer = answer,
	    .limits = limits,
	    .lines = lines,
	});
	assert(r == 0);
	r = answer__encode(answer, false, &payload, &n);
	assert(r == 0);
	r = symbols_view__init(&view, payload, n, N_ADDRS);
	assert(r == 0);
	free(payload);
	answer__free(answer);
	symtab__free(symtab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dwarf_file *dwarf;
	struct elf_image image;
	struct elf_file *file;
	struct limits limits;
	int fd, r;

	make_image(&image, data, size);
	fd = elf_image__fd(&image);
	limits__init(&limits, N_ADDRS);
	r = elf_file__open(&file, fd);
	assert(r == 0);
	r = dwarf_file__open(&dwarf, file, &limits);
	assert(r == 0);
	/* As dwz has it, the file is its own second one. */
	dwarf_file__set_alt(dwarf, dwarf);
	name_all(dwarf, &limits);
	dwarf_file__close(dwarf);
	elf_file__close(file);
	close(fd);
	return 0;
}
