/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/options: what can be said on the command line, right and wrong. */
#include "daemon/collector/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

#define WORDS_MAX 32

/* Parses LINE, whose words are separated by one blank; "''" is an empty word. What the options
 * borrow from it stays until the next call. */
static int parse(struct options *o, char *err, const char *line)
{
	static char text[512];
	static char *words[WORDS_MAX + 1];
	int n = 0;

	snprintf(text, sizeof(text), "cprofd %s", line);
	for (char *save = NULL, *w = strtok_r(text, " ", &save); w && n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = strcmp(w, "''") ? w : w + 2;
	words[n] = NULL;
	*err = '\0';
	return options_parse(o, n, words, err);
}

static struct options right(const char *line)
{
	char err[OPTIONS_ERROR_SIZE];
	struct options o;

	if (parse(&o, err, line) != 0)
		fail_msg("cprofd %s: %s", line, err);
	assert_string_equal(err, "");
	return o;
}

/* One line that names what is wrong, and nothing is returned. */
static void wrong(const char *line, const char *word)
{
	struct options o = {.n_pids = 99};
	char err[OPTIONS_ERROR_SIZE];

	if (parse(&o, err, line) != -EINVAL)
		fail_msg("cprofd %s: was accepted", line);
	if (!strstr(err, word))
		fail_msg("cprofd %s: \"%s\" does not name %s", line, err, word);
	assert_null(strchr(err, '\n'));
	assert_int_equal(o.n_pids, 99);
}

static void nothing_is_the_daemon(void **state)
{
	struct options o = right("");

	assert_int_equal(o.mode, MODE_DAEMON);
	assert_null(o.config);
	assert_int_equal(o.frequency_hz, 0);
	assert_int_equal(o.duration_ns, 0);
	assert_true(o.kernel_stacks);
	assert_false(o.quiet || o.json || o.event_given);
	assert_int_equal(o.format, STORE_PPROF);
	assert_null(o.output);
	o = right("--config /etc/x.conf --quiet");
	assert_int_equal(o.mode, MODE_DAEMON);
	assert_string_equal(o.config, "/etc/x.conf");
	assert_true(o.quiet);
}

static void processes(void **state)
{
	struct options o = right("--pid 42 --seconds 30 -o out.pb.gz");

	assert_int_equal(o.mode, MODE_PIDS);
	assert_int_equal(o.n_pids, 1);
	assert_int_equal(o.pids[0], 42);
	assert_int_equal(o.duration_ns, 30 * NSEC_PER_SEC);
	assert_string_equal(o.output, "out.pb.gz");
	o = right("-p 7 -p 4194304 --pid=7 -s 1.5");
	assert_int_equal(o.n_pids, 2); /* each once */
	assert_int_equal(o.pids[1], 4194304);
	assert_int_equal(o.duration_ns, 1500 * NSEC_PER_MSEC);
	o = right("--pid 1 -o -");
	assert_string_equal(o.output, "-");
}

static void the_whole_host(void **state)
{
	struct options o =
	    right("--all --seconds 10m -o dir/ -F 999 --event cycles --no-kernel -q");

	assert_int_equal(o.mode, MODE_ALL);
	assert_int_equal(o.duration_ns, 600 * NSEC_PER_SEC);
	assert_int_equal(o.frequency_hz, 999);
	assert_int_equal(o.event, SAMPLER_EVENT_CYCLES);
	assert_true(o.event_given && o.quiet && !o.kernel_stacks);
	o = right("-a --event cpu-clock --format folded");
	assert_int_equal(o.event, SAMPLER_EVENT_CPU_CLOCK);
	assert_int_equal(o.format, STORE_FOLDED);
	assert_int_equal(right("-a --format folded --format pprof").format, STORE_PPROF);
}

/* After -- everything is the command's. */
static void a_command(void **state)
{
	struct options o = right("-o profiles/ -- go build -o x --pid .");

	assert_int_equal(o.mode, MODE_COMMAND);
	assert_string_equal(o.command[0], "go");
	assert_string_equal(o.command[3], "x");
	assert_string_equal(o.command[4], "--pid");
	assert_null(o.command[6]);
	assert_int_equal(o.n_pids, 0);
	o = right("-- -- x");
	assert_string_equal(o.command[0], "--");
	o = right("-- check --json");
	assert_int_equal(o.mode, MODE_COMMAND);
	assert_false(o.json);
	wrong("-o - --format folded -- true", "-o -");
}

static void check(void **state)
{
	assert_int_equal(right("check").mode, MODE_CHECK);
	assert_false(right("check").json);
	assert_true(right("check --json").json);
	assert_true(right("--json check").json);
	assert_int_equal(right("check --json").mode, MODE_CHECK);
}

/* Whatever else there is, wrong or not, up to there. */
static void help_and_version(void **state)
{
	assert_int_equal(right("--help").mode, MODE_HELP);
	assert_int_equal(right("-h").mode, MODE_HELP);
	assert_int_equal(right("--version").mode, MODE_VERSION);
	assert_int_equal(right("-V").mode, MODE_VERSION);
	assert_int_equal(right("--all --pid 3 --help nonsense").mode, MODE_HELP);
	wrong("--pid x --help", "x");
	assert_non_null(strstr(options_help, "--pid N"));
	assert_non_null(strstr(options_help, "Exit status"));
}

static void wrong_processes(void **state)
{
	wrong("--pid abc", "abc");
	wrong("--pid 0", "0");
	wrong("--pid -5", "-5");
	wrong("--pid 1x", "1x");
	wrong("--pid 4194305", "4194305");
	wrong("--pid 99999999999999999999", "99999999999999999999");
	wrong("--pid ''", "--pid");
	wrong("--pid", "--pid");
	wrong("-p", "-p");
}

static void too_many_processes(void **state)
{
	static char words[TARGETS_MAX + 1][24];
	static char *argv[2 * TARGETS_MAX + 4];
	char err[OPTIONS_ERROR_SIZE];
	struct options o;
	int n = 0;

	argv[n++] = (char *)"cprofd";
	for (int i = 0; i <= TARGETS_MAX; i++) {
		snprintf(words[i], sizeof(words[i]), "--pid=%d", i + 1);
		argv[n++] = words[i];
	}
	assert_int_equal(options_parse(&o, n, argv, err), -EINVAL);
	assert_non_null(strstr(err, "--all"));
	assert_int_equal(options_parse(&o, n - 1, argv, err), 0);
	assert_int_equal(o.n_pids, TARGETS_MAX);
}

static void wrong_values(void **state)
{
	wrong("--all --seconds 0", "--seconds 0");
	wrong("--all --seconds 0.001", "0.001");
	wrong("--all --seconds -1", "-1");
	wrong("--all --seconds abc", "abc");
	wrong("--all --seconds 8d", "8d");
	wrong("--all --seconds 5x", "5x");
	wrong("--all --seconds", "--seconds");
	assert_int_equal(right("--all --seconds 7d").duration_ns, 604800 * NSEC_PER_SEC);
	assert_int_equal(right("--all --seconds 0.01").duration_ns, 10 * NSEC_PER_MSEC);
	wrong("--all --frequency 0", "--frequency 0");
	wrong("--all --frequency 10001", "10001");
	wrong("--all --frequency 99.5", "99.5");
	wrong("--all --frequency many", "many");
	assert_int_equal(right("--all --frequency 10000").frequency_hz, 10000);
	wrong("--all --format json", "json");
	wrong("--all --event cpu", "cpu");
	wrong("--all -o ''", "--output");
}

/* A mistyped option is named, wherever it stands. */
static void unknown_options(void **state)
{
	wrong("--nosuchoption", "--nosuchoption");
	wrong("--all --nosuchoption=3", "--nosuchoption");
	wrong("-x", "x");
	wrong("--all -xq", "-x");
	wrong("--all -qx", "x");
	wrong("--all=3", "--all");
	wrong("--f 3", "--f"); /* could be two */
	assert_int_equal(right("--all --freq 3").frequency_hz, 3);
	wrong("--config", "--config");
}

static void words_that_are_no_options(void **state)
{
	wrong("nosuchcommand", "nosuchcommand");
	wrong("--all true", "true");
	wrong("--pid 3 sleep 5", "sleep");
	wrong("check extra", "extra");
	wrong("check --json extra", "extra");
	wrong("--", "--");
	wrong("-o out --", "--");
	wrong("-o -- true", "true"); /* -- was taken as the file's name */
}

static void what_does_not_go_together(void **state)
{
	wrong("--all --pid 1", "--pid");
	wrong("--all -- true", "--all");
	wrong("--pid 1 -- true", "--pid");
	wrong("--all check", "check");
	wrong("--pid 1 check", "check");
	wrong("--json", "--json");
	wrong("--all --json", "--json");
	wrong("--seconds 3", "--seconds");
	wrong("-o x", "--output");
	wrong("--format folded", "--format");
	wrong("check --json -o x", "-o");
	wrong("-o x check", "--output");
	wrong("--frequency 99", "--frequency");
	wrong("--event cycles", "--event");
	wrong("--event cpu-clock", "--event");
	wrong("--no-kernel", "--no-kernel");
	wrong("--config x --all", "--config");
	wrong("--config x --pid 1", "--config");
	wrong("--config x -- true", "--config");
	wrong("--config x check", "--config");
	wrong("--seconds 3 -- true", "--seconds");
	wrong("--all -o -", "-o -");
	wrong("--pid 1 --pid 2 -o -", "-o -");
}

/* However long a value is: one line, cut, no more. */
static void long_values(void **state)
{
	char value[4096] = "";
	char *argv[] = {(char *)"cprofd", (char *)"--pid", value, NULL};
	char err[OPTIONS_ERROR_SIZE + 8];
	struct options o;

	memset(value, '7', sizeof(value) - 1);
	memset(err, 'x', sizeof(err));
	assert_int_equal(options_parse(&o, 3, argv, err), -EINVAL);
	assert_in_range(strlen(err), 1, OPTIONS_ERROR_SIZE - 1);
	assert_int_equal(err[OPTIONS_ERROR_SIZE], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_the_daemon),
	    cmocka_unit_test(processes),
	    cmocka_unit_test(the_whole_host),
	    cmocka_unit_test(a_command),
	    cmocka_unit_test(check),
	    cmocka_unit_test(help_and_version),
	    cmocka_unit_test(wrong_processes),
	    cmocka_unit_test(too_many_processes),
	    cmocka_unit_test(wrong_values),
	    cmocka_unit_test(unknown_options),
	    cmocka_unit_test(words_that_are_no_options),
	    cmocka_unit_test(what_does_not_go_together),
	    cmocka_unit_test(long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
