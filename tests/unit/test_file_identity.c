/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/file_identity: the same file in the same state, or not. */
#include "daemon/collector/file_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/scratch_dir.h"

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static struct file_identity identity(int fd)
{
	struct file_identity id;

	assert_int_equal(file_identity_of(fd, &id), 0);
	return id;
}

static void is_what_stat_tells(void **state)
{
	cleanup_close int fd = make("a", "text");
	struct file_identity id = identity(fd);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(id.dev, st.st_dev);
	assert_int_equal(id.ino, st.st_ino);
	assert_int_equal(id.size, 4);
	assert_int_equal(id.mtime_s, st.st_mtim.tv_sec);
	assert_int_equal(id.mtime_ns, st.st_mtim.tv_nsec);
	assert_int_equal(id.ctime_s, st.st_ctim.tv_sec);
	assert_int_equal(id.ctime_ns, st.st_ctim.tv_nsec);
}

static void does_not_depend_on_the_descriptor(void **state)
{
	cleanup_close int fd = make("a", "text");
	cleanup_close int path_fd = open("a", O_PATH | O_CLOEXEC);
	struct file_identity a = identity(fd), b = identity(path_fd);

	assert_memory_equal(&a, &b, sizeof(a));
}

static void another_file_has_another(void **state)
{
	cleanup_close int fd = make("a", "text"), other = make("b", "text");
	struct file_identity a = identity(fd), b = identity(other);

	assert_memory_not_equal(&a, &b, sizeof(a));
}

/* Times can be set back, but not that of the change itself. */
static void a_change_shows(void **state)
{
	cleanup_close int fd = make("a", "text");
	struct file_identity a = identity(fd), b;
	const struct timespec times[2] = {{.tv_sec = a.mtime_s, .tv_nsec = a.mtime_ns},
					  {.tv_sec = a.mtime_s, .tv_nsec = a.mtime_ns}};

	usleep(20000); /* the grain of the file system's clock */
	assert_int_equal(pwrite(fd, "TEXT", 4, 0), 4);
	assert_int_equal(futimens(fd, times), 0);
	b = identity(fd);
	assert_int_equal(a.mtime_ns, b.mtime_ns);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void no_file_has_none(void **state)
{
	struct file_identity id = {.ino = 77};

	assert_int_equal(file_identity_of(-1, &id), -EBADF);
	assert_int_equal(id.ino, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(is_what_stat_tells),
	    in_scratch_dir(does_not_depend_on_the_descriptor),
	    in_scratch_dir(another_file_has_another),
	    in_scratch_dir(a_change_shows),
	    cmocka_unit_test(no_file_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
