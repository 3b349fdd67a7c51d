/* SPDX-License-Identifier: Apache-2.0 */
/* base/text: the escaper of foreign bytes, and the numbers that users type. */
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

static void escapes(const char *in, const char *want)
{
	char out[256];
	size_t n = text_escape(out, sizeof(out), in, strlen(in));

	assert_string_equal(out, want);
	assert_int_equal(n, strlen(want));
}

static void escape_leaves_text_alone(void **state)
{
	escapes("", "");
	escapes("std::map<int, char>::operator[]", "std::map<int, char>::operator[]");
	escapes("größe · 函数 · 🦀", "größe · 函数 · 🦀");
	escapes("a\\x41", "a\\x41");
}

static void escape_spells_out_controls(void **state)
{
	escapes("a\nb\tc\x1b[2J", "a\\x0ab\\x09c\\x1b[2J");
	escapes("del\x7f", "del\\x7f");
	escapes("c1\xc2\x9b", "c1\\xc2\\x9b"); /* U+009B, a terminal's CSI */
	escapes("nbsp\xc2\xa0", "nbsp\xc2\xa0");
}

/* What RFC 3629 forbids: stray and missing continuations, overlong forms, surrogates, >
 * U+10FFFF. */
static void escape_repairs_utf8(void **state)
{
	escapes("\x80", "\\x80");
	escapes("\xff\xfe", "\\xff\\xfe");
	escapes("\xc3", "\\xc3");
	escapes("\xe2\x82", "\\xe2\\x82");
	escapes("\xe2\x82z", "\\xe2\\x82z");
	escapes("\xc0\xaf", "\\xc0\\xaf");
	escapes("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	escapes("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	escapes("\xed\xa0\x80", "\\xed\\xa0\\x80");
	escapes("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	escapes("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	escapes("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
}

static void escape_cuts_at_a_characters_edge(void **state)
{
	char out[8];

	assert_int_equal(text_escape(out, 8, "abcdefghij", 10), 7);
	assert_string_equal(out, "abcdefg");
	assert_int_equal(text_escape(out, 8, "abcdeäöü", 11), 7);
	assert_string_equal(out, "abcdeä");
	assert_int_equal(text_escape(out, 8, "abcdefü", 8), 6);
	assert_string_equal(out, "abcdef");
	assert_int_equal(text_escape(out, 8, "\x01\x02", 2), 4);
	assert_string_equal(out, "\\x01");
	assert_int_equal(text_escape(out, 5, "\x01", 1), 4);
}

/* No byte after the length is looked at, not even by a character that begins before it. */
static void escape_obeys_length_and_nul(void **state)
{
	char out[32];

	assert_int_equal(text_escape(out, sizeof(out), "abc", 2), 2);
	assert_int_equal(text_escape(out, sizeof(out), "ab\0cd", 5), 2);
	assert_int_equal(text_escape(out, sizeof(out), "ä", 1), 4);
	assert_string_equal(out, "\\xc3");
}

static void parse_u64(void **state)
{
	uint64_t v = 77;

	assert_int_equal(text_parse_u64("0", 0, 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_int_equal(text_parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(text_parse_u64("11", 0, 10, &v), -ERANGE);
	assert_int_equal(text_parse_u64("0", 1, 10, &v), -ERANGE);
	for (const char *const *s = (const char *const[]){"", "abc", "-1", "+1", " 1", "1 ", "1x",
							  "0x10", "1.5", NULL};
	     *s; s++)
		assert_int_equal(text_parse_u64(*s, 0, 10, &v), -EINVAL);
	assert_int_equal(v, 77); /* untouched by failures */
}

static void parse_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
	    {"30", 30000000000},     {"60s", 60000000000},
	    {"1.5s", 1500000000},    {"500ms", 500000000},
	    {"10m", 600000000000},   {"24h", 86400000000000},
	    {"7d", 604800000000000}, {"0", 0},
	};
	uint64_t ns = 77;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(text_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	ns = 77;
	for (const char *const *s =
		 (const char *const[]){"", "s", "-1s", "1 s", "1y", "1.5.5s", "1e3s", "0x1s", ".5s",
				       "5S", "inf", "nan", "1sm", NULL};
	     *s; s++)
		assert_int_equal(text_parse_duration(*s, &ns), -EINVAL);
	assert_int_equal(text_parse_duration("999999999d", &ns), -ERANGE);
	assert_int_equal(ns, 77);
}

static void file_names_are_plain(void **state)
{
	char out[16];

	assert_int_equal(text_file_name(out, sizeof(out), "node-22_x"), 9);
	assert_string_equal(out, "node-22_x");
	text_file_name(out, sizeof(out), "../../etc/x");
	assert_string_equal(out, "______etc_x");
	text_file_name(out, sizeof(out), "a b\nc.d\xc3\xa4");
	assert_string_equal(out, "a_b_c_d__");
	assert_int_equal(text_file_name(out, sizeof(out), ""), 1);
	assert_string_equal(out, "_");
	assert_int_equal(text_file_name(out, 4, "abcdef"), 3);
	assert_string_equal(out, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escape_leaves_text_alone),
	    cmocka_unit_test(escape_spells_out_controls),
	    cmocka_unit_test(escape_repairs_utf8),
	    cmocka_unit_test(escape_cuts_at_a_characters_edge),
	    cmocka_unit_test(escape_obeys_length_and_nul),
	    cmocka_unit_test(parse_u64),
	    cmocka_unit_test(parse_duration),
	    cmocka_unit_test(file_names_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
