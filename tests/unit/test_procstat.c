/* SPDX-License-Identifier: Apache-2.0 */
/* base/procstat: who a process is. */
#include "base/procstat.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* What follows the name: fields 3 to 24. */
#define REST " S 41 1 1 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 1 0 12345 1000 200\n"

static void parses(const char *name, const char *want)
{
	struct procstat st;
	char text[256];

	snprintf(text, sizeof(text), "42 (%s)" REST, name);
	assert_int_equal(procstat_parse(text, &st), 0);
	assert_int_equal(st.tgid, 42);
	assert_int_equal(st.parent_tgid, 41);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.start_ns, 12345 * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK)));
	assert_string_equal(st.comm, want);
}

/* A process chooses its name, and may choose one that looks like what follows it. */
static void names_may_hold_anything(void **state)
{
	parses("bash", "bash");
	parses("", "");
	parses("two words", "two words");
	parses("a) R 1 (b", "a) R 1 (b");
	parses(")", ")");
	parses("(", "(");
	parses("))((", "))((");
	parses("new\nline", "new\nline");
	parses("fifteen_letters", "fifteen_letters");
	parses("kworker/u8:3-events_unbound", "kworker/u8:3-ev"); /* kernel threads: cut */
}

static void what_is_no_stat(void **state)
{
	static const char *const texts[] = {
	    "",
	    "42",
	    "42 (x",
	    "42 x)",
	    ")42(" REST,
	    "x (y)" REST,
	    "42 (x)",
	    "42 (x) S 41",
	    "42 (x) S 41 1 1 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 1 0\n",
	    "42 (x) S y 1 1 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 1 0 12345 1000\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct procstat st = {.tgid = 77};

		if (procstat_parse(texts[i], &st) != -EINVAL)
			fail_msg("\"%s\" was accepted", texts[i]);
		assert_int_equal(st.tgid, 77);
	}
}

static void reads_itself(void **state)
{
	struct procstat st;
	struct timespec now;

	prctl(PR_SET_NAME, ") Z 1 (", 0, 0, 0);
	assert_int_equal(procstat_read((uint32_t)getpid(), &st), 0);
	assert_int_equal(st.tgid, getpid());
	assert_int_equal(st.parent_tgid, getppid());
	assert_int_equal(st.state, 'R');
	assert_string_equal(st.comm, ") Z 1 (");
	clock_gettime(CLOCK_BOOTTIME, &now);
	assert_in_range(st.start_ns, 1, (uint64_t)(now.tv_sec + 1) * NSEC_PER_SEC);
}

static void sees_zombies_and_nobody(void **state)
{
	struct procstat st;
	siginfo_t si;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(procstat_read((uint32_t)child, &st), 0);
	assert_int_equal(st.state, 'Z');
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(procstat_read((uint32_t)child, &st), -ENOENT);
	assert_int_equal(procstat_read(UINT32_MAX, &st), -ENOENT);
}

/* The kernel cuts to clock ticks; anything a tick off is another process. */
static void start_times_within_a_tick(void **state)
{
	uint64_t coarse = 1000 * PROCSTAT_TICK_NS;

	assert_true(procstat_same_start(coarse, coarse));
	assert_true(procstat_same_start(coarse, coarse + PROCSTAT_TICK_NS - 1));
	assert_false(procstat_same_start(coarse, coarse + 2 * PROCSTAT_TICK_NS));
	assert_false(procstat_same_start(coarse, coarse - PROCSTAT_TICK_NS - 1));
	assert_true(procstat_same_start(0, 5)); /* init */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_may_hold_anything),
	    cmocka_unit_test(what_is_no_stat),
	    cmocka_unit_test(reads_itself),
	    cmocka_unit_test(sees_zombies_and_nobody),
	    cmocka_unit_test(start_times_within_a_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
