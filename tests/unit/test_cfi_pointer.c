/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cfi_pointer: every format, every base, and what is refused. */
#include "symbolizer/cfi_pointer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NONE UINT64_C(0xbad)

static const uint8_t bytes[24] = {0xaa, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				  0xff, 0x7f, 0x34, 0x12, 0,	0,    0,    0,
				  0,	0,    0,    0,	  0,	0,    0,    0};

/* What the bytes from FROM on mean; NONE where nothing. */
static uint64_t read_at(size_t from, uint8_t encoding, uint8_t address_size, size_t *ret_n)
{
	const struct cfi_bases bases = {
	    .bytes = bytes,
	    .vaddr = 0x1000,
	    .text_vaddr = 0x20000,
	    .data_vaddr = 0x30000,
	    .function = 0x40000,
	    .address_size = address_size,
	};
	struct cursor c;
	uint64_t v = NONE;

	cursor__init(&c, bytes, sizeof(bytes));
	cursor__skip(&c, from);
	if (!cfi_pointer_read(&c, encoding, &bases, &v))
		v = NONE;
	if (ret_n)
		*ret_n = sizeof(bytes) - from - cursor__left(&c);
	return v;
}

static void formats(void **state)
{
	size_t n;

	assert_int_equal(read_at(10, 0x00, 8, &n), 0x1234);
	assert_int_equal(n, 8);
	assert_int_equal(read_at(10, 0x00, 4, &n), 0x1234);
	assert_int_equal(n, 4);
	assert_int_equal(read_at(1, 0x01, 8, &n), 0x7ffffffffffffff0);
	assert_int_equal(n, 9);
	assert_int_equal(read_at(1, 0x02, 8, &n), 0xfff0);
	assert_int_equal(n, 2);
	assert_int_equal(read_at(1, 0x03, 8, &n), 0xfffffff0);
	assert_int_equal(n, 4);
	assert_int_equal(read_at(1, 0x04, 8, &n), 0xfffffffffffffff0);
	assert_int_equal(n, 8);
	assert_int_equal(read_at(1, 0x08, 8, NULL), (uint64_t)-16);
	assert_int_equal(read_at(9, 0x09, 8, &n), (uint64_t)-1);
	assert_int_equal(n, 1);
	assert_int_equal(read_at(1, 0x0a, 8, NULL), (uint64_t)-16);
	assert_int_equal(read_at(1, 0x0b, 8, NULL), (uint64_t)-16);
	assert_int_equal(read_at(1, 0x0c, 8, NULL), (uint64_t)-16);
	/* Addresses of 32 bits wrap around there. */
	assert_int_equal(read_at(1, 0x0b, 4, NULL), 0xfffffff0);
}

static void bases(void **state)
{
	size_t n;

	assert_int_equal(read_at(1, 0x1b, 8, NULL), 0x1001 - 16);
	assert_int_equal(read_at(1, 0x2b, 8, NULL), 0x20000 - 16);
	assert_int_equal(read_at(1, 0x3b, 8, NULL), 0x30000 - 16);
	assert_int_equal(read_at(1, 0x4b, 8, NULL), 0x40000 - 16);
	assert_int_equal(read_at(10, 0x50, 8, &n), 0);
	assert_int_equal(n, 6 + 8);
}

static void refuses(void **state)
{
	assert_int_equal(read_at(1, 0xff, 8, NULL), NONE);
	assert_int_equal(read_at(1, 0x9b, 8, NULL), NONE);
	assert_int_equal(read_at(1, 0x05, 8, NULL), NONE);
	assert_int_equal(read_at(1, 0x0f, 8, NULL), NONE);
	assert_int_equal(read_at(1, 0x6b, 8, NULL), NONE);
	assert_int_equal(read_at(21, 0x1b, 8, NULL), NONE);
	assert_int_equal(read_at(24, 0x09, 8, NULL), NONE);
	assert_int_equal(read_at(17, 0x50, 8, NULL), NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats),
	    cmocka_unit_test(bases),
	    cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
