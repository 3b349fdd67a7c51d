/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cursor: numbers from bytes, none of them from outside. */
#include "symbolizer/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct cursor at(const void *bytes, size_t n)
{
	struct cursor c;

	cursor__init(&c, bytes, n);
	return c;
}

static void reads_fixed_widths(void **state)
{
	struct cursor c = at("\1\2\0\3\0\0\0\4\0\0\0\0\0\0\0", 15);

	assert_int_equal(cursor__u8(&c), 1);
	assert_int_equal(cursor__u16(&c), 2);
	assert_int_equal(cursor__u32(&c), 3);
	assert_int_equal(cursor__u64(&c), 4);
	assert_int_equal(cursor__left(&c), 0);
	assert_false(c.failed);
}

/* The examples of DWARF 5, tables 7.7 and 7.8, and the longest numbers. */
static void reads_leb128(void **state)
{
	struct cursor c = at("\x02\x7f\x80\x01\x81\x01\xb9\x64", 8);

	assert_int_equal(cursor__uleb(&c), 2);
	assert_int_equal(cursor__uleb(&c), 127);
	assert_int_equal(cursor__uleb(&c), 128);
	assert_int_equal(cursor__uleb(&c), 129);
	assert_int_equal(cursor__uleb(&c), 12857);
	c = at("\x02\x7e\xff\x00\x81\x7f\x80\x7f", 8);
	assert_int_equal(cursor__sleb(&c), 2);
	assert_int_equal(cursor__sleb(&c), -2);
	assert_int_equal(cursor__sleb(&c), 127);
	assert_int_equal(cursor__sleb(&c), -127);
	assert_int_equal(cursor__sleb(&c), -128);
	c = at("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	       "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f"
	       "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00",
	       33);
	assert_int_equal(cursor__uleb(&c), UINT64_MAX);
	assert_int_equal(cursor__sleb(&c), INT64_MIN);
	assert_int_equal(cursor__uleb(&c), UINT64_MAX);
	assert_false(c.failed);
}

static void stays_failed(void **state)
{
	struct cursor c = at("\1\2\3", 3);

	assert_int_equal(cursor__u32(&c), 0);
	assert_true(c.failed);
	assert_int_equal(cursor__u8(&c), 0);
	assert_int_equal(cursor__left(&c), 0);

	c = at("\x80\x80", 2);
	assert_int_equal(cursor__uleb(&c), 0);
	assert_true(c.failed);
	c = at("\xff", 1);
	assert_int_equal(cursor__sleb(&c), 0);
	assert_true(c.failed);
	c = at("\1", 1);
	cursor__skip(&c, UINT64_MAX);
	assert_true(c.failed);
}

/* On the heap, where the sanitizer sees a byte too far. */
static void takes_parts(void **state)
{
	char *bytes = malloc(5);
	struct cursor c, part;

	assert_non_null(bytes);
	memcpy(bytes, "\1\2\3\4\5", 5);
	c = at(bytes, 5);
	part = cursor__take(&c, 3);
	assert_int_equal(cursor__left(&part), 3);
	assert_int_equal(cursor__left(&c), 2);
	assert_int_equal(cursor__u8(&part), 1);
	assert_int_equal(cursor__u32(&part), 0);
	assert_true(part.failed);
	assert_int_equal(cursor__u8(&c), 4);
	part = cursor__take(&c, 2);
	assert_true(part.failed && c.failed);
	assert_int_equal(cursor__left(&part), 0);
	free(bytes);
}

static void takes_strings(void **state)
{
	char *bytes = malloc(5);
	struct cursor c;

	assert_non_null(bytes);
	memcpy(bytes, "ab\0cd", 5);
	c = at(bytes, 5);
	assert_string_equal(cursor__string(&c), "ab");
	assert_int_equal(cursor__left(&c), 2);
	assert_null(cursor__string(&c));
	assert_true(c.failed);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_fixed_widths), cmocka_unit_test(reads_leb128),
	    cmocka_unit_test(stays_failed),	  cmocka_unit_test(takes_parts),
	    cmocka_unit_test(takes_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
