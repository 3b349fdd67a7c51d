/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/command: the program that `cprofd -- CMD` runs. */
#include "daemon/collector/command.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "base/util.h"
#include "tests/unit/scratch_dir.h"

static char *words(const char *s)
{
	return (char *)s;
}

static struct command prepare_sh(const char *script)
{
	char *argv[] = {words("sh"), words("-c"), words(script), NULL};
	struct command c = COMMAND_INIT;

	assert_int_equal(command__prepare(&c, argv), 0);
	assert_true(c.pid > 0);
	assert_false(c.ended);
	return c;
}

/* The exit status of a shell script. */
static int run(const char *script)
{
	struct command c = prepare_sh(script);

	assert_int_equal(command__release(&c), 0);
	command__wait(&c);
	assert_true(c.ended);
	command__fini(&c);
	return c.exit_status;
}

static void its_status_is_passed_on(void **state)
{
	assert_int_equal(run("exit 0"), 0);
	assert_int_equal(run("exit 1"), 1);
	assert_int_equal(run("exit 255"), 255);
	assert_int_equal(run("kill -TERM $$"), 128 + SIGTERM);
	assert_int_equal(run("kill -KILL $$"), 128 + SIGKILL);
}

/* Until it is let go it has done nothing, and its pid is known. */
static void waits_to_be_let_go(void **state)
{
	struct command c = prepare_sh("echo x > made");

	nanosleep(&(struct timespec){.tv_nsec = 50 * NSEC_PER_MSEC}, NULL);
	assert_int_equal(access("made", F_OK), -1);
	assert_int_equal(kill(c.pid, 0), 0);
	command__reap(&c); /* does not block */
	assert_false(c.ended);
	assert_int_equal(command__release(&c), 0);
	command__wait(&c);
	assert_int_equal(c.exit_status, 0);
	assert_int_equal(access("made", F_OK), 0);
	command__fini(&c);
}

/* It is found along PATH; what cannot be run is known at once, by its reason. */
static void what_cannot_be_run(void **state)
{
	static const struct {
		const char *name;
		int error;
	} cases[] = {
	    {"/nonexistent/program", -ENOENT},
	    {"no-such-program-in-path", -ENOENT},
	    {"/", -EACCES},
	    {"./text", -EACCES},
	};

	/* A directory of PATH that may not be searched would make it "permission denied". */
	setenv("PATH", "/usr/bin:/bin", 1);
	assert_int_equal(close(open("text", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = {words(cases[i].name), NULL};
		struct command c = COMMAND_INIT;

		assert_int_equal(command__prepare(&c, argv), 0);
		assert_int_equal(command__release(&c), cases[i].error);
		assert_true(c.ended);
		command__fini(&c);
	}
}

static void end_is_noted_without_blocking(void **state)
{
	struct command c = prepare_sh("exit 7");

	assert_int_equal(command__release(&c), 0);
	for (int i = 0; !c.ended && i < 1000; i++) {
		command__reap(&c);
		nanosleep(&(struct timespec){.tv_nsec = 5 * NSEC_PER_MSEC}, NULL);
	}
	assert_true(c.ended);
	assert_int_equal(c.exit_status, 7);
	command__reap(&c); /* once is enough */
	command__wait(&c);
	assert_int_equal(c.exit_status, 7);
	command__fini(&c);
}

/* As in a shell: no signal blocked or ignored by us. */
static void its_signals_are_its_own(void **state)
{
	sigset_t set, before;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	status = run("kill -TERM $$; exit 3");
	assert_int_equal(status, 128 + SIGTERM);
	assert_int_equal(run("kill -PIPE $$; exit 3"), 128 + SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* One that is never let go ends with us, and leaves no zombie. */
static void never_let_go(void **state)
{
	struct command c = prepare_sh("echo x > made");
	pid_t pid = c.pid;

	command__fini(&c);
	assert_int_equal(c.go_fd, -1);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(access("made", F_OK), -1);
	c = (struct command)COMMAND_INIT;
	command__fini(&c); /* half-prepared */
}

/* If the profiler dies before it lets the command go, the command does not run at all. */
static void dies_with_the_profiler(void **state)
{
	pid_t profiler = fork();
	int status;

	if (profiler == 0) {
		char *argv[] = {words("touch"), words("made"), NULL};
		struct command c = COMMAND_INIT;

		_exit(command__prepare(&c, argv) < 0);
	}
	assert_int_equal(waitpid(profiler, &status, 0), profiler);
	assert_int_equal(status, 0);
	nanosleep(&(struct timespec){.tv_nsec = 100 * NSEC_PER_MSEC}, NULL);
	assert_int_equal(access("made", F_OK), -1);
}

/* A descendant whose parent ends comes to us, so that it is still in our tree. */
static void orphans_come_to_us(void **state)
{
	cleanup_free char *text = NULL;
	struct procstat st;

	assert_int_equal(run("sleep 5 & echo $! > pid"), 0);
	assert_int_equal(read_text_file(AT_FDCWD, "pid", 64, &text, NULL), 0);
	assert_int_equal(procstat_read((uint32_t)atoi(text), &st), 0);
	assert_int_equal(st.parent_tgid, getpid());
	kill(atoi(text), SIGKILL);
	assert_int_equal(waitpid(atoi(text), NULL, 0), atoi(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(its_status_is_passed_on), in_scratch_dir(waits_to_be_let_go),
	    in_scratch_dir(what_cannot_be_run),	     in_scratch_dir(end_is_noted_without_blocking),
	    in_scratch_dir(its_signals_are_its_own), in_scratch_dir(never_let_go),
	    in_scratch_dir(dies_with_the_profiler),  in_scratch_dir(orphans_come_to_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
