/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/empty_dwarf: stands in for a dwz file, and there is nothing in it. */
#include "symbolizer/empty_dwarf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void holds_nothing(void **state)
{
	struct empty_dwarf *empty;
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	assert_int_equal(empty_dwarf__new(&empty), 0);
	assert_int_not_equal(
	    dwarf_get_units(empty_dwarf__dwarf(empty), cu, &cu, NULL, NULL, NULL, NULL), 0);
	assert_null(dwarf_offdie(empty_dwarf__dwarf(empty), 11, &die));
	empty_dwarf__free(empty);
	empty_dwarf__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
