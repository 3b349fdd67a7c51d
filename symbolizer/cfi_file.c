/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi_file.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/cfi.h"
#include "symbolizer/cfi_pointer.h"

/* The head of .eh_frame_hdr, up to the longest encoded address. */
#define HDR_BYTES 20

/* "ZLIB" and the size, in front of sections named ".zdebug…". */
#define OLD_HEADER_BYTES 12

/* Of x32 these are 4 bytes, everything else is as on x86-64. */
static uint8_t address_size(const struct elf_file *file)
{
	return gelf_getclass(elf_file__elf(file)) == ELFCLASS32 ? 4 : 8;
}

/* The first section NAME tells what addresses are relative to. */
static uint64_t section_vaddr(const struct elf_file *file, const char *name)
{
	Elf_Scn *scn = elf_file__section(file, name);
	GElf_Shdr shdr;

	return scn && gelf_getshdr(scn, &shdr) ? shdr.sh_addr : 0;
}

/* Where FILE's code is. Files with debug information only do not say. */
static void find_code(const struct elf_file *file, struct cfi_section *section)
{
	size_t n;
	const struct elf_segment *code = elf_file__code(file, &n);
	/* No code is at 0: there linkers leave what had its code dropped, or at 1. */
	uint64_t start = n ? UINT64_MAX : 2, end = n ? 0 : UINT64_MAX;

	for (size_t i = 0; i < n; i++) {
		/* The segment that begins with the ELF header has no code there. */
		uint64_t header = code[i].off == 0 ? sizeof(Elf32_Ehdr) : 0;
		uint64_t last = code[i].vaddr + code[i].n_bytes;

		start = MIN(start, code[i].vaddr + header);
		end = MAX(end, last < code[i].vaddr ? UINT64_MAX : last);
	}
	section->code_start = start;
	section->code_end = end;
}

/* Reads SECTION, of which only the bytes and where they come from are given. */
static int read_bytes(const struct elf_file *file, const struct cfi_section *given,
		      struct unwind_table *t)
{
	struct cfi_section section = *given;

	section.address_size = address_size(file);
	section.text_vaddr = section_vaddr(file, ".text");
	section.data_vaddr = section_vaddr(file, ".got");
	find_code(file, &section);
	return cfi_read(&section, elf_file__machine(file), t);
}

/* Inflates the N bytes at FROM to SIZE. 0, -ENOMEM or -ENOEXEC. */
static int inflate_bytes(const uint8_t *from, size_t n, uint64_t size, struct limits *limits,
			 void **ret)
{
	cleanup_free void *to = NULL;
	uLongf got = size;

	if (size > MIN(LIMIT_CFI_BYTES_MAX, n * LIMIT_INFLATION_RATIO + LIMIT_INFLATION_SLACK)) {
		limits->hits[LIMIT_BYTES]++;
		return -ENOEXEC;
	}
	to = malloc(size + !size);
	if (!to)
		return -ENOMEM;
	if (uncompress(to, &got, from, n) != Z_OK || got != size)
		return -ENOEXEC;
	*ret = steal_ptr(to);
	return 0;
}

/* By the bytes, which as a length would be over the limit. */
static bool is_old_compressed(const struct cfi_section *section)
{
	return section->is_debug_frame && section->n_bytes >= OLD_HEADER_BYTES &&
	       !memcmp(section->bytes, "ZLIB", 4);
}

/* Puts the inflated bytes of SECTION, *RET, which is the caller's, in their place. 0, -ENOMEM or
 * -ENOEXEC. */
static int inflate_section(Elf_Scn *scn, const GElf_Shdr *shdr, struct cfi_section *section,
			   struct limits *limits, void **ret)
{
	const uint8_t *bytes = section->bytes;
	size_t header = OLD_HEADER_BYTES;
	uint64_t size;
	GElf_Chdr chdr;
	int r;

	if (shdr->sh_flags & SHF_COMPRESSED) {
		if (!gelf_getchdr(scn, &chdr) || chdr.ch_type != ELFCOMPRESS_ZLIB)
			return -ENOEXEC;
		header = section->address_size == 4 ? sizeof(Elf32_Chdr) : sizeof(Elf64_Chdr);
		size = chdr.ch_size;
	} else {
		memcpy(&size, bytes + 4, sizeof(size));
		size = be64toh(size);
	}
	if (section->n_bytes < header)
		return -ENOEXEC;
	r = inflate_bytes(bytes + header, section->n_bytes - header, size, limits, ret);
	if (r < 0)
		return r;
	section->bytes = *ret;
	section->n_bytes = size;
	return 0;
}

static int read_section(const struct elf_file *file, const char *name, struct unwind_table *t,
			struct limits *limits)
{
	struct cfi_section section = {.is_debug_frame = !strcmp(name, ".debug_frame")};
	Elf_Scn *scn = elf_file__section(file, name);
	cleanup_free void *raw = NULL, *inflated = NULL;
	GElf_Shdr shdr;
	int r;

	if (!scn || !gelf_getshdr(scn, &shdr))
		return 0;
	if (shdr.sh_size > LIMIT_CFI_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		return 0;
	}
	/* Not by libelf, which would keep it until the end. */
	raw = malloc(shdr.sh_size);
	if (!raw)
		return -ENOMEM;
	r = elf_file__read(file, shdr.sh_offset, raw, shdr.sh_size);
	if (r < 0)
		return r == -ENXIO ? 0 : r;
	section.bytes = raw;
	section.n_bytes = shdr.sh_size;
	section.vaddr = shdr.sh_addr;
	section.address_size = address_size(file);
	if ((shdr.sh_flags & SHF_COMPRESSED) || is_old_compressed(&section)) {
		r = inflate_section(scn, &shdr, &section, limits, &inflated);
		if (r < 0)
			return r == -ENOEXEC ? 0 : r;
	}
	return read_bytes(file, &section, t);
}

/* How many bytes from VADDR on are loaded from the file in one piece; 0 = none, or too many. */
static uint64_t loaded_from(const struct elf_file *file, uint64_t vaddr)
{
	Elf *elf = elf_file__elf(file);
	size_t n;

	if (elf_getphdrnum(elf, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_LOAD ||
		    vaddr < phdr.p_vaddr || vaddr - phdr.p_vaddr >= phdr.p_filesz)
			continue;
		return elf_file__bytes_plausible(file, phdr.p_offset, phdr.p_filesz)
			   ? phdr.p_filesz - (vaddr - phdr.p_vaddr)
			   : 0;
	}
	return 0;
}

/* Where .eh_frame is loaded, from the head of .eh_frame_hdr. False where that does not say. */
static bool find_eh_frame(const struct elf_file *file, uint64_t *ret)
{
	uint8_t hdr[HDR_BYTES] = {0};
	struct cfi_bases bases = {.bytes = hdr};
	struct cursor c;
	uint64_t n;
	uint8_t encoding;

	if (!elf_file__segment(file, PT_GNU_EH_FRAME, &bases.vaddr, &n) ||
	    elf_file__read_vaddr(file, bases.vaddr, hdr, MIN(n, sizeof(hdr))) < 0)
		return false;
	bases.data_vaddr = bases.vaddr;
	bases.address_size = address_size(file);
	cursor__init(&c, hdr, MIN(n, sizeof(hdr)));
	if (cursor__u8(&c) != 1)
		return false;
	encoding = cursor__u8(&c);
	cursor__skip(&c, 2); /* how the table that follows is encoded */
	return cfi_pointer_read(&c, encoding, &bases, ret);
}

/* Without section headers nothing says how long .eh_frame is: up to the end of its segment. */
static int read_segment(const struct elf_file *file, struct unwind_table *t, struct limits *limits)
{
	cleanup_free void *bytes = NULL;
	uint64_t vaddr, n;

	if (!find_eh_frame(file, &vaddr))
		return 0;
	n = loaded_from(file, vaddr);
	if (n > LIMIT_CFI_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		n = LIMIT_CFI_BYTES_MAX;
	}
	if (n == 0)
		return 0;
	bytes = malloc(n);
	if (!bytes)
		return -ENOMEM;
	/* Not there, after all: the file has changed. */
	if (elf_file__read_vaddr(file, vaddr, bytes, n) < 0)
		return 0;
	return read_bytes(file,
			  &(struct cfi_section){
			      .bytes = bytes,
			      .n_bytes = n,
			      .vaddr = vaddr,
			      .ends_at_zero = true,
			  },
			  t);
}

int cfi_read_file(const struct elf_file *file, struct unwind_table *t, struct limits *limits)
{
	int r;

	if (elf_file__section(file, ".eh_frame"))
		r = read_section(file, ".eh_frame", t, limits);
	else
		r = read_segment(file, t, limits);
	return r < 0 ? r : read_section(file, ".debug_frame", t, limits);
}
