/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/config: the configuration file, and what it says about mistakes. */
#include "daemon/collector/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

static int parse(struct config *c, const char *text, char err[CONFIG_ERROR_SIZE])
{
	err[0] = '\0';
	return config__parse(c, "x.conf", text, strlen(text), err, CONFIG_ERROR_SIZE);
}

static struct config good(const char *text)
{
	char err[CONFIG_ERROR_SIZE];
	struct config c;
	int r = parse(&c, text, err);

	assert_string_equal(err, "");
	assert_int_equal(r, 0);
	return c;
}

static void bad(const char *text, const char *want)
{
	struct config c = {.frequency_hz = 4711};
	char err[CONFIG_ERROR_SIZE];

	assert_int_equal(parse(&c, text, err), -EINVAL);
	assert_string_equal(err, want);
	assert_int_equal(c.frequency_hz, 4711); /* untouched */
}

static void says_nothing(void **state)
{
	struct config c = good("");

	assert_int_equal(c.frequency_hz, 19);
	assert_int_equal(c.event, SAMPLER_EVENT_CPU_CLOCK);
	assert_true(c.kernel);
	assert_string_equal(c.directory, "/var/lib/cprofd/profiles");
	assert_int_equal(c.window_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(c.min_samples, 5);
}

static void says_everything(void **state)
{
	struct config c = good("# a comment\n"
			       "[sampling]\n"
			       "frequency = 99        ; Hz\n"
			       "event=cycles\r\n"
			       "kernel\t=\tno\n"
			       "\n"
			       "[output]\n"
			       "\tdirectory = /srv/profiles with space\n"
			       "    window = 10m\n"
			       "min_samples = 0");

	assert_int_equal(c.frequency_hz, 99);
	assert_int_equal(c.event, SAMPLER_EVENT_CYCLES);
	assert_false(c.kernel);
	assert_string_equal(c.directory, "/srv/profiles with space");
	assert_int_equal(c.window_ns, 600 * NSEC_PER_SEC);
	assert_int_equal(c.min_samples, 0);
}

static void takes_the_edges_of_each_range(void **state)
{
	assert_int_equal(good("[sampling]\nfrequency = 1\n").frequency_hz, 1);
	assert_int_equal(good("[sampling]\nfrequency = 10000\n").frequency_hz, 10000);
	assert_int_equal(good("[output]\nwindow = 1s\n").window_ns, NSEC_PER_SEC);
	assert_int_equal(good("[output]\nwindow = 24h\n").window_ns, 86400 * NSEC_PER_SEC);
	assert_int_equal(good("[output]\nmin_samples = 1000000\n").min_samples, 1000000);
	assert_int_equal(good("\xef\xbb\xbf[sampling]\nfrequency = 7\n").frequency_hz, 7);
}

static void names_the_bad_value_and_the_remedy(void **state)
{
	static const char *const frequencies[] = {"0", "10001", "-1", "99.5", "fast", ""};

	for (size_t i = 0; i < ARRAY_SIZE(frequencies); i++) {
		char text[64], want[160];

		snprintf(text, sizeof(text), "[sampling]\nfrequency = %s\n", frequencies[i]);
		snprintf(want, sizeof(want),
			 "x.conf:2: frequency = \"%s\": allowed is a whole number of Hz from 1 to "
			 "10000",
			 frequencies[i]);
		bad(text, want);
	}
	bad("[sampling]\nevent = instructions\n",
	    "x.conf:2: event = \"instructions\": allowed is cpu-clock or cycles");
	bad("[sampling]\nkernel = true\n", "x.conf:2: kernel = \"true\": allowed is yes or no");
	bad("[output]\ndirectory = profiles\n",
	    "x.conf:2: directory = \"profiles\": allowed is an absolute path");
	bad("[output]\nwindow = 500ms\n",
	    "x.conf:2: window = \"500ms\": allowed is a duration from "
	    "1s to 24h, such as 60s or 10m");
	bad("[output]\nwindow = 25h\n", "x.conf:2: window = \"25h\": allowed is a duration from 1s "
					"to 24h, such as 60s or 10m");
	bad("[output]\nmin_samples = 1000001\n",
	    "x.conf:2: min_samples = \"1000001\": allowed is a whole number from 0 to 1000000");
	/* Only ';' begins a comment behind a value. */
	bad("[sampling]\nkernel = no # really\n",
	    "x.conf:2: kernel = \"no # really\": allowed is yes or no");
}

static void knows_what_it_does_not_know(void **state)
{
	bad("[sampling]\nfrequncy = 19\n",
	    "x.conf:2: unknown key \"frequncy\" in [sampling]; known are frequency, event, kernel");
	bad("[sampling]\nwindow = 60s\n",
	    "x.conf:2: unknown key \"window\" in [sampling]; known are frequency, event, kernel");
	bad("\n[samplng]\nfrequency = 19\n",
	    "x.conf:2: unknown section [samplng]; known are [sampling], [output]");
	bad("[empty]\n", "x.conf:1: unknown section [empty]; known are [sampling], [output]");
	bad("frequency = 19\n", "x.conf:1: \"frequency\" stands before any section; begin with one "
				"of [sampling], [output]");
}

static void refuses_a_key_given_twice(void **state)
{
	bad("[sampling]\nfrequency = 19\n[output]\n[sampling]\nfrequency = 19\n",
	    "x.conf:5: frequency is given twice; keep one of the lines");
}

static void refuses_lines_of_no_form(void **state)
{
	bad("[sampling]\nfrequency 19\n", "x.conf:2: expected \"[section]\" or \"key = value\"");
	bad("[sampling\n", "x.conf:1: expected \"[section]\" or \"key = value\"");
}

static void the_first_error_is_the_one_said(void **state)
{
	bad("[sampling]\nfrequency 19\nevent = none\n",
	    "x.conf:2: expected \"[section]\" or \"key = value\"");
	bad("[sampling]\nevent = none\nfrequency 19\n",
	    "x.conf:2: event = \"none\": allowed is cpu-clock or cycles");
}

static void long_lines_are_refused_not_cut(void **state)
{
	char text[CONFIG_LINE_MAX + 64], want[128], err[CONFIG_ERROR_SIZE];
	size_t n = (size_t)sprintf(text, "[output]\ndirectory = /");
	struct config c;

	memset(text + n, 'd', sizeof(text) - n);
	text[9 + CONFIG_LINE_MAX] = '\0';
	assert_int_equal(parse(&c, text, err), 0);
	assert_int_equal(strlen(c.directory), CONFIG_LINE_MAX - strlen("directory = "));
	text[9 + CONFIG_LINE_MAX] = 'd';
	text[9 + CONFIG_LINE_MAX + 1] = '\0';
	snprintf(want, sizeof(want), "x.conf:2: the line is longer than %d bytes; shorten it",
		 CONFIG_LINE_MAX);
	bad(text, want);
}

static void foreign_bytes_do_not_reach_the_terminal(void **state)
{
	static const char nul[] = "[sampling]\nkernel = no\0\n";
	char err[CONFIG_ERROR_SIZE];
	struct config c;

	bad("[sampling]\nkernel = \x1b[31m\xff\n",
	    "x.conf:2: kernel = \"\\x1b[31m\\xff\": allowed is yes or no");
	bad("\r\v [sam\x07pling]\nfrequency = 20\n",
	    "x.conf:1: unknown section [sam\\x07pling]; known are [sampling], [output]");
	assert_int_equal(config__parse(&c, "x.conf", nul, sizeof(nul) - 1, err, sizeof(err)),
			 -EINVAL);
	assert_string_equal(err, "x.conf:2: the line holds a NUL byte; this is no text file");
}

static void reads_a_file(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX", err[CONFIG_ERROR_SIZE], want[128];
	cleanup_close int fd = mkstemp(path);
	struct config c;

	assert_int_equal(write_full(fd, "[sampling]\nfrequency = 49\n", 26), 26);
	assert_int_equal(config__load(&c, path, err, sizeof(err)), 0);
	assert_int_equal(c.frequency_hz, 49);
	assert_int_equal(write_full(fd, "x", 1), 1);
	assert_int_equal(config__load(&c, path, err, sizeof(err)), -EINVAL);
	snprintf(want, sizeof(want), "%s:3: expected \"[section]\" or \"key = value\"", path);
	assert_string_equal(err, want);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	assert_int_equal(config__load(&c, path, err, sizeof(err)), -EFBIG);
	unlink(path);
	assert_int_equal(config__load(&c, path, err, sizeof(err)), -ENOENT);
	snprintf(want, sizeof(want), "%s: cannot be read: No such file or directory", path);
	assert_string_equal(err, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_nothing),
	    cmocka_unit_test(says_everything),
	    cmocka_unit_test(takes_the_edges_of_each_range),
	    cmocka_unit_test(names_the_bad_value_and_the_remedy),
	    cmocka_unit_test(knows_what_it_does_not_know),
	    cmocka_unit_test(refuses_a_key_given_twice),
	    cmocka_unit_test(refuses_lines_of_no_form),
	    cmocka_unit_test(the_first_error_is_the_one_said),
	    cmocka_unit_test(long_lines_are_refused_not_cut),
	    cmocka_unit_test(foreign_bytes_do_not_reach_the_terminal),
	    cmocka_unit_test(reads_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
