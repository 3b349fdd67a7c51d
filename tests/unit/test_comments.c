/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/comments: what a profile says about itself. */
#include "daemon/collector/comments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/util.h"

/* The number after KEY= in LINE, or -1. */
static long long value(const char *line, const char *key)
{
	char word[64];
	const char *p;

	snprintf(word, sizeof(word), " %s=", key);
	p = strstr(line, word);
	return p ? atoll(p + strlen(word)) : -1;
}

static void the_account_of_the_ticks(void **state)
{
	struct sampler_ticks ticks = {.expected = 5940, .kept = 2931, .idle = 2999, .lost = {10}};
	char line[256];

	assert_ptr_equal(comments_ticks(line, sizeof(line), &ticks), line);
	assert_string_equal(
	    line, "expected=5940 kept=2931 idle=2999 filtered=0 lost=10 lost.ring_full=10");
	ticks = (struct sampler_ticks){0};
	assert_string_equal(comments_ticks(line, sizeof(line), &ticks),
			    "expected=0 kept=0 idle=0 filtered=0 lost=0");
}

/* expected = kept + idle + filtered + lost, and lost is the sum of its reasons: each has a name. */
static void the_account_adds_up(void **state)
{
	struct sampler_ticks ticks = {.kept = 1, .idle = 20, .filtered = 300, .missed = 4000};
	uint64_t sum = 1 + 20 + 300 + 4000, step = 50000;
	long long lost = 0;
	char line[512] = " ";

	for (unsigned i = 0; i < LOST_MAX; i++, step *= 10) {
		ticks.lost[i] = step;
		sum += step;
	}
	ticks.expected = sum;
	comments_ticks(line + 1, sizeof(line) - 1, &ticks);
	assert_int_equal(value(line, "expected"), sum);
	assert_int_equal(value(line, "kept") + value(line, "idle") + value(line, "filtered") +
			     value(line, "lost"),
			 sum);
	for (char *p = line; (p = strstr(p, " lost.")); p++)
		lost += atoll(strchr(p, '=') + 1);
	assert_int_equal(lost, value(line, "lost"));
	assert_null(strstr(line, "(null)"));
}

static void is_cut_where_there_is_no_room(void **state)
{
	struct sampler_ticks ticks = {.expected = UINT64_MAX, .kept = UINT64_MAX, .missed = 1};
	char line[64];

	for (size_t size = 1; size <= sizeof(line); size++) {
		memset(line, 'x', sizeof(line));
		comments_ticks(line, size, &ticks);
		assert_true(strlen(line) < size);
	}
}

static bool has(const struct comments *c, const char *text)
{
	for (size_t i = 0; i < c->n; i++)
		if (strstr(c->lines[i], text))
			return true;
	return false;
}

/* Host, frequency, account, share of whole stacks, sources of names: one text a line. */
static void lines_of_a_window(void **state)
{
	struct window w = {.n_samples = 200,
			   .ticks = {.expected = 300, .kept = 200, .idle = 100},
			   .unwinding = {.n_tables = 3,
					 .n_table_bytes = 5 << 10,
					 .n_built = 1,
					 .n_failed = 2,
					 .n_evicted = 4,
					 .n_refused = 6,
					 .cache_hits = 900,
					 .cache_misses = 7}};
	struct named_window named = {.n_frames_by_source = {[NAME_DWARF] = 3,
							    [NAME_SYMTAB] = 2,
							    [NAME_KALLSYMS] = 1,
							    [NAME_JIT] = 5,
							    [NAME_FDE] = 3,
							    [NAME_NONE] = 1},
				     .n_asked = 7,
				     .n_kept = 11};
	const uint64_t ends[STACK_END_MAX] = {
	    [STACK_END_ROOT] = 150, [STACK_END_DEPTH] = 40, [STACK_END_NO_INFO] = 10};
	struct comments c;
	struct utsname uts;

	uname(&uts);
	comments__init(&c, &w, &named, ends, 99, "cpu-clock");
	assert_true(has(&c, uts.nodename));
	assert_true(has(&c, uts.release));
	assert_true(has(&c, CPROFD_VERSION));
	assert_true(has(&c, "cpu-clock at 99 Hz"));
	assert_true(has(&c, "samples: expected=300 kept=200 idle=100 filtered=0 lost=0"));
	assert_true(has(&c, "rooted=150 of 200 samples (75.00%)"));
	assert_true(has(&c, "truncated: no_info=10 depth=40"));
	assert_true(has(&c, "unwinding: tables=3 (5 KiB) built=1 failed=2 evicted=4 refused=6 "
			    "cache_hits=900 cache_misses=7"));
	assert_true(has(
	    &c,
	    "names: go=0 dwarf=3 symtab=2 kallsyms=1 jit=5 fde=3 none=1 (distinct frames, 73.33% "
	    "with a name)"));
	assert_true(has(&c, "symbolizer: asked=7 kept=11 (addresses of files, new to this run)"));
	assert_false(has(&c, "kernel names"));
	assert_false(has(&c, "overflow"));
	assert_false(has(&c, "files:"));
	for (size_t i = 0; i < c.n; i++) {
		assert_ptr_equal(c.pointers[i], c.lines[i]);
		assert_null(strchr(c.lines[i], '\n'));
	}
}

/* Everything that can be missing at once, with the largest numbers: it all fits. */
static void the_worst_window(void **state)
{
	struct window w = {.n_samples = UINT64_MAX, .n_overflow = UINT64_MAX};
	struct named_window named = {.n_absent_objects = 3,
				     .n_bad_objects = 1,
				     .kernel_hidden = "someone hides them",
				     .trouble = "it hangs"};
	uint64_t ends[STACK_END_MAX];
	struct comments c;

	memset(ends, 0xff, sizeof(ends));
	ends[STACK_END_ROOT]--;
	memset(&w.ticks, 0xff, sizeof(w.ticks));
	memset(named.n_frames_by_source, 0xff, sizeof(named.n_frames_by_source));
	comments__init(&c, &w, &named, ends, 10000, "cycles");
	assert_true(c.n <= COMMENTS_MAX);
	assert_true(has(&c, "files not named in full: absent=3 unusable=1 late=0 cut=0"));
	assert_true(has(&c, "kernel names: none, someone hides them"));
	assert_true(has(&c, "symbolizer: it hangs"));
	assert_true(has(&c, "overflow: 18446744073709551615 samples"));
	for (size_t i = 0; i < c.n; i++)
		assert_true(strlen(c.lines[i]) < sizeof(c.lines[i]) - 1);
	assert_true(has(&c, "lost.missed=18446744073709551615"));
}

static void a_window_without_samples(void **state)
{
	struct window w = {0};
	struct named_window named = {0};
	const uint64_t ends[STACK_END_MAX] = {0};
	struct comments c;

	comments__init(&c, &w, &named, ends, 19, "cpu-clock");
	assert_false(has(&c, "truncated"));
	assert_true(has(&c, "rooted=0 of 0 samples (100.00%)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_account_of_the_ticks),
	    cmocka_unit_test(the_account_adds_up),
	    cmocka_unit_test(is_cut_where_there_is_no_room),
	    cmocka_unit_test(lines_of_a_window),
	    cmocka_unit_test(the_worst_window),
	    cmocka_unit_test(a_window_without_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
