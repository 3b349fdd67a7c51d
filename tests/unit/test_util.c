/* SPDX-License-Identifier: Apache-2.0 */
/* base/util: arrays that grow, and reads and writes that are whole. */
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void clock_goes_on(void **state)
{
	uint64_t a = clock_ns(CLOCK_MONOTONIC), b = clock_ns(CLOCK_MONOTONIC);

	assert_true(a > 0 && b >= a);
	assert_true(clock_ns(CLOCK_REALTIME) > 1600000000 * NSEC_PER_SEC);
}

static void arrays_grow_and_keep_their_content(void **state)
{
	cleanup_free uint32_t *a = NULL;
	size_t cap = 0, growths = 0;

	for (uint32_t i = 0; i < 10000; i++) {
		size_t before = cap;

		assert_int_equal(array_reserve(&a, &cap, i + 1, sizeof(*a)), 0);
		growths += cap != before;
		a[i] = i;
	}
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(a[i], i);
	assert_true(growths < 25);
}

/* The next test wants to see malloc fail, which is an error of its own to AddressSanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void impossible_sizes_change_nothing(void **state)
{
	uint64_t *a = NULL;
	size_t cap = 0;

	assert_int_equal(array_reserve(&a, &cap, SIZE_MAX / 2, sizeof(*a)), -ENOMEM);
	assert_null(a);
	assert_int_equal(cap, 0);
}

/* A pipe hands out what it has; read_full waits for the rest. */
static void read_full_waits_for_all(void **state)
{
	int p[2], status;
	char buf[10];
	pid_t child;

	assert_int_equal(pipe(p), 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 6; i++) {
			usleep(1000);
			if (write(p[1], "x", 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read_full(p[0], buf, 4), 4);
	assert_int_equal(read_full(p[0], buf, sizeof(buf)), 2); /* the end of the file */
	assert_int_equal(waitpid(child, &status, 0), child);
	close(p[0]);
	assert_int_equal(read_full(-1, buf, 1), -EBADF);
}

static void write_and_pread(void **state)
{
	cleanup_close int fd = memfd_create("test", MFD_CLOEXEC);
	char buf[8] = "";

	assert_int_equal(write_full(fd, "0123456789", 10), 10);
	assert_int_equal(pread_full(fd, buf, 4, 3), 4);
	assert_memory_equal(buf, "3456", 4);
	assert_int_equal(pread_full(fd, buf, 8, 8), 2);
	assert_int_equal(pread_full(fd, buf, 8, 100), 0);
}

static void write_says_why_not(void **state)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, "x", 1), -ENOSPC);
}

/* Files of /proc say that they have 0 bytes, and are read whole all the same. */
static void reads_text_files(void **state)
{
	cleanup_free char *text = NULL, *untouched = NULL;
	size_t n;

	assert_int_equal(read_text_file(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &n), 0);
	assert_int_equal(strlen(text), n);
	assert_non_null(strstr(text, "\nPid:\t"));
	assert_int_equal(read_text_file(AT_FDCWD, "/proc/self/status", n - 1, &untouched, NULL),
			 -EFBIG);
	assert_int_equal(read_text_file(AT_FDCWD, "/no/such/file", 1, &untouched, NULL), -ENOENT);
	assert_int_equal(read_text_file(AT_FDCWD, "/dev/zero", 1 << 16, &untouched, NULL), -EFBIG);
	assert_int_equal(read_text_file(AT_FDCWD, "/", 1, &untouched, NULL), -EISDIR);
	assert_null(untouched);
	assert_int_equal(read_text_file(AT_FDCWD, "/dev/null", 1, &untouched, &n), 0);
	assert_string_equal(untouched, "");
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clock_goes_on),
	    cmocka_unit_test(arrays_grow_and_keep_their_content),
	    cmocka_unit_test(impossible_sizes_change_nothing),
	    cmocka_unit_test(read_full_waits_for_all),
	    cmocka_unit_test(write_and_pread),
	    cmocka_unit_test(write_says_why_not),
	    cmocka_unit_test(reads_text_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
