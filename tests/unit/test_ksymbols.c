/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/ksymbols: the last that was told of an address, as far as there is room. */
#include "daemon/collector/ksymbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void is_at(struct ksymbols *ks, uint64_t addr, const char *name)
{
	struct ksymbol s;

	assert_int_equal(ksymbols__find(ks, addr, &s), name != NULL);
	if (name) {
		assert_string_equal(s.name, name);
		assert_true(s.start <= addr && addr < s.end);
	}
}

static void the_last_one_counts(void **state)
{
	struct ksymbols *ks;

	assert_int_equal(ksymbols__new(&ks), 0);
	is_at(ks, 0x1000, NULL);
	ksymbols__add(ks, 0x1000, 0x100, "first");
	ksymbols__add(ks, 0x1100, 0x100, "neighbour");
	is_at(ks, 0xfff, NULL);
	is_at(ks, 0x10ff, "first");
	is_at(ks, 0x1100, "neighbour");
	ksymbols__add(ks, 0x1080, 0x20, "second"); /* so the first is gone, all of it */
	is_at(ks, 0x1000, NULL);
	is_at(ks, 0x1080, "second");
	is_at(ks, 0x11ff, "neighbour");
	ksymbols__add(ks, UINT64_MAX - 1, 0x100, "top");
	is_at(ks, UINT64_MAX - 1, "top");
	ksymbols__free(ks);
	assert_null(ksymbols__free(NULL));
}

static void the_oldest_goes(void **state)
{
	struct ksymbols *ks;
	char name[32];

	assert_int_equal(ksymbols__new(&ks), 0);
	for (unsigned i = 0; i < KSYMBOLS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "number_%u", i);
		assert_int_equal(ksymbols__add(ks, 0x10000 + i * 0x100, 0x100, name), 0);
	}
	is_at(ks, 0x10000 + 9 * 0x100, NULL);
	is_at(ks, 0x10000 + 10 * 0x100, "number_10");
	is_at(ks, 0x10000 + (KSYMBOLS_MAX + 9) * 0x100, name);
	ksymbols__free(ks);
}

static void long_names_are_cut(void **state)
{
	char name[2 * KSYMBOL_NAME_MAX];
	struct ksymbols *ks;
	struct ksymbol s;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ksymbols__new(&ks), 0);
	assert_int_equal(ksymbols__add(ks, 1, 1, name), 0);
	assert_true(ksymbols__find(ks, 1, &s));
	assert_int_equal(strlen(s.name), KSYMBOL_NAME_MAX - 1);
	ksymbols__free(ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_one_counts),
	    cmocka_unit_test(the_oldest_goes),
	    cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
