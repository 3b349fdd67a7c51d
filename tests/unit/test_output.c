/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/output: where a one-shot run writes. */
#include "daemon/collector/output.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/scratch_dir.h"

static const struct options one = {.mode = MODE_PIDS, .n_pids = 1, .pids = {42}};
static const struct options two = {.mode = MODE_PIDS, .n_pids = 2, .pids = {42, 43}};
static const struct options all = {.mode = MODE_ALL};
static const struct options command = {.mode = MODE_COMMAND};

/* With -o PATH, or NULL for none. */
static int choose(struct output *out, const struct options *base, const char *path, char *err)
{
	struct options o = *base;

	o.output = path;
	*out = (struct output)OUTPUT_INIT;
	err[0] = '\0';
	return output__choose(out, &o, "my prog", 42, err);
}

static void gives(const struct options *base, const char *path, enum finisher_output kind,
		  const char *want)
{
	char err[OPTIONS_ERROR_SIZE];
	struct output out;

	if (choose(&out, base, path, err) != 0)
		fail_msg("-o %s: %s", path ? path : "(none)", err);
	assert_int_equal(out.kind, kind);
	assert_string_equal(out.path, want);
	assert_int_equal(out.dirfd >= 0, kind == FINISHER_RUN_DIR);
	output__fini(&out);
	assert_int_equal(out.dirfd, -1);
}

/* One line that names the path and says what to do. */
static void refuses(const struct options *base, const char *path, int error, const char *word)
{
	char err[OPTIONS_ERROR_SIZE];
	struct output out;

	assert_int_equal(choose(&out, base, path, err), error);
	if (!strstr(err, word))
		fail_msg("-o %.100s: \"%s\" does not name %s", path, err, word);
	assert_null(strchr(err, '\n'));
	output__fini(&out);
}

static void without_an_option(void **state)
{
	struct output out;
	char err[OPTIONS_ERROR_SIZE];
	struct options folded = one;

	gives(&one, NULL, FINISHER_FILE, "my_prog.42.cpu.pb.gz");
	gives(&command, NULL, FINISHER_FILE, "my_prog.42.cpu.pb.gz");
	gives(&two, NULL, FINISHER_RUN_DIR, ".");
	folded.format = STORE_FOLDED;
	gives(&folded, NULL, FINISHER_FILE, "my_prog.42.cpu.folded.txt");
	/* The whole host makes many files: in a new directory. */
	assert_int_equal(choose(&out, &all, NULL, err), 0);
	assert_int_equal(out.kind, FINISHER_RUN_DIR);
	assert_int_equal(strncmp(out.path, "cprofd-20", 9), 0);
	assert_int_equal(access(out.path, W_OK), 0);
	assert_true(out.made);
	output__fini(&out);
}

static void a_directory_is_one_that_exists_or_ends_in_a_slash(void **state)
{
	assert_int_equal(mkdir("there", 0755), 0);
	gives(&one, "file", FINISHER_FILE, "file");
	gives(&one, "there", FINISHER_FILE, "there/my_prog.42.cpu.pb.gz");
	gives(&one, "new/", FINISHER_FILE, "new/my_prog.42.cpu.pb.gz");
	gives(&two, "there", FINISHER_RUN_DIR, "there");
	gives(&two, "new2///", FINISHER_RUN_DIR, "new2");
	gives(&all, "new3", FINISHER_RUN_DIR, "new3"); /* can be nothing else */
	gives(&command, "file", FINISHER_FILE, "file");
	gives(&command, "there", FINISHER_RUN_DIR, "there");
	gives(&command, "profiles/", FINISHER_RUN_DIR, "profiles");
	gives(&two, "a/b/c/", FINISHER_RUN_DIR, "a/b/c");
	gives(&two, "/tmp/", FINISHER_RUN_DIR, "/tmp");
	assert_int_equal(access("new3", W_OK), 0);
}

static void standard_output(void **state)
{
	gives(&one, "-", FINISHER_STDOUT, "-");
	gives(&command, "-", FINISHER_STDOUT, "-");
}

static void what_cannot_be_written_is_said(void **state)
{
	char long_name[5000], long_dir[5000];

	assert_int_equal(close(open("plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	assert_int_equal(symlink("plain", "link"), 0);
	refuses(&one, "missing/file", -ENOENT, "missing/file");
	refuses(&one, "plain/file", -ENOTDIR, "plain/file");
	refuses(&one, "link", -ELOOP, "symbolic link");
	refuses(&two, "plain/", -ENOTDIR, "plain");
	refuses(&all, "plain", -ENOTDIR, "plain");
	refuses(&two, "one_file", -EINVAL, "one_file");
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	refuses(&one, long_name, -ENAMETOOLONG, "--output");
	refuses(&all, long_name, -ENAMETOOLONG, "--output");
	/* A directory whose own name just fits, but not that of the file in it. */
	memset(long_dir, 0, sizeof(long_dir));
	while (strlen(long_dir) < 4080)
		strcat(long_dir, "./");
	refuses(&one, long_dir, -ENAMETOOLONG, "--output");
	/* Never the first part of a name. */
	while (strlen(long_dir) < 4990)
		strcat(long_dir, "./");
	refuses(&two, long_dir, -ENAMETOOLONG, "--output");
}

static void unwritable_directories_are_said(void **state)
{
	uid_t self = geteuid();

	/* Root may write everywhere, so it is somebody else for a moment. */
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(mkdir("closed", 0555), 0);
	if (self == 0)
		assert_int_equal(seteuid(65534), 0);
	refuses(&one, "closed/file", -EACCES, "closed/file");
	refuses(&two, "closed", -EACCES, "closed");
	if (self == 0)
		assert_int_equal(seteuid(0), 0);
}

/* What was made for a run that did not come about goes; what was there, or is used, stays. */
static void discard_takes_back(void **state)
{
	char err[OPTIONS_ERROR_SIZE];
	struct output out;

	assert_int_equal(choose(&out, &two, "new/", err), 0);
	output__discard(&out);
	output__fini(&out);
	assert_int_equal(access("new", F_OK), -1);
	assert_int_equal(choose(&out, &one, "new/", err), 0);
	output__discard(&out);
	output__fini(&out);
	assert_int_equal(access("new", F_OK), -1);
	assert_int_equal(choose(&out, &all, NULL, err), 0);
	output__discard(&out);
	output__fini(&out);
	assert_int_equal(access(out.path, F_OK), -1);
	assert_int_equal(mkdir("there", 0755), 0);
	assert_int_equal(choose(&out, &two, "there", err), 0);
	output__discard(&out);
	output__fini(&out);
	assert_int_equal(access("there", F_OK), 0);
	assert_int_equal(choose(&out, &two, "used/", err), 0);
	assert_int_equal(close(open("used/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	output__discard(&out);
	output__fini(&out);
	assert_int_equal(access("used/x", F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(without_an_option),
	    in_scratch_dir(a_directory_is_one_that_exists_or_ends_in_a_slash),
	    in_scratch_dir(standard_output),
	    in_scratch_dir(what_cannot_be_written_is_said),
	    in_scratch_dir(unwritable_directories_are_said),
	    in_scratch_dir(discard_takes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
