/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/elf_file: what a file is, from its headers and notes; lies in them are refused. */
#include "symbolizer/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/self_file.h"

static int open_image(struct elf_file **ret, const struct elf_image *image, int *ret_fd)
{
	*ret_fd = elf_image__fd(image);
	return elf_file__open(ret, *ret_fd);
}

static void reads_itself(void **state)
{
	struct self_file self = {0};
	uint64_t vaddr;

	assert_int_equal(self_file__open(&self), 0);
	assert_true(elf_file__has_dwarf(self.file));
	assert_false(elf_file__is_go(self.file));
	assert_false(elf_file__vaddr_of(self.file, 0, &vaddr));
	self_file__close(&self);
}

static void offsets_become_addresses_of_code(void **state)
{
	struct elf_image image;
	struct elf_file *file;
	uint64_t vaddr = 7;
	int fd;

	elf_image__init(&image);
	elf_image__segment(&image, PT_LOAD, PF_R, 0, 0x400000, 0x1000);
	elf_image__segment(&image, PT_LOAD, PF_R | PF_X, 0x1000, 0x402000, 0x100);
	elf_image__segment(&image, PT_LOAD, PF_R | PF_X, 0x1800, 0x800000, 0x100);
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_false(elf_file__vaddr_of(file, 0x800, &vaddr));
	assert_int_equal(vaddr, 7);
	assert_true(elf_file__vaddr_of(file, 0x10ff, &vaddr));
	assert_int_equal(vaddr, 0x4020ff);
	/* In memory the segment is longer, but those bytes have no offset. */
	assert_false(elf_file__vaddr_of(file, 0x1100, &vaddr));
	assert_true(elf_file__vaddr_of(file, 0x1800, &vaddr));
	assert_int_equal(vaddr, 0x800000);
	elf_file__close(file);
	close(fd);
}

static void finds_the_build_id(void **state)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef";
	struct elf_image image;
	struct elf_file *file;
	int fd;

	for (int in_segment = 0; in_segment < 2; in_segment++) {
		Elf64_Shdr *shdr;

		elf_image__init(&image);
		shdr = elf_image__section(&image, ".note.any", in_segment ? SHT_PROGBITS : SHT_NOTE,
					  note, sizeof(note) - 1);
		shdr->sh_addralign = 4;
		if (in_segment)
			elf_image__segment(&image, PT_NOTE, PF_R, shdr->sh_offset, 0,
					   shdr->sh_size);
		assert_int_equal(open_image(&file, &image, &fd), 0);
		assert_int_equal(elf_file__build_id(file)->size, 4);
		assert_memory_equal(elf_file__build_id(file)->bytes, "\xde\xad\xbe\xef", 4);
		elf_file__close(file);
		close(fd);
	}
}

/* Returns whether the bytes of a .gnu_debuglink section are taken. */
static int takes_link(const void *bytes, size_t n)
{
	struct elf_image image;
	struct elf_file *file;
	char name[256];
	uint32_t crc;
	int fd, taken;

	elf_image__init(&image);
	elf_image__section(&image, ".gnu_debuglink", SHT_PROGBITS, bytes, n);
	assert_int_equal(open_image(&file, &image, &fd), 0);
	taken = elf_file__debuglink(file, name, &crc);
	if (taken)
		assert_int_equal(crc, 0x04030201);
	elf_file__close(file);
	close(fd);
	return taken;
}

static void debug_links_are_plain_names(void **state)
{
	char longer[400];

	assert_true(takes_link("a.debug\0\1\2\3\4", 12));
	assert_true(takes_link("ab\0\0\1\2\3\4", 8));
	assert_false(takes_link("/etc/shadow\0\1\2\3\4", 16));
	assert_false(takes_link("../x.de\0\1\2\3\4", 12));
	assert_false(takes_link("..\0\0\1\2\3\4", 8));
	assert_false(takes_link("a\nb\0\1\2\3\4", 8));
	assert_false(takes_link("\0\0\0\0\1\2\3\4", 8));
	assert_false(takes_link("a.debug\0\1\2\3", 11));
	assert_false(takes_link("nonul", 5));
	memset(longer, 'x', sizeof(longer));
	longer[396] = '\0';
	assert_false(takes_link(longer, sizeof(longer)));
}

static void reads_the_alt_link(void **state)
{
	struct msg_build_id id;
	struct elf_image image;
	struct elf_file *file;
	char path[1024];
	int fd;

	elf_image__init(&image);
	elf_image__section(&image, ".gnu_debugaltlink", SHT_PROGBITS, "/x/y\0\1\2\3", 8);
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_true(elf_file__altlink(file, path, &id));
	assert_string_equal(path, "/x/y");
	assert_int_equal(id.size, 3);
	elf_file__close(file);
	close(fd);
}

static void other_files_are_refused(void **state)
{
	struct elf_file *file = (void *)1;
	struct elf_image image;
	int fd = open("/", O_RDONLY);

	assert_int_equal(elf_file__open(&file, fd), -EINVAL);
	close(fd);
	fd = memfd_create("text", MFD_CLOEXEC);
	assert_int_equal(elf_file__open(&file, fd), -ENOEXEC);
	assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
	assert_int_equal(elf_file__open(&file, fd), -ENOEXEC);
	close(fd);
	elf_image__init(&image);
	image.ehdr.e_ident[EI_DATA] ^= 3;
	assert_int_equal(open_image(&file, &image, &fd), -ENOEXEC);
	close(fd);
	elf_image__init(&image);
	image.ehdr.e_type = ET_CORE;
	assert_int_equal(open_image(&file, &image, &fd), -ENOEXEC);
	close(fd);
	elf_image__init(&image);
	image.ehdr.e_shnum = 0;
	image.shdrs[0].sh_size = 1u << 30;
	assert_int_equal(open_image(&file, &image, &fd), -EFBIG);
	close(fd);
	assert_ptr_equal(file, (void *)1);
}

static void holes_are_not_read(void **state)
{
	struct limits limits;
	struct elf_image image;
	struct elf_file *file;
	int fd;

	limits__init(&limits, 0);
	elf_image__init(&image);
	elf_image__section(&image, ".debug_info", SHT_PROGBITS, "x", 1)->sh_size = 1ull << 39;
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_false(elf_file__has_dwarf(file));
	elf_file__close(file);
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_true(elf_file__bytes_plausible(file, 0, sizeof(image)));
	assert_false(elf_file__bytes_plausible(file, UINT64_MAX, 2));
	elf_file__close(file);
	close(fd);
}

static void computes_the_crc_of_the_file(void **state)
{
	struct elf_image image;
	struct elf_file *file;
	uint32_t crc, again;
	int fd;

	elf_image__init(&image);
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_int_equal(elf_file__crc(file, &crc), 0);
	assert_int_equal(pwrite(fd, "x", 1, sizeof(image) - 1), 1);
	assert_int_equal(elf_file__crc(file, &again), 0);
	assert_int_not_equal(crc, again);
	elf_file__close(file);
	close(fd);
}

/* The names of sections must end with an end, and the build id is looked for in a few notes only:
 * a file could have both read again and again. */
static void dear_headers_cost_little(void **state)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0abcd";
	struct elf_image image;
	struct elf_file *file;
	int fd;

	elf_image__init(&image);
	elf_image__section(&image, ".debug_info", SHT_PROGBITS, "x", 1);
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_true(elf_file__has_dwarf(file));
	elf_file__close(file);
	close(fd);
	image.bytes[image.shdrs[1].sh_size - 1] = 'x';
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_false(elf_file__has_dwarf(file));
	elf_file__close(file);
	close(fd);

	elf_image__init(&image);
	for (int i = 0; i < 2; i++)
		elf_image__section(&image, ".note", SHT_NOTE, note, 20);
	image.shdrs[2].sh_offset = 0;
	image.shdrs[2].sh_size = (64u << 10) + 1;
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_int_equal(elf_file__build_id(file)->size, 4);
	elf_file__close(file);
	close(fd);
}

struct ranges {
	uint64_t v[4][2];
	size_t n;
};

static int note_range(void *ctx, uint64_t start, uint64_t end)
{
	struct ranges *ranges = ctx;

	assert_true(ranges->n < 4);
	ranges->v[ranges->n][0] = start;
	ranges->v[ranges->n++][1] = end;
	return 0;
}

/* Sections in any order that overlap: each address once. */
static void code_is_told_once(void **state)
{
	static const uint64_t sections[][2] = {
	    {0x3000, 0x100}, {0x1000, 0x100}, {0x1080, 0x100}, {0x1010, 0x10}, {0x1000, 0x100}};
	static const uint64_t want[][2] = {{0x1000, 0x1100}, {0x1100, 0x1180}, {0x3000, 0x3100}};
	struct ranges ranges = {0};
	struct elf_image image;
	struct elf_file *file;
	int fd;

	elf_image__init(&image);
	for (size_t i = 0; i < 5; i++) {
		Elf64_Shdr *shdr = elf_image__section(&image, ".text", SHT_PROGBITS, "x", 1);

		shdr->sh_flags = SHF_EXECINSTR;
		shdr->sh_addr = sections[i][0];
		shdr->sh_size = sections[i][1];
	}
	assert_int_equal(open_image(&file, &image, &fd), 0);
	assert_int_equal(elf_file__each_code(file, note_range, &ranges), 0);
	assert_int_equal(ranges.n, 3);
	assert_memory_equal(ranges.v, want, sizeof(want));
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_itself),
	    cmocka_unit_test(offsets_become_addresses_of_code),
	    cmocka_unit_test(finds_the_build_id),
	    cmocka_unit_test(debug_links_are_plain_names),
	    cmocka_unit_test(reads_the_alt_link),
	    cmocka_unit_test(other_files_are_refused),
	    cmocka_unit_test(holes_are_not_read),
	    cmocka_unit_test(computes_the_crc_of_the_file),
	    cmocka_unit_test(dear_headers_cost_little),
	    cmocka_unit_test(code_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
