/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/perf_error: one line that says why there is no sampling, and what would help. */
#include "daemon/collector/perf_error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

static void says_step_reason_and_remedy(void **state)
{
	static const struct {
		int error;
		bool cycles;
		const char *remedy;
	} cases[] = {
	    {-EPERM, false, "CAP_"},
	    {-EACCES, false, "CAP_"},
	    {-ENOENT, true, "--event cpu-clock"},
	    {-EOPNOTSUPP, true, "--event cpu-clock"},
	    {-ENODEV, true, "--event cpu-clock"},
	    {-ENOENT, false, "/sys/kernel/btf/vmlinux"},
	    {-EINVAL, false, "kernel.perf_event_max_sample_rate"},
	    {-EINVAL, true, "kernel.perf_event_max_sample_rate"},
	    {-ENOSYS, false, "without perf events or BPF"},
	    {-ENOMEM, false, "memory limit"},
	    {-EMFILE, false, "ulimit -n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[512];

		perf_error_explain(line, sizeof(line), "opening the event", cases[i].error,
				   cases[i].cycles);
		assert_int_equal(strncmp(line, "opening the event: ", 19), 0);
		assert_non_null(strstr(line, strerror(-cases[i].error)));
		if (!strstr(line, cases[i].remedy))
			fail_msg("\"%s\" does not say %s", line, cases[i].remedy);
		assert_null(strchr(line, '\n'));
	}
}

/* Nothing is invented where there is no remedy. */
static void only_the_reason(void **state)
{
	char line[128];

	perf_error_explain(line, sizeof(line), "step", -EIO, true);
	assert_string_equal(line, "step: Input/output error");
}

static void is_cut_where_there_is_no_room(void **state)
{
	char line[32];

	for (size_t size = 1; size <= sizeof(line); size++) {
		memset(line, 'x', sizeof(line));
		perf_error_explain(line, size, "opening the event", -EPERM, false);
		assert_int_equal(strlen(line), size - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_step_reason_and_remedy),
	    cmocka_unit_test(only_the_reason),
	    cmocka_unit_test(is_cut_where_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
