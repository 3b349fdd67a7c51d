/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/abbrevs: tables of abbreviations, whole, broken and odd. */
#include "symbolizer/abbrevs.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct encoding dwarf32 = {4, 8, 5};
static const struct encoding dwarf64 = {8, 8, 5};

/* clang-format off */
static const uint8_t bytes[] = {
	/* 0: codes 1 and 2 */
	1, DW_TAG_compile_unit, DW_CHILDREN_yes,
	DW_AT_name, DW_FORM_strp, DW_AT_low_pc, DW_FORM_addr, DW_AT_language, DW_FORM_udata,
	DW_AT_stmt_list, DW_FORM_sec_offset, 0, 0,
	2, DW_TAG_subprogram, DW_CHILDREN_no,
	DW_AT_sibling, DW_FORM_ref4, DW_AT_decl_line, DW_FORM_implicit_const, 0x7f, 0, 0,
	0,
	/* 24: out of order */
	9, DW_TAG_subprogram, DW_CHILDREN_no, 0, 0,
	3, DW_TAG_base_type, DW_CHILDREN_no, 0, 0,
	0,
	/* 35: ends in the middle */
	1, DW_TAG_subprogram, DW_CHILDREN_no, 0, 0,
	2, DW_TAG_subprogram, DW_CHILDREN_no, DW_AT_name,
};
/* clang-format on */

#define OUT_OF_ORDER 24
#define BROKEN 35

static struct abbrevs *made(const struct section *section)
{
	struct abbrevs *abbrevs;

	assert_int_equal(abbrevs__new(&abbrevs, section), 0);
	return abbrevs;
}

static const struct section section = {.bytes = (uint8_t *)bytes, .size = sizeof(bytes)};

static void a_table(void **state)
{
	struct abbrevs *abbrevs = made(&section);
	const struct abbrev_table *table;
	const struct abbrev *a;

	assert_int_equal(abbrevs__get(abbrevs, 0, &dwarf32, &table), 0);
	a = abbrev_table__find(table, 1);
	assert_int_equal(a->tag, DW_TAG_compile_unit);
	assert_true(a->has_children && a->has_code && !a->has_sibling);
	assert_int_equal(a->n_attrs, 4);
	/* Two of fixed size, one that is not, one again. */
	assert_int_equal(a->attrs[0].run, 2);
	assert_int_equal(a->attrs[0].run_bytes, 12);
	assert_int_equal(a->attrs[2].run, 0);
	assert_int_equal(a->attrs[3].run, 1);
	assert_int_equal(a->attrs[3].run_bytes, 4);
	a = abbrev_table__find(table, 2);
	assert_true(!a->has_children && !a->has_code && a->has_sibling);
	assert_int_equal(a->attrs[1].constant, -1);
	assert_null(abbrev_table__find(table, 0));
	assert_null(abbrev_table__find(table, 3));
	assert_int_equal(abbrevs__get(abbrevs, 0, &dwarf64, &table), 0);
	assert_int_equal(abbrev_table__find(table, 1)->attrs[0].run_bytes, 16);
	abbrevs__free(abbrevs);
	abbrevs__free(NULL);
}

static void one_alone(void **state)
{
	struct abbrevs *abbrevs = made(&section);
	const struct abbrev *a;

	assert_int_equal(abbrevs__get_one(abbrevs, 0, &dwarf32, 2, &a), 0);
	assert_int_equal(a->tag, DW_TAG_subprogram);
	assert_int_equal(a->n_attrs, 2);
	assert_int_equal(a->attrs[0].name, DW_AT_sibling);
	assert_int_equal(abbrevs__get_one(abbrevs, 0, &dwarf32, 3, &a), 0);
	assert_null(a);
	assert_int_equal(abbrevs__get_one(abbrevs, BROKEN, &dwarf32, 2, &a), 0);
	assert_null(a);
	assert_int_equal(abbrevs__get_one(abbrevs, UINT64_MAX, &dwarf32, 1, &a), 0);
	assert_null(a);
	abbrevs__free(abbrevs);
}

static void codes_in_any_order(void **state)
{
	struct abbrevs *abbrevs = made(&section);
	const struct abbrev_table *table;

	assert_int_equal(abbrevs__get(abbrevs, OUT_OF_ORDER, &dwarf32, &table), 0);
	assert_int_equal(abbrev_table__find(table, 9)->tag, DW_TAG_subprogram);
	assert_int_equal(abbrev_table__find(table, 3)->tag, DW_TAG_base_type);
	assert_null(abbrev_table__find(table, 4));
	abbrevs__free(abbrevs);
}

static void ends_where_it_breaks(void **state)
{
	struct abbrevs *abbrevs = made(&section);
	const struct abbrev_table *table;

	assert_int_equal(abbrevs__get(abbrevs, BROKEN, &dwarf32, &table), 0);
	assert_non_null(abbrev_table__find(table, 1));
	assert_null(abbrev_table__find(table, 2));
	assert_int_equal(abbrevs__get(abbrevs, sizeof(bytes), &dwarf32, &table), 0);
	assert_null(abbrev_table__find(table, 1));
	abbrevs__free(abbrevs);
}

/* However many others are asked for, the lasting one stays. */
static void one_lasts(void **state)
{
	struct abbrevs *abbrevs = made(&section);
	const struct abbrev_table *lasting, *other;

	assert_int_equal(abbrevs__get_lasting(abbrevs, 0, &dwarf32, &lasting), 0);
	for (uint64_t i = 1; i < 100; i++) {
		assert_int_equal(abbrevs__get(abbrevs, i % sizeof(bytes) + 1, &dwarf32, &other), 0);
		assert_ptr_not_equal(other, lasting);
	}
	assert_int_equal(abbrev_table__find(lasting, 1)->tag, DW_TAG_compile_unit);
	abbrevs__free(abbrevs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table),
	    cmocka_unit_test(one_alone),
	    cmocka_unit_test(codes_in_any_order),
	    cmocka_unit_test(ends_where_it_breaks),
	    cmocka_unit_test(one_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
