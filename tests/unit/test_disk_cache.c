/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/disk_cache: what was put there for a file is there, whole, within a limit. */
#include "daemon/collector/disk_cache.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch_dir.h"

#define BYTES_MAX 16384

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
	return fd;
}

static struct disk_cache open_cache(void)
{
	struct disk_cache c;

	close_fd(write_file("symbolizer", "makes things"));
	assert_int_equal(disk_cache__init(&c, "above/cache", "symbolizer", BYTES_MAX), 0);
	return c;
}

static struct file_identity identity_of(int fd)
{
	struct file_identity id;

	assert_int_equal(file_identity_of_named(fd, &id), 0);
	return id;
}

static void put(struct disk_cache *c, const struct file_identity *id, const char *text)
{
	const struct iovec parts[2] = {{"<", 1}, {(void *)text, strlen(text)}};

	assert_int_equal(disk_cache__put(c, id, parts, 2, true), 0);
}

static bool has(const struct disk_cache *c, const struct file_identity *id, const char *text)
{
	cleanup_close int fd = -1;
	char have[100] = "";
	uint64_t size;

	if (disk_cache__open(c, id, &fd, &size) < 0)
		return false;
	assert_int_equal(read_full(fd, have, sizeof(have) - 1), size);
	assert_int_equal(have[0], '<');
	return !strcmp(have + 1, text);
}

static size_t n_entries(void)
{
	cleanup_closedir DIR *dir = opendir("above/cache");
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}

static void comes_back_in_the_next_run(void **state)
{
	cleanup_close int fa = write_file("a", "program a"), fb = write_file("b", "program b");
	struct file_identity a = identity_of(fa), b = identity_of(fb);
	struct disk_cache c = open_cache();

	assert_false(has(&c, &a, "of a"));
	put(&c, &a, "of a");
	assert_true(has(&c, &a, "of a"));
	assert_false(has(&c, &b, "of a"));
	put(&c, &a, "more of a");
	assert_true(has(&c, &a, "more of a"));
	assert_int_equal(n_entries(), 1); /* nothing unfinished */
	disk_cache__fini(&c);
	c = open_cache();
	assert_true(has(&c, &a, "more of a"));
	disk_cache__fini(&c);
}

/* What is in it or what it says of itself does not count. */
static void another_file_is_another(void **state)
{
	cleanup_close int fa = write_file("a", "program"), fb = write_file("b", "program");
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct file_identity a = identity_of(fa), b = identity_of(fb), changed;

	assert_true(file_identity_equal(&a, &a));
	assert_false(file_identity_equal(&a, &b));
	assert_int_equal(futimens(fa, past), 0);
	changed = identity_of(fa);
	assert_false(file_identity_equal(&a, &changed));
	assert_int_equal(unlink("a"), 0);
	assert_int_equal(file_identity_of_named(fa, &a), -ENOENT);
	assert_int_equal(file_identity_of_named(-1, &a), -EBADF);
}

static void a_directory_that_others_can_write_to(void **state)
{
	struct disk_cache c;

	close_fd(write_file("symbolizer", "makes things"));
	assert_int_equal(mkdir("open", 0777), 0);
	assert_int_equal(chmod("open", 0770), 0);
	assert_int_equal(disk_cache__init(&c, "open", "symbolizer", 1), -EPERM);
	assert_int_equal(disk_cache__init(&c, "symbolizer", "symbolizer", 1), -ENOTDIR);
	assert_int_equal(symlink("above", "link"), 0);
	assert_int_equal(disk_cache__init(&c, "link", "symbolizer", 1), -ENOTDIR);
	assert_int_equal(disk_cache__init(&c, "a/b/c", "symbolizer", 1), -ENOENT);
	assert_int_equal(disk_cache__init(&c, "fine", "nothing", 1), -ENOENT);
}

/* Of files that are none, or somebody else's, nothing is read. */
static void what_is_no_file_of_ours(void **state)
{
	cleanup_close int fa = write_file("a", "program a");
	struct file_identity a = identity_of(fa);
	struct disk_cache c = open_cache();
	char name[NAME_SIZE], path[100];
	uint64_t size;
	int fd = -1;

	name_of(&a, name);
	snprintf(path, sizeof(path), "above/cache/%s", name);
	assert_int_equal(symlink("../../a", path), 0);
	assert_int_equal(disk_cache__open(&c, &a, &fd, &size), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(disk_cache__open(&c, &a, &fd, &size), -ENOENT);
	put(&c, &a, "of a");
	assert_true(has(&c, &a, "of a"));
	assert_int_equal(fd, -1);
	disk_cache__fini(&c);
}

static void age(const char *path)
{
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
}

/* The longest unused go, and what a killed run has left. */
static void is_trimmed(void **state)
{
	cleanup_close int fa = write_file("a", "program a"), fb = write_file("b", "program b");
	struct file_identity a = identity_of(fa), b = identity_of(fb);
	struct disk_cache c = open_cache();
	char name[NAME_SIZE], path[100];

	put(&c, &a, "of a");
	name_of(&a, name);
	snprintf(path, sizeof(path), "above/cache/%s", name);
	/* As large as all may be together, without a block on disk. */
	assert_int_equal(truncate(path, BYTES_MAX), 0);
	age(path);
	close_fd(write_file("above/cache/tmp-left", "half of one"));
	age("above/cache/tmp-left");
	close_fd(write_file("above/cache/tmp-new", "another run is at it"));
	put(&c, &b, "of b");
	assert_int_equal(access(path, F_OK), 0); /* not looked through each time */
	c.added_bytes = BYTES_MAX;
	put(&c, &b, "of b");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access("above/cache/tmp-left", F_OK), -1);
	assert_int_equal(access("above/cache/tmp-new", F_OK), 0);
	assert_true(has(&c, &b, "of b"));
	disk_cache__fini(&c);
}

static void a_full_disk_leaves_what_was_there(void **state)
{
	cleanup_close int fa = write_file("a", "program a");
	struct file_identity a = identity_of(fa);
	struct disk_cache c = open_cache();
	const struct iovec bad = {NULL, 5}; /* fails as a write does */

	put(&c, &a, "of a");
	assert_int_equal(disk_cache__put(&c, &a, &bad, 1, false), -EFAULT);
	assert_true(has(&c, &a, "of a"));
	assert_int_equal(n_entries(), 1);
	disk_cache__fini(&c);
}

static void lies_below_what_systemd_gives(void **state)
{
	char path[200];

	setenv("CACHE_DIRECTORY", "/var/cache/other", 1);
	disk_cache_locate(path, sizeof(path), "names");
	assert_string_equal(path, "/var/cache/other/names");
	unsetenv("CACHE_DIRECTORY");
	disk_cache_locate(path, sizeof(path), "names");
	assert_string_equal(path, "/var/cache/cprofd/names");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(comes_back_in_the_next_run),
	    in_scratch_dir(another_file_is_another),
	    in_scratch_dir(a_directory_that_others_can_write_to),
	    in_scratch_dir(what_is_no_file_of_ours),
	    in_scratch_dir(is_trimmed),
	    in_scratch_dir(a_full_disk_leaves_what_was_there),
	    cmocka_unit_test(lies_below_what_systemd_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
