/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/file_window: shows a file's bytes at any place, however it is asked. */
#include "symbolizer/file_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

/* A file of N bytes of which each is known by its place. */
static int made_file(size_t n)
{
	int fd = memfd_create("window", MFD_CLOEXEC);
	cleanup_free uint8_t *bytes = malloc(n);

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(write_full(fd, bytes, n), (int64_t)n);
	return fd;
}

static void shows(struct file_window *fw, uint64_t off, size_t want, size_t at_least)
{
	const uint8_t *p;
	int64_t n = file_window__at(fw, off, want, &p);

	assert_true(n >= (int64_t)at_least);
	for (size_t i = 0; i < (size_t)n; i++)
		assert_int_equal(p[i], (uint8_t)((off + i) * 7 + ((off + i) >> 8)));
}

static void any_place_in_any_order(void **state)
{
	size_t size = 3 * FILE_WINDOW_BYTES + 100;
	cleanup_close int fd = made_file(size);
	struct file_window fw;

	assert_int_equal(file_window__init(&fw, fd, size), 0);
	shows(&fw, 0, 16, 16);
	shows(&fw, FILE_WINDOW_BYTES - 8, 16, 16); /* over the edge of what is there */
	shows(&fw, FILE_WINDOW_BYTES - 8, FILE_WINDOW_BYTES, FILE_WINDOW_BYTES);
	shows(&fw, 5, 1, 1); /* backwards */
	shows(&fw, size - 10, 16, 10);
	shows(&fw, size, 16, 0);
	shows(&fw, UINT64_MAX, 16, 0);
	file_window__fini(&fw);
}

static void nothing_behind_its_end(void **state)
{
	cleanup_close int fd = made_file(1000);
	struct file_window fw;
	const uint8_t *p;

	assert_int_equal(file_window__init(&fw, fd, 10), 0);
	assert_int_equal(file_window__at(&fw, 4, 16, &p), 6);
	assert_int_equal(file_window__at(&fw, 10, 1, &p), 0);
	file_window__fini(&fw);
	/* The file is shorter by now than it was said to be. */
	assert_int_equal(file_window__init(&fw, fd, 5000), 0);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_int_equal(file_window__at(&fw, 0, 100, &p), 20);
	assert_int_equal(file_window__at(&fw, 100, 100, &p), 0);
	file_window__fini(&fw);
	file_window__fini(&fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_place_in_any_order),
	    cmocka_unit_test(nothing_behind_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
