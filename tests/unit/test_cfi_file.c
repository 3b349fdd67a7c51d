/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolizer/cfi_file: where files keep their call frame information, and, for real files, that our
 * rules find the same callers as libdw at every place where one of both changes.
 */
#include "symbolizer/cfi_file.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/cfi_compare.h"
#include "tests/unit/elf_image.h"

#define CODE 0x400000ull
#define START (CODE + 0x100)
#define FRAMES 0x600000ull /* where the read-only segment is loaded */

/* A CIE and an FDE for START, whose CFA is rsp + CFA_OFF, in .eh_frame that is loaded at VADDR. */
static size_t make_eh_frame(uint8_t *ret, uint64_t vaddr, uint8_t cfa_off)
{
	const struct {
		uint32_t cie_length, cie_id;
		uint8_t cie[12];
		uint32_t length, cie_back;
		int32_t start, n;
		uint8_t program[4];
		uint32_t terminator;
	} bytes = {
	    16,
	    0,
	    {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, DW_CFA_def_cfa, 7, 8},
	    16,
	    24,
	    (int32_t)(START - (vaddr + 28)),
	    0x20,
	    {0, DW_CFA_def_cfa_offset, cfa_off, 0},
	    0,
	};

	memcpy(ret, &bytes, sizeof(bytes));
	return sizeof(bytes);
}

/* The same as .debug_frame. */
static size_t make_debug_frame(uint8_t *ret, uint8_t cfa_off)
{
	const struct {
		uint32_t cie_length, cie_id;
		uint8_t cie[8];
		uint32_t length, cie_off;
		uint64_t start, n;
		uint8_t program[8];
	} bytes = {
	    12,	   UINT32_MAX, {3, 0, 1, 0x78, 16, DW_CFA_def_cfa, 7, 8}, 28, 0,
	    START, 0x20,       {DW_CFA_def_cfa_offset, cfa_off},
	};

	memcpy(ret, &bytes, sizeof(bytes));
	return sizeof(bytes);
}

static void image_with_code(struct elf_image *image)
{
	elf_image__init(image);
	elf_image__segment(image, PT_LOAD, PF_R | PF_X, 0, CODE, 0x1000);
}

/* What IMAGE says about START: the offset of the CFA, 0 where nothing. */
static int cfa_off_of(const struct elf_image *image, struct limits *limits)
{
	int fd = elf_image__fd(image), off;
	struct unwind_line *lines;
	struct unwind_table *t;
	struct unwind_rule rule;
	struct elf_file *file;
	size_t n;

	limits__init(limits, 0);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__new(&t), 0);
	assert_int_equal(cfi_read_file(file, t, limits), 0);
	assert_int_equal(unwind_table__layout(t, file, &lines, &n), 0);
	rule = unwind_lookup(lines, file, START + 0x1f);
	off = rule.cfa == UNWIND_CFA_REG ? rule.cfa_off : 0;
	free(lines);
	unwind_table__free(t);
	elf_file__close(file);
	close(fd);
	return off;
}

static void sections(void **state)
{
	struct elf_image image;
	struct limits limits;
	uint8_t bytes[64];
	size_t n;

	image_with_code(&image);
	assert_int_equal(cfa_off_of(&image, &limits), 0);
	n = make_debug_frame(bytes, 16);
	elf_image__section(&image, ".debug_frame", SHT_PROGBITS, bytes, n);
	assert_int_equal(cfa_off_of(&image, &limits), 16);
	/* Goes before. */
	n = make_eh_frame(bytes, 0x1000, 24);
	elf_image__section(&image, ".eh_frame", SHT_PROGBITS, bytes, n)->sh_addr = 0x1000;
	assert_int_equal(cfa_off_of(&image, &limits), 24);
	/* Files with debug information only have it without bytes. */
	image.shdrs[image.ehdr.e_shnum - 1].sh_type = SHT_NOBITS;
	assert_int_equal(cfa_off_of(&image, &limits), 16);
	assert_false(limits__any(&limits));
}

/* Compressed with the header of ELF, or with that of the years before. */
static void put_compressed(struct elf_image *image, bool is_old, uint64_t claimed)
{
	uint8_t bytes[64], packed[256];
	size_t n = make_debug_frame(bytes, 16), header = is_old ? 12 : sizeof(Elf64_Chdr);
	uLongf n_packed = sizeof(packed) - header;
	Elf64_Shdr *shdr;

	assert_int_equal(compress(packed + header, &n_packed, bytes, n), Z_OK);
	claimed = claimed ? claimed : n;
	if (is_old) {
		claimed = htobe64(claimed);
		memcpy(packed, "ZLIB", 4);
		memcpy(packed + 4, &claimed, 8);
		elf_image__section(image, ".zdebug_frame", SHT_PROGBITS, packed, header + n_packed);
		return;
	}
	memcpy(packed,
	       &(Elf64_Chdr){.ch_type = ELFCOMPRESS_ZLIB, .ch_size = claimed, .ch_addralign = 8},
	       header);
	shdr = elf_image__section(image, ".debug_frame", SHT_PROGBITS, packed, header + n_packed);
	shdr->sh_flags = SHF_COMPRESSED;
	shdr->sh_addralign = 8;
}

static void compressed_sections(void **state)
{
	struct elf_image image;
	struct limits limits;

	for (int is_old = 0; is_old < 2; is_old++) {
		image_with_code(&image);
		put_compressed(&image, is_old, 0);
		assert_int_equal(cfa_off_of(&image, &limits), 16);
		/* Not as long as it claims, nor as short. */
		image_with_code(&image);
		put_compressed(&image, is_old, 100000);
		assert_int_equal(cfa_off_of(&image, &limits), 0);
		assert_false(limits__any(&limits));
		image_with_code(&image);
		put_compressed(&image, is_old, 10);
		assert_int_equal(cfa_off_of(&image, &limits), 0);
		/* More than it can be. */
		image_with_code(&image);
		put_compressed(&image, is_old, 1ull << 32);
		assert_int_equal(cfa_off_of(&image, &limits), 0);
		assert_int_equal(limits.hits[LIMIT_BYTES], 1);
	}
}

/* The way there without section headers: the segment of .eh_frame_hdr. */
static void stripped_of_sections(void **state)
{
	struct elf_image image;
	struct limits limits;
	uint8_t bytes[80] = {1, 0x1b, 0x03, 0x3b, 4, 0, 0, 0};
	uint64_t at, n = 8 + make_eh_frame(bytes + 8, FRAMES + 8, 32);

	image_with_code(&image);
	image.ehdr.e_shoff = 0;
	image.ehdr.e_shnum = 0;
	image.ehdr.e_shstrndx = 0;
	/* What follows the terminator is something else. */
	memset(bytes + n, 0xee, sizeof(bytes) - n);
	at = elf_image__put(&image, bytes, sizeof(bytes));
	elf_image__segment(&image, PT_LOAD, PF_R, at, FRAMES, sizeof(bytes));
	elf_image__segment(&image, PT_GNU_EH_FRAME, PF_R, at, FRAMES, 8);
	assert_int_equal(cfa_off_of(&image, &limits), 32);
	/* A pointer out of the segment, an unknown version, a segment that the file does not have.
	 * */
	image.bytes[at - IMAGE_BYTES_AT + 4] = 100;
	assert_int_equal(cfa_off_of(&image, &limits), 0);
	image.bytes[at - IMAGE_BYTES_AT + 4] = 4;
	image.bytes[at - IMAGE_BYTES_AT] = 2;
	assert_int_equal(cfa_off_of(&image, &limits), 0);
	image.bytes[at - IMAGE_BYTES_AT] = 1;
	image.phdrs[1].p_filesz = 1ull << 40;
	assert_int_equal(cfa_off_of(&image, &limits), 0);
	image.phdrs[1].p_filesz = sizeof(bytes);
	image.phdrs[2].p_filesz = 3;
	assert_int_equal(cfa_off_of(&image, &limits), 0);
}

/* Compares all of the file at FD. */
static void compare_fd(int fd, struct cfi_comparison *ret)
{
	struct unwind_line *lines;
	struct unwind_table *t;
	struct elf_file *file;
	struct limits limits;
	Dwarf_CFI *cfi;
	size_t n;

	limits__init(&limits, 0);
	*ret = (struct cfi_comparison){0};
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__new(&t), 0);
	assert_int_equal(cfi_read_file(file, t, &limits), 0);
	assert_false(limits__any(&limits));
	assert_int_equal(unwind_table__stats(t)->n_bad, 0);
	assert_int_equal(unwind_table__stats(t)->n_dropped, 0);
	assert_int_equal(unwind_table__layout(t, file, &lines, &n), 0);
	cfi = dwarf_getcfi_elf(elf_file__elf(file));
	assert_non_null(cfi);
	compare_file(cfi, file, lines, ret);
	dwarf_cfi_end(cfi);
	free(lines);
	unwind_table__free(t);
	elf_file__close(file);
}

static void assert_agrees_with_libdw(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct cfi_comparison result;

	assert_true(fd >= 0);
	compare_fd(fd, &result);
	close(fd);
	printf("%s: %" PRIu64 " places, %" PRIu64 " unknown, %" PRIu64 " registers lost\n", path,
	       result.n_places, result.n_unknown, result.n_lost);
	assert_true(result.n_places > 100);
	assert_int_equal(result.n_mismatches, 0);
	assert_int_equal(result.n_missing, 0);
	/* glibc's longjmp, OpenSSL's Keccak and the like. */
	assert_true(result.n_unknown <= 20);
	assert_true(result.n_lost * 100 <= result.n_places);
}

/* Where the loader finds NAME; none on systems that do not have it. */
static void assert_library_agrees(const char *name)
{
	void *library = dlopen(name, RTLD_LAZY);
	struct link_map *map;

	if (!library) {
		printf("%s: none\n", name);
		return;
	}
	if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
		assert_agrees_with_libdw(map->l_name);
	dlclose(library);
}

static void agrees_with_libdw(void **state)
{
#ifndef __x86_64__
	skip();
#endif
	assert_agrees_with_libdw("/proc/self/exe");
	assert_library_agrees("libc.so.6");
	assert_library_agrees("ld-linux-x86-64.so.2");
	assert_library_agrees("libcrypto.so.3");
	assert_library_agrees("libstdc++.so.6");
	assert_library_agrees("libgcc_s.so.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sections),
	    cmocka_unit_test(compressed_sections),
	    cmocka_unit_test(stripped_of_sections),
	    cmocka_unit_test(agrees_with_libdw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
