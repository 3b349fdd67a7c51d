/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/section: bytes of sections, stored as they are or compressed, and bombs. */
#include "symbolizer/section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/elf_image.h"

#define TYPE_ZLIB 1
#define TYPE_ZSTD 2
#define N_TEXT 5000

struct fixture {
	struct elf_image image;
	char text[N_TEXT];
	int fd;
	struct elf_file *file;
	struct limits limits;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	for (size_t i = 0; i < N_TEXT; i++)
		f->text[i] = (char)('a' + i * i % 23);
	f->text[N_TEXT - 1] = '\0';
	f->fd = -1;
	limits__init(&f->limits, 0);
	elf_image__init(&f->image);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	elf_file__close(f->file);
	close(f->fd);
	free(f);
	return 0;
}

static void open_section(struct fixture *f, const char *name, struct section *ret)
{
	f->fd = elf_image__fd(&f->image);
	assert_int_equal(elf_file__open(&f->file, f->fd), 0);
	assert_int_equal(section__open(ret, f->file, name, &f->limits), 0);
}

/* Any part of SECTION is the same part of the text. */
static void check_text(const struct fixture *f, const struct section *section)
{
	struct window window = {0};
	struct cursor c;
	const char *s;
	size_t n;

	assert_int_equal(section->size, N_TEXT);
	for (size_t off = 0; off < N_TEXT; off += 777) {
		for (size_t want = 1; want < 10000; want *= 9) {
			assert_int_equal(window__read(&window, section, off, want, &c), 0);
			n = want < N_TEXT - off ? want : N_TEXT - off;
			assert_int_equal(cursor__left(&c), n);
			assert_memory_equal(c.pos, f->text + off, n);
		}
	}
	assert_int_equal(window__read(&window, section, N_TEXT, 1, &c), 0);
	assert_int_equal(cursor__left(&c), 0);
	assert_int_equal(window__string(&window, section, 4, &s, &n), 0);
	assert_int_equal(n, N_TEXT - 5);
	assert_int_equal(window__string(&window, section, UINT64_MAX, &s, &n), 0);
	assert_int_equal(n, 0);
	window__fini(&window);
}

static void as_it_is(void **state)
{
	struct fixture *f = *state;
	struct section section;

	elf_image__section(&f->image, ".debug_str", SHT_PROGBITS, f->text, N_TEXT);
	open_section(f, ".debug_str", &section);
	assert_null(section.bytes);
	check_text(f, &section);
	assert_int_equal(section__load(&section, N_TEXT, &f->limits), 0);
	assert_non_null(section.bytes);
	check_text(f, &section);
	section__fini(&section);
}

static void too_long_to_load(void **state)
{
	struct fixture *f = *state;
	struct section section;

	elf_image__section(&f->image, ".debug_str", SHT_PROGBITS, f->text, N_TEXT);
	open_section(f, ".debug_str", &section);
	assert_int_equal(section__load(&section, N_TEXT - 1, &f->limits), 0);
	assert_int_equal(section.size, 0);
	assert_int_equal(f->limits.hits[LIMIT_BYTES], 1);
}

static void missing(void **state)
{
	struct fixture *f = *state;
	struct section section;

	open_section(f, ".debug_str", &section);
	assert_int_equal(section.size, 0);
}

/* The text compressed as TYPE, which claims to have N bytes. */
static void put_compressed(struct fixture *f, uint32_t type, uint64_t n)
{
	unsigned char bytes[2 * N_TEXT];
	Elf64_Chdr chdr = {.ch_type = type, .ch_size = n, .ch_addralign = 1};
	uLongf size = sizeof(bytes) - sizeof(chdr);

	memcpy(bytes, &chdr, sizeof(chdr));
	if (type == TYPE_ZSTD)
		size = ZSTD_compress(bytes + sizeof(chdr), size, f->text, N_TEXT, 3);
	else
		assert_int_equal(compress(bytes + sizeof(chdr), &size, (Bytef *)f->text, N_TEXT),
				 Z_OK);
	elf_image__section(&f->image, ".debug_str", SHT_PROGBITS, bytes, size + sizeof(chdr))
	    ->sh_flags = SHF_COMPRESSED;
}

static void compressed_by_zlib(void **state)
{
	struct fixture *f = *state;
	struct section section;

	put_compressed(f, TYPE_ZLIB, N_TEXT);
	open_section(f, ".debug_str", &section);
	check_text(f, &section);
	section__fini(&section);
}

static void compressed_by_zstd(void **state)
{
	struct fixture *f = *state;
	struct section section;

	put_compressed(f, TYPE_ZSTD, N_TEXT);
	open_section(f, ".debug_str", &section);
	check_text(f, &section);
	section__fini(&section);
}

static void compressed_of_old(void **state)
{
	unsigned char bytes[2 * N_TEXT] = {'Z', 'L', 'I', 'B', 0,	    0,
					   0,	0,   0,	  0,   N_TEXT >> 8, N_TEXT & 255};
	struct fixture *f = *state;
	struct section section;
	uLongf size = sizeof(bytes) - 12;

	assert_int_equal(compress(bytes + 12, &size, (Bytef *)f->text, N_TEXT), Z_OK);
	elf_image__section(&f->image, ".zdebug_str", SHT_PROGBITS, bytes, size + 12);
	open_section(f, ".debug_str", &section);
	check_text(f, &section);
	section__fini(&section);
}

/* What does not inflate to what it says has no bytes; what says too much is not tried. */
static void lies(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t n;
		uint64_t over;
	} cases[] = {
	    {TYPE_ZLIB, N_TEXT - 1, 0}, {TYPE_ZLIB, N_TEXT + 1, 0},
	    {TYPE_ZSTD, N_TEXT - 1, 0}, {TYPE_ZSTD, N_TEXT + 1, 0},
	    {TYPE_ZLIB, 1ull << 30, 1}, {TYPE_ZSTD, 1ull << 30, 1},
	    {TYPE_ZLIB, UINT64_MAX, 1}, {3, N_TEXT, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;
		struct section section;

		setup((void **)&f);
		put_compressed(f, cases[i].type, cases[i].n);
		open_section(f, ".debug_str", &section);
		assert_int_equal(section.size, 0);
		assert_int_equal(f->limits.hits[LIMIT_BYTES], cases[i].over);
		teardown((void **)&f);
	}
}

/* A file that has become shorter has no bytes there, and nothing breaks. */
static void truncated_while_in_use(void **state)
{
	struct fixture *f = *state;
	struct window window = {0};
	struct section section;
	struct cursor c;

	elf_image__section(&f->image, ".debug_str", SHT_PROGBITS, f->text, N_TEXT);
	open_section(f, ".debug_str", &section);
	assert_int_equal(ftruncate(f->fd, (off_t)section.off + 100), 0);
	assert_int_equal(window__read(&window, &section, 50, 10, &c), 0);
	assert_int_equal(cursor__left(&c), 0);
	assert_int_equal(section__load(&section, N_TEXT, &f->limits), 0);
	assert_int_equal(section.size, 0);
	window__fini(&window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(as_it_is, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_long_to_load, setup, teardown),
	    cmocka_unit_test_setup_teardown(missing, setup, teardown),
	    cmocka_unit_test_setup_teardown(compressed_by_zlib, setup, teardown),
	    cmocka_unit_test_setup_teardown(compressed_by_zstd, setup, teardown),
	    cmocka_unit_test_setup_teardown(compressed_of_old, setup, teardown),
	    cmocka_unit_test(lies),
	    cmocka_unit_test_setup_teardown(truncated_while_in_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
