/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/kernel_modules: what is loaded, and whether that has changed. */
#include "daemon/collector/kernel_modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void is_next(const char **text, const char *name, uint64_t start, uint64_t end)
{
	struct kernel_module m;

	assert_true(kernel_modules_next(text, &m));
	assert_int_equal(m.n_name, strlen(name));
	assert_memory_equal(m.name, name, m.n_name);
	assert_int_equal(m.start, start);
	assert_int_equal(m.end, end);
}

static void lines(void **state)
{
	const char *text = "nf_tables 4096 2 nft_chain,nft_ct, Live 0xffffffffc0a00000 (OE)\n"
			   "\n"
			   "no module\n"
			   "x 1 2 - Live\n" /* the address is not the next line's name */
			   "0xffff 12 0 - Loading 0xffffffffc0b00000\n"
			   "top 99999 0 - Live 0xffffffffffffff00\n"
			   "hidden 16384 0 - Live 0x0000000000000000";
	struct kernel_module m;

	is_next(&text, "nf_tables", 0xffffffffc0a00000, 0xffffffffc0a01000);
	is_next(&text, "0xffff", 0xffffffffc0b00000, 0xffffffffc0b0000c);
	is_next(&text, "top", 0xffffffffffffff00, UINT64_MAX);
	is_next(&text, "hidden", 0, 16384);
	assert_false(kernel_modules_next(&text, &m));
	assert_false(kernel_modules_next(&text, &m));
}

static void changes(void **state)
{
	uint64_t id = kernel_modules_id("a 1 0 - Live 0xffffffffc0000000\n"
					"b 1 0 - Live 0xffffffffc0100000\n");

	/* In use now. */
	assert_int_equal(kernel_modules_id("a 1 1 b, Live 0xffffffffc0000000\n"
					   "b 1 7 - Live 0xffffffffc0100000\n"),
			 id);
	assert_int_not_equal(kernel_modules_id("a 1 0 - Live 0xffffffffc0000000\n"), id);
	assert_int_not_equal(kernel_modules_id("a 1 0 - Live 0xffffffffc0000000\n"
					       "b 1 0 - Live 0xffffffffc0200000\n"),
			     id);
	assert_int_not_equal(kernel_modules_id("a 1 0 - Live 0xffffffffc0000000\n"
					       "c 1 0 - Live 0xffffffffc0100000\n"),
			     id);
	assert_int_equal(kernel_modules_id(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
