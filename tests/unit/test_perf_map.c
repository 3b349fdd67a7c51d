/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/perf_map: the last line that covers an address names it, whatever the file says. */
#include "symbolizer/perf_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/file_window.h"

/* Looks for the N addresses ADDRS in the file FD. */
static struct limits find(int fd, const struct msg_jit_addr *addrs, uint32_t n,
			  struct perf_map_name *names)
{
	struct limits limits;

	limits__init(&limits, n);
	assert_int_equal(perf_map_find(fd, addrs, n, &limits, names), 0);
	return limits;
}

static int made_map(const char *text)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_int_equal(write_full(fd, text, strlen(text)), (int64_t)strlen(text));
	return fd;
}

/* What ADDR is called in TEXT; "" = nothing. */
static const char *name_in(int fd, uint64_t addr)
{
	static char text[SYMBOL_STRING_MAX + 1];
	struct msg_jit_addr a = {.addr = addr};
	struct perf_map_name name;
	int64_t n;

	find(fd, &a, 1, &name);
	n = pread_full(fd, text, name.n, name.off);
	assert_int_equal(n, name.n);
	text[n] = '\0';
	return text;
}

static void lines_name_what_they_cover(void **state)
{
	cleanup_close int fd = made_map("1000 10 first\n"
					"0x1010 0x8 LazyCompile:*a b c /x.js:1:2\n"
					"7FFF00000000 1aB wide\n");

	assert_string_equal(name_in(fd, 0xfff), "");
	assert_string_equal(name_in(fd, 0x1000), "first");
	assert_string_equal(name_in(fd, 0x100f), "first");
	assert_string_equal(name_in(fd, 0x1010), "LazyCompile:*a b c /x.js:1:2");
	assert_string_equal(name_in(fd, 0x1018), "");
	assert_string_equal(name_in(fd, 0x7fff000001aa), "wide");
	assert_string_equal(name_in(fd, 0x7fff000001ab), "");
}

static void later_lines_win(void **state)
{
	cleanup_close int fd = made_map("1000 100 old\n1010 10 new\n1000 18 newest\n");

	assert_string_equal(name_in(fd, 0x1008), "newest");
	assert_string_equal(name_in(fd, 0x1017), "newest");
	assert_string_equal(name_in(fd, 0x1018), "new");
	assert_string_equal(name_in(fd, 0x1020), "old");
}

/* The writer has not got to the end of the line: its name may be half of one. */
static void a_line_that_is_being_written(void **state)
{
	cleanup_close int fd = made_map("1000 10 first\n1000 10 seco");

	assert_string_equal(name_in(fd, 0x1000), "first");
	assert_int_equal(write_full(fd, "nd\n", 3), 3);
	assert_string_equal(name_in(fd, 0x1000), "second");
}

static void what_is_no_line_is_passed_over(void **state)
{
	cleanup_close int fd =
	    made_map("\n\n \n1000\n1000 10\n1000 10 \nx 10 bad\n1000 y bad\n"
		     "10000000000000000 10 bad\n0x 10 bad\n1000 11111111111111111 bad\n"
		     "-1000 10 bad\n\xff\xfe\n1000 10 good\n1000  \n");

	assert_string_equal(name_in(fd, 0x1000), "good");
	assert_string_equal(name_in(fd, 0), "");
	assert_string_equal(name_in(fd, 0x10), "");
}

static void ranges_that_wrap(void **state)
{
	cleanup_close int fd = made_map("fffffffffffffff0 100 top\n1000 0 empty\n"
					"2000 ffffffffffffffff all\n");

	assert_string_equal(name_in(fd, 0xfffffffffffffff8), "all");
	assert_string_equal(name_in(fd, 0x8), "");
	assert_string_equal(name_in(fd, 0x1000), "");
	assert_string_equal(name_in(fd, 0x2000), "all");
}

static void an_empty_file_and_no_question(void **state)
{
	cleanup_close int fd = made_map("");
	struct limits limits;

	assert_string_equal(name_in(fd, 0x1000), "");
	limits__init(&limits, 0);
	assert_int_equal(perf_map_find(fd, NULL, 0, &limits, NULL), 0);
}

/* Lines over the edge of the window, one that is longer than it, and a name longer than we take. */
static void long_lines(void **state)
{
	cleanup_close int fd = made_map("");
	cleanup_free char *text = malloc(3 * FILE_WINDOW_BYTES);
	int n = snprintf(text, FILE_WINDOW_BYTES, "1000 10 ");

	memset(text + n, 'x', 3 * FILE_WINDOW_BYTES - (size_t)n);
	memcpy(text + 2 * FILE_WINDOW_BYTES, "\n1000 10 ", 9); /* after the long line */
	assert_int_equal(write_full(fd, text, 2 * FILE_WINDOW_BYTES + 9 + 5000),
			 2 * FILE_WINDOW_BYTES + 9 + 5000);
	assert_string_equal(name_in(fd, 0x1000), "");
	/* What stands in its middle is no line either. */
	assert_int_equal(pwrite(fd, " 2000 10 trap", 13, FILE_WINDOW_BYTES - 1), 13);
	assert_int_equal(write_full(fd, "\n3000 10 last\n", 14), 14);
	assert_string_equal(name_in(fd, 0x2000), "");
	assert_int_equal(strlen(name_in(fd, 0x1000)), SYMBOL_STRING_MAX);
	assert_string_equal(name_in(fd, 0x3000), "last");
}

static void many_lines_and_addresses(void **state)
{
	enum { N = 20000 };
	cleanup_close int fd = made_map("");
	cleanup_free struct msg_jit_addr *addrs = calloc(N, sizeof(*addrs));
	cleanup_free struct perf_map_name *names = calloc(N, sizeof(*names));
	FILE *f = fdopen(dup(fd), "w");
	struct limits limits;

	for (int i = 0; i < N; i++) {
		fprintf(f, "%x 10 function_%d\n", 0x10000 + i * 16, i);
		addrs[i].addr = 0x10000 + (uint64_t)i * 16 + (uint64_t)i % 16;
	}
	fclose(f);
	limits = find(fd, addrs, N, names);
	assert_false(limits__any(&limits));
	for (int i = 0; i < N; i++) {
		char text[64], want[64];

		assert_in_range(names[i].n, 10, 14);
		assert_int_equal(pread_full(fd, text, names[i].n, names[i].off), names[i].n);
		text[names[i].n] = '\0';
		snprintf(want, sizeof(want), "function_%d", i);
		assert_string_equal(text, want);
	}
}

/* 100 GiB that take no room: only the end is read, and that is said. */
static void a_sparse_file(void **state)
{
	cleanup_close int fd = made_map("1000 10 lost\n");
	struct msg_jit_addr addr = {.addr = 0x1000};
	const char text[] = "\n1000 10 found\n";
	struct perf_map_name name;
	struct limits limits;
	off_t end = 100ll << 30;

	assert_int_equal(pwrite(fd, text, sizeof(text) - 1, end), (ssize_t)sizeof(text) - 1);
	limits = find(fd, &addr, 1, &name);
	assert_int_equal(limits.hits[LIMIT_BYTES], 1);
	assert_int_equal(name.n, 5);
	assert_int_equal(name.off, end + 9);
}

/* Every line covers every address. */
static void more_work_than_it_is_worth(void **state)
{
	enum { N = 1000, LINES = 20000 };
	cleanup_close int fd = made_map("");
	struct msg_jit_addr addrs[N];
	struct perf_map_name names[N];
	FILE *f = fdopen(dup(fd), "w");
	struct limits limits;

	for (int i = 0; i < LINES; i++)
		fprintf(f, "0 ffffffff everything\n");
	fclose(f);
	for (int i = 0; i < N; i++)
		addrs[i] = (struct msg_jit_addr){.addr = (uint64_t)i};
	limits = find(fd, addrs, N, names);
	assert_int_equal(limits.hits[LIMIT_MATCHES], 1);
	assert_int_equal(names[0].n, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_name_what_they_cover),
	    cmocka_unit_test(later_lines_win),
	    cmocka_unit_test(a_line_that_is_being_written),
	    cmocka_unit_test(what_is_no_line_is_passed_over),
	    cmocka_unit_test(ranges_that_wrap),
	    cmocka_unit_test(an_empty_file_and_no_question),
	    cmocka_unit_test(long_lines),
	    cmocka_unit_test(many_lines_and_addresses),
	    cmocka_unit_test(a_sparse_file),
	    cmocka_unit_test(more_work_than_it_is_worth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
