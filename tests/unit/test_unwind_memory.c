/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/unwind_memory: lines of an array that a walker may still be reading. */
#include "daemon/collector/unwind_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

#define LINE_BYTES sizeof(struct unwind_line)

/* Lines that are mapped at once: 512 KiB. */
#define SEGMENT 8192u

#define T0 (1000 * NSEC_PER_SEC)

static struct unwind_memory *made(uint32_t n_lines)
{
	struct unwind_memory *m = NULL;

	assert_int_equal(unwind_memory__new(&m, -1, n_lines), 0);
	return m;
}

static uint32_t take(struct unwind_memory *m, uint32_t n)
{
	uint32_t line = 0;

	assert_int_equal(unwind_memory__take(m, n, &line), 0);
	assert_int_not_equal(line, 0);
	assert_true(line + n <= unwind_memory__n_lines(m));
	return line;
}

static void starts_empty(void **state)
{
	struct unwind_memory *m = made(100);

	assert_int_equal(unwind_memory__n_lines(m), 100);
	assert_int_equal(unwind_memory__n_used(m), 0);
	unwind_memory__settle(m, UINT64_MAX); /* nothing was given back */
	assert_null(unwind_memory__free(m));
	assert_null(unwind_memory__free(NULL));
}

/* Line 0 means "none", so one line less can be had than there are. */
static void all_but_the_first_line_can_be_had(void **state)
{
	struct unwind_memory *m = made(100);
	uint32_t line = 77;

	assert_int_equal(unwind_memory__take(m, 100, &line), -ENOSPC);
	assert_int_equal(line, 77);
	assert_int_equal(take(m, 99), 1);
	assert_int_equal(unwind_memory__n_used(m), 99);
	assert_int_equal(unwind_memory__take(m, 1, &line), -ENOSPC);
	assert_int_equal(unwind_memory__n_used(m), 99);
	unwind_memory__free(m);
}

static void an_array_of_one_line_has_none(void **state)
{
	struct unwind_memory *m = made(1);
	uint32_t line;

	assert_int_equal(unwind_memory__take(m, 1, &line), -ENOSPC);
	unwind_memory__free(m);
}

/* What is given back is zeroed when it is handed out again, also where others have written. */
static void lines_come_zeroed(void **state)
{
	struct unwind_memory *m = made(100);
	struct unwind_line zero = {0};
	uint32_t line = take(m, 3);

	for (unsigned round = 0; round < 2; round++) {
		struct unwind_line *l = unwind_memory__lines(m) + line;

		for (unsigned i = 0; i < 3; i++)
			assert_memory_equal(&l[i], &zero, LINE_BYTES);
		memset(l, 0xff, 3 * LINE_BYTES);
		unwind_memory__give(m, line, 3, T0);
		unwind_memory__settle(m, T0 + NSEC_PER_SEC);
		assert_int_equal(take(m, 3), line);
	}
	unwind_memory__free(m);
}

/* A walk that still reads what nothing points to any more has a second to end. */
static void what_is_given_back_rests_for_a_second(void **state)
{
	struct unwind_memory *m = made(11);
	uint32_t line = take(m, 10), again;

	memset(unwind_memory__lines(m) + line, 0xab, 10 * LINE_BYTES);
	unwind_memory__give(m, line, 10, T0);
	assert_int_equal(unwind_memory__n_used(m), 10);
	unwind_memory__settle(m, T0 + NSEC_PER_SEC - 1);
	assert_int_equal(unwind_memory__take(m, 1, &again), -ENOSPC);
	/* And it holds what it held. */
	assert_int_equal(unwind_memory__lines(m)[line].w[0], 0xabababab);
	assert_int_equal(unwind_memory__lines(m)[line + 9].w[15], 0xabababab);
	unwind_memory__settle(m, T0 + NSEC_PER_SEC);
	assert_int_equal(unwind_memory__n_used(m), 0);
	assert_int_equal(take(m, 10), line);
	unwind_memory__free(m);
}

static void each_rests_by_itself(void **state)
{
	struct unwind_memory *m = made(100);
	uint32_t a = take(m, 10), b = take(m, 20);

	unwind_memory__give(m, a, 10, T0);
	unwind_memory__give(m, b, 20, T0 + NSEC_PER_SEC / 2);
	unwind_memory__settle(m, T0 + NSEC_PER_SEC);
	assert_int_equal(unwind_memory__n_used(m), 20);
	unwind_memory__settle(m, T0 + NSEC_PER_SEC); /* again, in vain */
	assert_int_equal(unwind_memory__n_used(m), 20);
	unwind_memory__settle(m, T0 + 2 * NSEC_PER_SEC);
	assert_int_equal(unwind_memory__n_used(m), 0);
	unwind_memory__free(m);
}

static void give_now(struct unwind_memory *m, uint32_t line, uint32_t n)
{
	unwind_memory__give(m, line, n, 0);
	unwind_memory__settle(m, NSEC_PER_SEC);
}

/* Low lines first, so that what is used stays together. */
static void the_first_that_fits(void **state)
{
	struct unwind_memory *m = made(100);
	uint32_t a = take(m, 10), b = take(m, 10), c = take(m, 20), d = take(m, 10);

	assert_int_equal(a, 1);
	assert_int_equal(b, a + 10);
	assert_int_equal(c, b + 10);
	assert_int_equal(d, c + 20);
	give_now(m, a, 10);
	give_now(m, c, 20);
	assert_int_equal(take(m, 15), c); /* the gap at A is too small */
	assert_int_equal(take(m, 10), a); /* this fits, to the line */
	assert_int_equal(take(m, 6), d + 10);
	assert_int_equal(take(m, 5), c + 15);
	unwind_memory__free(m);
}

/* Whatever the order in which neighbours come back, they are one run at the end. */
static void neighbours_are_joined(void **state)
{
	static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct unwind_memory *m = made(50);
		uint32_t lines[3], last;

		for (unsigned i = 0; i < 3; i++)
			lines[i] = take(m, 10);
		last = take(m, 19); /* up to the end, so there is no other run */
		for (unsigned i = 0; i < 3; i++)
			give_now(m, lines[orders[o][i]], 10);
		assert_int_equal(take(m, 30), lines[0]);
		give_now(m, last, 19);
		assert_int_equal(take(m, 19), last);
		unwind_memory__free(m);
	}
}

static void all_of_it_comes_back(void **state)
{
	struct unwind_memory *m = made(1000);
	uint32_t lines[40], sizes[40];

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		lines[i] = take(m, sizes[i] = 1 + i * 7 % 23);
	/* 17 and 40 have no common divisor: each once, out of order. */
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		give_now(m, lines[i * 17 % 40], sizes[i * 17 % 40]);
	assert_int_equal(unwind_memory__n_used(m), 0);
	assert_int_equal(take(m, 999), 1);
	unwind_memory__free(m);
}

/* Whether the byte at P may be read: the kernel says -EFAULT where it may not. */
static bool is_mapped(const void *p)
{
	int ends[2];
	bool readable;

	assert_int_equal(pipe(ends), 0);
	readable = write(ends[1], p, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return readable;
}

/* The budget is of addresses; memory is taken as it is handed out. */
static void only_what_is_handed_out_is_mapped(void **state)
{
	struct unwind_memory *m = made(3 * SEGMENT + 10);
	const struct unwind_line *lines = unwind_memory__lines(m);

	assert_false(is_mapped(lines));
	assert_int_equal(take(m, 1), 1);
	assert_true(is_mapped(lines));
	assert_false(is_mapped(lines + SEGMENT));
	/* A run over the edges of segments. */
	assert_int_equal(take(m, 2 * SEGMENT), 2);
	memset((void *)(lines + 2), 1, 2 * SEGMENT * LINE_BYTES);
	assert_false(is_mapped(lines + 3 * SEGMENT));
	/* The last segment is a short one. */
	take(m, SEGMENT + 7);
	assert_true(is_mapped(lines + 3 * SEGMENT + 9));
	unwind_memory__free(m);
}

/* The array is the kernel's: what is written through the memory is read through its descriptor. */
static void writing_is_storing_into_the_array(void **state)
{
	cleanup_close int fd = memfd_create("array", MFD_CLOEXEC);
	struct unwind_memory *m = NULL;
	uint32_t line, word = 0;

	assert_int_equal(ftruncate(fd, (SEGMENT + 100) * LINE_BYTES), 0);
	assert_int_equal(unwind_memory__new(&m, fd, SEGMENT + 100), 0);
	line = take(m, SEGMENT + 50);
	unwind_memory__lines(m)[line + SEGMENT + 40].w[3] = 4711;
	assert_int_equal(pread_full(fd, &word, sizeof(word),
				    (line + SEGMENT + 40) * LINE_BYTES + 3 * sizeof(word)),
			 sizeof(word));
	assert_int_equal(word, 4711);
	unwind_memory__free(m);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1); /* borrowed */
}

static void an_array_that_cannot_be_mapped(void **state)
{
	cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct unwind_memory *m = NULL;
	uint32_t line = 77;

	assert_int_equal(unwind_memory__new(&m, fd, 100), 0); /* nothing is mapped yet */
	assert_true(unwind_memory__take(m, 1, &line) < 0);
	assert_int_equal(line, 77);
	assert_int_equal(unwind_memory__n_used(m), 0);
	unwind_memory__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_empty),
	    cmocka_unit_test(all_but_the_first_line_can_be_had),
	    cmocka_unit_test(an_array_of_one_line_has_none),
	    cmocka_unit_test(lines_come_zeroed),
	    cmocka_unit_test(what_is_given_back_rests_for_a_second),
	    cmocka_unit_test(each_rests_by_itself),
	    cmocka_unit_test(the_first_that_fits),
	    cmocka_unit_test(neighbours_are_joined),
	    cmocka_unit_test(all_of_it_comes_back),
	    cmocka_unit_test(only_what_is_handed_out_is_mapped),
	    cmocka_unit_test(writing_is_storing_into_the_array),
	    cmocka_unit_test(an_array_that_cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
