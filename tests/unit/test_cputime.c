/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/cputime: how long each CPU was idle or taken away. */
#include "daemon/collector/cputime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* One clock tick in nanoseconds. */
static uint64_t tick(void)
{
	return NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void by_cpu_number(void **state)
{
	static const char text[] = "cpu  30 0 30 300 30 0 0 3 0 0\n"
				   "cpu0 10 0 10 100 10 0 0 1 0 0\n"
				   "cpu2 20 0 20 200 20 0 0 2 0 0\n"
				   "intr 1 2 3\n"
				   "cpuset of another line\n";
	struct cputime times[4] = {{0}, {7, 8}, {0}, {9, 9}};

	assert_int_equal(cputime_parse(text, times, 4), 0);
	assert_int_equal(times[0].idle_ns, 110 * tick());
	assert_int_equal(times[0].steal_ns, tick());
	assert_int_equal(times[1].idle_ns, 7); /* off line: as it was */
	assert_int_equal(times[2].idle_ns, 220 * tick());
	assert_int_equal(times[2].steal_ns, 2 * tick());
	assert_int_equal(times[3].steal_ns, 9);
	times[2] = (struct cputime){0};
	assert_int_equal(cputime_parse(text, times, 2), 0);
	assert_int_equal(times[2].idle_ns, 0); /* passed over */
}

static void what_is_not_understood(void **state)
{
	static const char *const texts[] = {"cpu0 1 2 3\n", "cpux 1 2 3 4 5 6 7 8\n",
					    "cpu0 1 2 3 4 5 6 7 8"};
	struct cputime times[1];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(cputime_parse(texts[i], times, 1), -EINVAL);
	assert_int_equal(cputime_parse("", times, 1), 0);
}

static void only_grows(void **state)
{
	static struct cputime before[8192], after[8192];

	assert_int_equal(cputime_read(before, ARRAY_SIZE(before)), 0);
	usleep(30000);
	assert_int_equal(cputime_read(after, ARRAY_SIZE(after)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		assert_true(after[i].steal_ns >= before[i].steal_ns);
	assert_true(after[0].idle_ns > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_cpu_number),
	    cmocka_unit_test(what_is_not_understood),
	    cmocka_unit_test(only_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
