/* SPDX-License-Identifier: Apache-2.0 */
/* proto/gzip_stream: one gzip member, the same bytes for the same input. */
#include "proto/gzip_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

#define BIG ((size_t)1 << 20)

/* Text-like bytes that compress, but not to nothing. */
static char *some_bytes(size_t n)
{
	char *p = malloc(n);
	uint32_t x = 1;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)('a' + (x >> 28));
	}
	return p;
}

/* Compresses the N bytes at P in pieces of STEP. *RET is the file. */
static size_t compress_in_steps(const char *p, size_t n, size_t step, char **ret)
{
	cleanup_close int fd = memfd_create("gz", MFD_CLOEXEC);
	struct gzip_stream *s = NULL;
	uint64_t bytes = 0;

	assert_int_equal(gzip_stream__new(&s, fd), 0);
	for (size_t i = 0; i < n; i += step)
		assert_int_equal(gzip_stream__write(s, p + i, MIN(step, n - i)), 0);
	assert_int_equal(gzip_stream__finish(s, &bytes), 0);
	assert_null(gzip_stream__free(s));
	assert_int_equal(lseek(fd, 0, SEEK_END), bytes);
	*ret = malloc(bytes);
	assert_int_equal(pread_full(fd, *ret, bytes, 0), bytes);
	return bytes;
}

/* Expands one member and asserts that nothing follows it. */
static size_t expand(const char *gz, size_t n, char *out, size_t size)
{
	z_stream z = {.next_in = (unsigned char *)gz, .avail_in = (uInt)n};

	z.next_out = (unsigned char *)out;
	z.avail_out = (uInt)size;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return size - z.avail_out;
}

static void comes_back_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, BIG};
	cleanup_free char *in = some_bytes(BIG), *out = malloc(BIG + 1);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free char *gz = NULL;
		size_t n = compress_in_steps(in, sizes[i], 1000, &gz);

		assert_int_equal(expand(gz, n, out, BIG + 1), sizes[i]);
		assert_memory_equal(in, out, sizes[i]);
	}
}

/* Magic, deflate, no flags, no time stamp. */
static void header_has_no_time(void **state)
{
	cleanup_free char *gz = NULL;

	compress_in_steps("x", 1, 1, &gz);
	assert_memory_equal(gz, "\x1f\x8b\x08\0\0\0\0\0", 8);
}

static void cuts_do_not_show(void **state)
{
	cleanup_free char *in = some_bytes(BIG), *a = NULL, *b = NULL;
	size_t n = compress_in_steps(in, BIG, 7, &a);

	assert_int_equal(compress_in_steps(in, BIG, BIG, &b), n);
	assert_memory_equal(a, b, n);
}

static void starts_at_the_files_position(void **state)
{
	cleanup_close int fd = memfd_create("gz", MFD_CLOEXEC);
	struct gzip_stream *s = NULL;
	char head[3] = "";

	assert_int_equal(write_full(fd, "ab", 2), 2);
	assert_int_equal(gzip_stream__new(&s, fd), 0);
	assert_int_equal(gzip_stream__finish(s, NULL), 0);
	gzip_stream__free(s);
	assert_int_equal(pread_full(fd, head, 3, 0), 3);
	assert_memory_equal(head, "ab\x1f", 3);
}

static void full_disk_is_said(void **state)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cleanup_free char *in = some_bytes(BIG);
	struct gzip_stream *s = NULL;
	uint64_t bytes = 77;

	assert_int_equal(gzip_stream__new(&s, fd), 0);
	assert_int_equal(gzip_stream__write(s, in, 100), 0); /* still held back */
	assert_int_equal(gzip_stream__finish(s, &bytes), -ENOSPC);
	assert_int_equal(bytes, 77);
	gzip_stream__free(s);
	assert_int_equal(gzip_stream__new(&s, fd), 0);
	assert_int_equal(gzip_stream__write(s, in, BIG), -ENOSPC);
	gzip_stream__free(s);
	gzip_stream__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_back_whole),	 cmocka_unit_test(header_has_no_time),
	    cmocka_unit_test(cuts_do_not_show),	 cmocka_unit_test(starts_at_the_files_position),
	    cmocka_unit_test(full_disk_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
