/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/summary: what a one-shot run says at its end. */
#include "daemon/collector/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

/* What is printed on stderr. */
static const char *printed(const struct report *r, bool folded, bool to_stdout)
{
	static char text[8192];
	cleanup_close int fd = memfd_create("stderr", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
	int64_t n;

	fflush(stderr);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	summary_print(r, folded, to_stdout);
	fflush(stderr);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = pread_full(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void says(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("\"%s\" does not say %s", text, word);
}

static struct report_file files[] = {
    {.path = "./a.1.cpu.pb.gz", .comm = "a", .tgid = 1, .n_samples = 50},
    {.path = "./b.many.cpu.pb.gz", .comm = "b\x1b[2J", .tgid = 0, .n_samples = 30},
    {.path = "./c.3.cpu.pb.gz", .comm = "c", .tgid = 3, .n_samples = 10},
    {.path = "./d.4.cpu.pb.gz", .comm = "d", .tgid = 4, .n_samples = 5},
    {.path = "./e.5.cpu.pb.gz", .comm = "e", .tgid = 5, .n_samples = 3},
    {.path = "./f.6.cpu.pb.gz", .comm = "f", .tgid = 6, .n_samples = 2},
};

static struct report report(size_t n_files)
{
	struct report r = {
	    .files = files,
	    .n_files = n_files,
	    .n_samples = 100,
	    .n_ends = {[STACK_END_ROOT] = 99},
	    .duration_ns = 2 * NSEC_PER_SEC,
	    .period_ns = 10 * NSEC_PER_MSEC,
	    .ticks = {.expected = 400, .kept = 100, .idle = 300},
	    .n_functions = 2,
	};

	strcpy(r.functions[0].name, "hottest");
	r.functions[0].n_samples = 75;
	strcpy(r.functions[1].name, "second");
	r.functions[1].n_samples = 25;
	return r;
}

static void of_one_file(void **state)
{
	struct report r = report(1);
	const char *text = printed(&r, false, false);

	says(text, "100 samples in 2.0 s, 1.00 CPU seconds");
	says(text, "expected=400 kept=100 idle=300 filtered=0 lost=0");
	says(text, "99.00%");
	says(text, " 75.00%  hottest\n");
	says(text, " 25.00%  second\n");
	says(text, "file: ./a.1.cpu.pb.gz\n");
	says(text, "go tool pprof -http=: ./a.1.cpu.pb.gz\n");
	assert_null(strstr(text, "hottest processes"));
}

/* The hottest by name, the others by number; nothing that a terminal would obey. */
static void of_many_files(void **state)
{
	struct report r = report(ARRAY_SIZE(files));
	const char *text = printed(&r, false, false);

	says(text, "hottest processes:\n");
	says(text, " 50.00%  a                     1  ./a.1.cpu.pb.gz\n");
	says(text, " 30.00%  b\\x1b[2J           many  ./b.many.cpu.pb.gz\n");
	says(text, "./e.5.cpu.pb.gz");
	says(text, "… and 1 more files");
	assert_null(strstr(text, "./f.6"));
	assert_null(strchr(text, 0x1b));
}

static void of_folded_stacks(void **state)
{
	struct report r = report(1);

	says(printed(&r, true, false), "file: ./a.1.cpu.pb.gz\n");
	assert_null(strstr(printed(&r, true, false), "go tool pprof"));
}

static void to_standard_output(void **state)
{
	struct report r = report(1);
	const char *text = printed(&r, false, true);

	says(text, "100 samples");
	assert_null(strstr(text, "a.1.cpu"));
}

static void of_nothing(void **state)
{
	struct report r = {.kernel_hidden = "someone hides them", .trouble = "it hangs"};
	const char *text = printed(&r, false, false);

	says(text, "0 samples in 0.0 s");
	says(text, "100.00%"); /* of no stacks, all are whole */
	says(text, "no names: someone hides them");
	says(text, "no names: the symbolizer: it hangs");
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "hottest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_one_file),	cmocka_unit_test(of_many_files),
	    cmocka_unit_test(of_folded_stacks), cmocka_unit_test(to_standard_output),
	    cmocka_unit_test(of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
