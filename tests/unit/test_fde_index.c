/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/fde_index: the functions of this very program, and tables that lie. */
#include "symbolizer/fde_index.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/elf_image.h"

#define HDR 0x500000
#define CODE 0x401000

/* .eh_frame_hdr with two functions, then a CIE and the FDEs of both. */
struct frame {
	uint8_t version, encodings[3];
	int32_t eh_frame;
	uint32_t n;
	int32_t table[2][2];
	struct {
		uint32_t length, id;
		char bytes[16];
	} cie;
	struct {
		uint32_t length, back;
		int32_t start;
		uint32_t n_bytes;
		char rest[16];
	} fde[2];
};

static void init(struct frame *f)
{
	*f = (struct frame){.version = 1, .encodings = {0x1b, 3, 0x3b}, .n = 2};
	f->cie.length = 20;
	memcpy(f->cie.bytes, "\1zR\0\1\x78\x10\1\x1b\0\0\0\0\0\0", 16);
	for (int i = 0; i < 2; i++) {
		int64_t at = HDR + (int64_t)offsetof(struct frame, fde[i]);

		f->table[i][0] = CODE + i * 0x100 - HDR;
		f->table[i][1] = (int32_t)(at - HDR);
		f->fde[i].length = 28;
		f->fde[i].back =
		    (uint32_t)(offsetof(struct frame, fde[i]) + 4 - offsetof(struct frame, cie));
		f->fde[i].start = (int32_t)(CODE + i * 0x100 - (at + 8));
		f->fde[i].n_bytes = 0x40;
	}
}

/* The start that F gives for VADDR, 0 = none. */
static uint64_t find(const struct frame *f, uint64_t vaddr)
{
	struct fde_index index;
	struct elf_image image;
	struct elf_file *file;
	uint64_t start = 0, off;
	int fd;

	elf_image__init(&image);
	off = elf_image__put(&image, f, sizeof(*f));
	elf_image__segment(&image, PT_LOAD, PF_R, off, HDR, sizeof(*f));
	elf_image__segment(&image, PT_GNU_EH_FRAME, PF_R, off, HDR, offsetof(struct frame, cie));
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	fde_index__init(&index, file);
	if (!fde_index__find(&index, vaddr, &start))
		start = 0;
	elf_file__close(file);
	close(fd);
	return start;
}

static void finds_what_holds_the_address(void **state)
{
	struct frame f;

	init(&f);
	assert_int_equal(find(&f, CODE - 1), 0);
	assert_int_equal(find(&f, CODE), CODE);
	assert_int_equal(find(&f, CODE + 0x3f), CODE);
	assert_int_equal(find(&f, CODE + 0x40), 0);
	assert_int_equal(find(&f, CODE + 0x13f), CODE + 0x100);
	assert_int_equal(find(&f, CODE + 0x140), 0);
}

static void lies_find_nothing(void **state)
{
	struct frame f;

	init(&f);
	f.n = 3; /* more than there is room for */
	assert_int_equal(find(&f, CODE), 0);
	init(&f);
	f.table[0][0] -= 4; /* not what the FDE says */
	assert_int_equal(find(&f, CODE), 0);
	init(&f);
	f.fde[0].back = UINT32_MAX;
	assert_int_equal(find(&f, CODE), 0);
	init(&f);
	f.cie.bytes[2] = 'X';
	assert_int_equal(find(&f, CODE), 0);
	init(&f);
	f.encodings[2] = 0x1b;
	assert_int_equal(find(&f, CODE), 0);
	for (size_t at = 0; at < sizeof(f); at++) {
		init(&f);
		((uint8_t *)&f)[at] ^= 0xff;
		find(&f, CODE + 0x110);
	}
}

static __attribute__((noinline)) void of_this_program(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t n, n_found = 0;
	struct fde_index index;
	struct elf_file *file;
	const struct elf_segment *code;
	uint64_t start;

	assert_int_equal(elf_file__open(&file, fd), 0);
	fde_index__init(&index, file);
	code = elf_file__code(file, &n);
	assert_true(n > 0);
	for (uint64_t at = 0; at < code[0].n_bytes; at += 16)
		if (fde_index__find(&index, code[0].vaddr + at, &start)) {
			assert_true(start <= code[0].vaddr + at);
			n_found++;
		}
	assert_true(n_found > code[0].n_bytes / 16 / 2);
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_holds_the_address),
	    cmocka_unit_test(lies_find_nothing),
	    cmocka_unit_test(of_this_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
