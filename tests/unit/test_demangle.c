/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/demangle: readable names, and the bounds of the work on them. */
#include "symbolizer/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void becomes(const char *name, const char *want)
{
	char out[DEMANGLE_OUT_MAX];

	demangle(name, out);
	assert_string_equal(out, want);
}

static void schemes(void **state)
{
	becomes("_ZN2ns1S4leafEi", "ns::S::leaf(int)");
	becomes("_ZN2ns6middleINS_1SEEEiRT_i", "int ns::middle<ns::S>(ns::S&, int)");
	becomes("__ZN2ns1S4leafEi", "ns::S::leaf(int)");
	becomes("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write");
	becomes("_RNvC6_123foo3bar", "123foo::bar");
	becomes("_D4test3fooAa", "test.foo");
}

static void other_names_stay(void **state)
{
	becomes("main", "main");
	becomes("_Znotreally", "_Znotreally");
	becomes("_start", "_start");
	becomes("", "");
	becomes("_", "_");
	becomes("__libc_read", "__libc_read");
}

static void marks_of_copies_are_left_off(void **state)
{
	becomes("_Z3fooi.constprop.0.isra.1.cold", "foo(int)");
	becomes("_Z3fooi.llvm.123456789", "foo(int)");
	becomes("sort.isra.0", "sort");
	becomes("main.cold", "main");
	becomes("nested.0", "nested.0");
	becomes(".cold", ".cold");
	assert_int_equal(linkage_name_length("_Z3fooi.llvm.123", 16), 7);
	assert_int_equal(linkage_name_length("_Z3fooi.cold", 12), 12);
	assert_int_equal(linkage_name_length("x.llvm.", 7), 7);
}

/* f(a, b<a, a>, b<b<a, a>, b<a, a> > …): each of N arguments is twice as long as the one before. */
static void write_doubling_name(char *name, size_t size, int n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t at = (size_t)snprintf(name, size, "_Z1f1a");

	for (int i = 0; i < n; i++) {
		int number = 2 * i - 1; /* of the argument before, among what can be referred to */
		char ref[8] = "S_";

		if (number >= 36)
			snprintf(ref, sizeof(ref), "S%c%c_", digits[number / 36],
				 digits[number % 36]);
		else if (number >= 0)
			snprintf(ref, sizeof(ref), "S%c_", digits[number]);
		at += (size_t)snprintf(name + at, size - at, "1bI%s%sE", ref, ref);
	}
}

static void doubling_names_stop_at_the_bound(void **state)
{
	char name[DEMANGLE_IN_MAX], out[DEMANGLE_OUT_MAX];

	for (int n = 1; n < 60; n++) {
		write_doubling_name(name, sizeof(name), n);
		if (demangle(name, out))
			assert_true(n < 10);
		else
			assert_string_equal(out, name);
		assert_true(n > 5 || strlen(out) >= (1u << n));
	}
}

static void long_names_stay_as_they_are(void **state)
{
	char out[DEMANGLE_OUT_MAX], name[8000] = "_Z";

	memset(name + 2, 'x', sizeof(name) - 3);
	name[sizeof(name) - 1] = '\0';
	assert_false(demangle(name, out));
	assert_int_equal(strlen(out), DEMANGLE_OUT_MAX - 1);
	assert_memory_equal(out, name, DEMANGLE_OUT_MAX - 1);
}

static void knows_mangled_names(void **state)
{
	assert_true(name_is_mangled("_Z3foov"));
	assert_true(name_is_mangled("___Z3foov"));
	assert_true(name_is_mangled("_RNvC1a1b"));
	assert_true(name_is_mangled("_D4test3fooAa"));
	assert_false(name_is_mangled("____Z3foov"));
	assert_false(name_is_mangled("Z3foov"));
	assert_false(name_is_mangled("_DYNAMIC"));
	assert_false(name_is_mangled(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(schemes),
	    cmocka_unit_test(other_names_stay),
	    cmocka_unit_test(marks_of_copies_are_left_off),
	    cmocka_unit_test(doubling_names_stop_at_the_bound),
	    cmocka_unit_test(long_names_stay_as_they_are),
	    cmocka_unit_test(knows_mangled_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
