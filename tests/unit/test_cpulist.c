/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/cpulist: the kernel's lists of CPUs. */
#include "daemon/collector/cpulist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void gives(const char *text, size_t n_want, const unsigned *want)
{
	unsigned *cpus = NULL;
	size_t n = 0;

	assert_int_equal(cpulist_parse(text, &cpus, &n), 0);
	assert_int_equal(n, n_want);
	assert_memory_equal(cpus, want, n * sizeof(*cpus));
	free(cpus);
}

#define LIST(...)                                                                                  \
	sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), (const unsigned[])             \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void lists(void **state)
{
	gives("0\n", LIST(0));
	gives("0", LIST(0));
	gives("0-3\n", LIST(0, 1, 2, 3));
	gives("0-1,8\n", LIST(0, 1, 8));
	gives("2,4-5,8191\n", LIST(2, 4, 5, 8191));
	gives("7-7\n", LIST(7));
}

static void what_is_no_list(void **state)
{
	static const char *const texts[] = {
	    "",	    "\n",  "x",	     "0-",  "-1", "3-1",  "0;1",
	    "8192", "0x3", "0-8192", "1 2", ",1", "0--3", "99999999999999999999"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unsigned *cpus = (unsigned *)state;
		size_t n = 77;

		if (cpulist_parse(texts[i], &cpus, &n) != -EINVAL)
			fail_msg("\"%s\" was accepted", texts[i]);
		assert_ptr_equal(cpus, state); /* untouched */
		assert_int_equal(n, 77);
	}
}

static void this_host(void **state)
{
	unsigned *cpus = NULL;
	size_t n = 0;

	assert_int_equal(cpulist_online(&cpus, &n), 0);
	assert_int_equal(n, sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 1; i < n; i++)
		assert_true(cpus[i - 1] < cpus[i]);
	free(cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),
	    cmocka_unit_test(what_is_no_list),
	    cmocka_unit_test(this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
