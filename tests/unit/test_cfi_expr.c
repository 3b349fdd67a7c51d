/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cfi_expr: the forms that are understood, however spelled; all else is refused. */
#include "symbolizer/cfi_expr.h"

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PC 16

static const struct cfi_value cfa = {.kind = CFI_VALUE_REG, .reg = CFI_REG_CFA};

static struct cfi_value value_of(const uint8_t *bytes, size_t n, const struct cfi_value *initial)
{
	struct cursor c;

	cursor__init(&c, bytes, n);
	return cfi_expr_value(c, initial, PC);
}

#define VALUE(initial, ...)                                                                        \
	value_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), initial)

static void assert_value(struct cfi_value v, unsigned kind, unsigned reg, unsigned index,
			 int64_t off, int64_t off2)
{
	assert_int_equal(v.kind, kind);
	assert_int_equal(v.reg, reg);
	assert_int_equal(v.index, index);
	assert_int_equal(v.off, off);
	assert_int_equal(v.off2, off2);
}

static void registers(void **state)
{
	assert_value(VALUE(NULL, DW_OP_breg7, 8), CFI_VALUE_REG, 7, 0, 8, 0);
	assert_value(VALUE(NULL, DW_OP_breg6, 0x78), CFI_VALUE_REG, 6, 0, -8, 0);
	assert_value(VALUE(NULL, DW_OP_bregx, 12, 8), CFI_VALUE_REG, 12, 0, 8, 0);
	assert_value(VALUE(NULL, DW_OP_breg7, 8, DW_OP_lit4, DW_OP_minus), CFI_VALUE_REG, 7, 0, 4,
		     0);
	assert_value(VALUE(NULL, DW_OP_lit4, DW_OP_breg7, 8, DW_OP_plus), CFI_VALUE_REG, 7, 0, 12,
		     0);
	assert_value(VALUE(&cfa, DW_OP_lit16, DW_OP_minus), CFI_VALUE_REG, CFI_REG_CFA, 0, -16, 0);
	assert_value(VALUE(&cfa, DW_OP_drop, DW_OP_breg7, 8), CFI_VALUE_REG, 7, 0, 8, 0);
	assert_int_equal(VALUE(NULL, DW_OP_bregx, 32, 8).kind, CFI_VALUE_OTHER);
}

static void constants(void **state)
{
#define CONST(want, ...) assert_value(VALUE(NULL, __VA_ARGS__), CFI_VALUE_CONST, 0, 0, want, 0)
	CONST(31, DW_OP_lit31);
	CONST(255, DW_OP_const1u, 0xff);
	CONST(-1, DW_OP_const1s, 0xff);
	CONST(0xfffe, DW_OP_const2u, 0xfe, 0xff);
	CONST(-2, DW_OP_const2s, 0xfe, 0xff);
	CONST(0xfffffffe, DW_OP_const4u, 0xfe, 0xff, 0xff, 0xff);
	CONST(-2, DW_OP_const4s, 0xfe, 0xff, 0xff, 0xff);
	CONST(-2, DW_OP_const8u, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	CONST(-2, DW_OP_const8s, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	CONST(128, DW_OP_constu, 0x80, 0x01);
	CONST(-128, DW_OP_consts, 0x80, 0x7f);
	CONST(6, DW_OP_lit2, DW_OP_plus_uconst, 4);
#undef CONST
}

/* GCC's stack realignment and OpenSSL's assembler. */
static void reads_of_memory(void **state)
{
	assert_value(VALUE(NULL, DW_OP_breg6, 0x78, DW_OP_deref), CFI_VALUE_DEREF, 6, 0, -8, 0);
	assert_value(VALUE(NULL, DW_OP_breg7, 0x10, DW_OP_deref, DW_OP_plus_uconst, 8),
		     CFI_VALUE_DEREF, 7, 0, 16, 8);
	assert_value(VALUE(NULL, DW_OP_breg7, 8, DW_OP_breg9, 0, DW_OP_lit8, DW_OP_mul, DW_OP_plus,
			   DW_OP_deref, DW_OP_plus_uconst, 8),
		     CFI_VALUE_DEREF_INDEXED, 7, 9, 8, 8);
	/* The same with a shift, the other way round. */
	assert_value(VALUE(NULL, DW_OP_breg9, 1, DW_OP_lit3, DW_OP_shl, DW_OP_breg7, 0, DW_OP_plus,
			   DW_OP_deref, DW_OP_lit8, DW_OP_plus),
		     CFI_VALUE_DEREF_INDEXED, 7, 9, 8, 8);
	assert_int_equal(VALUE(NULL, DW_OP_breg6, 0, DW_OP_deref, DW_OP_deref).kind,
			 CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_breg9, 0, DW_OP_lit4, DW_OP_mul, DW_OP_breg7, 0,
			       DW_OP_plus, DW_OP_deref)
			     .kind,
			 CFI_VALUE_OTHER);
}

static void procedure_linkage_tables(void **state)
{
	static const uint8_t plt[] = {DW_OP_breg7, 8,	      DW_OP_breg16, 0,
				      DW_OP_lit15, DW_OP_and, DW_OP_lit11,  DW_OP_ge,
				      DW_OP_lit3,  DW_OP_shl, DW_OP_plus};
	struct cursor c;

	assert_value(value_of(plt, sizeof(plt), NULL), CFI_VALUE_PLT, 7, 0, 8, 11);
	/* Where register 16 is a register, this is nothing. */
	cursor__init(&c, plt, sizeof(plt));
	assert_int_equal(cfi_expr_value(c, NULL, CFI_REG_NONE).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit7, DW_OP_and,
			       DW_OP_lit3, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus)
			     .kind,
			 CFI_VALUE_OTHER);
}

static void moves_values_about(void **state)
{
	assert_value(VALUE(NULL, DW_OP_breg3, 0, DW_OP_lit1, DW_OP_swap), CFI_VALUE_REG, 3, 0, 0,
		     0);
	assert_value(VALUE(NULL, DW_OP_breg3, 0, DW_OP_lit1, DW_OP_over), CFI_VALUE_REG, 3, 0, 0,
		     0);
	assert_value(VALUE(NULL, DW_OP_breg3, 0, DW_OP_lit1, DW_OP_lit2, DW_OP_pick, 2),
		     CFI_VALUE_REG, 3, 0, 0, 0);
	assert_value(VALUE(NULL, DW_OP_lit1, DW_OP_dup, DW_OP_plus, DW_OP_nop), CFI_VALUE_CONST, 0,
		     0, 2, 0);
}

static void refuses_what_it_does_not_know(void **state)
{
	uint8_t deep[40] = {0};

	assert_int_equal(value_of(deep, 0, NULL).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_plus).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_lit1, DW_OP_plus, DW_OP_lit1).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_breg7).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_breg7, 0x80).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_lit0, DW_OP_pick, 200).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_lit1, DW_OP_bra, 0, 0).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, DW_OP_skip, 0xfd, 0xff).kind, CFI_VALUE_OTHER);
	assert_int_equal(VALUE(NULL, 0xff).kind, CFI_VALUE_OTHER);
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = DW_OP_lit0;
	assert_int_equal(value_of(deep, sizeof(deep), NULL).kind, CFI_VALUE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(registers),	  cmocka_unit_test(constants),
	    cmocka_unit_test(reads_of_memory),	  cmocka_unit_test(procedure_linkage_tables),
	    cmocka_unit_test(moves_values_about), cmocka_unit_test(refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
