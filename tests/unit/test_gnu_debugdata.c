/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/gnu_debugdata: what xz made comes out whole; bombs, torn and lying streams do not. */
#include "symbolizer/gnu_debugdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>

#include "base/util.h"
#include "tests/unit/elf_image.h"

/* An xz stream of N bytes at S with a dictionary of DICT bytes; its length. */
static size_t compress(const void *s, size_t n, uint32_t dict, unsigned char *out, size_t size)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t pos = 0;

	assert_false(lzma_lzma_preset(&options, 0));
	options.dict_size = dict;
	assert_int_equal(
	    lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL, s, n, out, &pos, size),
	    LZMA_OK);
	return pos;
}

static int inflate(const void *s, size_t n, uint64_t max, struct limits *limits, int *ret_fd)
{
	limits__init(limits, 1);
	*ret_fd = -1;
	return gnu_debugdata_inflate_bytes(s, n, max, limits, ret_fd);
}

static void inflates_within_its_limit(void **state)
{
	static unsigned char text[1u << 20], packed[1u << 20], back[1u << 20];
	struct limits limits;
	size_t n;
	int fd;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * i >> 7);
	n = compress(text, sizeof(text), 1u << 20, packed, sizeof(packed));
	assert_int_equal(inflate(packed, n, sizeof(text), &limits, &fd), GNU_DEBUGDATA_OK);
	assert_int_equal(pread_full(fd, back, sizeof(back), 0), sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	assert_false(limits__any(&limits));
	close(fd);
	assert_int_equal(inflate(packed, n, sizeof(text) - 1, &limits, &fd), GNU_DEBUGDATA_BROKEN);
	assert_int_equal(limits.hits[LIMIT_BYTES], 1);
	assert_int_equal(fd, -1);
	/* Torn at every place of its ends, and with one byte changed. */
	for (size_t cut = 1; cut < 200; cut++)
		assert_int_equal(inflate(packed, n - cut, sizeof(text), &limits, &fd),
				 GNU_DEBUGDATA_BROKEN);
	for (size_t cut = 0; cut < 64; cut++)
		assert_int_equal(inflate(packed, cut, sizeof(text), &limits, &fd),
				 GNU_DEBUGDATA_BROKEN);
	packed[n / 2] ^= 1;
	assert_int_equal(inflate(packed, n, sizeof(text), &limits, &fd), GNU_DEBUGDATA_BROKEN);
}

/* A few bytes that ask for gigabytes: of text, and of dictionary. */
static void bombs_are_refused(void **state)
{
	static unsigned char packed[64u << 10];
	const size_t n_text = 64u << 20;
	unsigned char *text = calloc(1, n_text);
	struct elf_image image;
	struct elf_file *file;
	struct limits limits;
	size_t n;
	int fd, out;

	n = compress(text, n_text, 1u << 20, packed, sizeof(packed));
	assert_true(n < 32u << 10);
	elf_image__init(&image);
	elf_image__section(&image, ".gnu_debugdata", SHT_PROGBITS, packed, n);
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	limits__init(&limits, 1);
	assert_int_equal(gnu_debugdata_inflate(file, &limits, &out), GNU_DEBUGDATA_BROKEN);
	assert_int_equal(limits.hits[LIMIT_BYTES], 1);
	elf_file__close(file);
	close(fd);
	n = compress(text, 1u << 20, 1u << 30, packed, sizeof(packed));
	assert_int_equal(inflate(packed, n, n_text, &limits, &out), GNU_DEBUGDATA_BROKEN);
	assert_int_equal(limits.hits[LIMIT_BYTES], 1);
	free(text);
}

static void files_without_have_none(void **state)
{
	struct elf_image image;
	struct elf_file *file;
	struct limits limits;
	int fd, out;

	elf_image__init(&image);
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(gnu_debugdata_inflate(file, &limits, &out), GNU_DEBUGDATA_NONE);
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(inflates_within_its_limit),
	    cmocka_unit_test(bombs_are_refused),
	    cmocka_unit_test(files_without_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
