/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/jitdump: what was at an address at a time, by name and line. */
#include "symbolizer/jitdump.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/ipc/symbols.h"
#include "tests/unit/made_jitdump.h"

#define SECOND NSEC_PER_SEC

/* What was found, "NAME FILE:LINE" a frame. */
struct found {
	int r;
	struct limits limits;
	char text[8][256]; /* "" = no name */
};

static void describe(struct found *f, const struct symbols_view *v)
{
	for (uint32_t i = 0; i < v->header->n_addrs; i++) {
		const struct msg_symbol_frame *frame = &v->frames[v->addrs[i].first_frame];
		const struct msg_symbol_function *fn;

		if (!v->addrs[i].n_frames)
			continue;
		fn = &v->functions[frame->function];
		assert_int_equal(v->addrs[i].source, SYMBOL_SOURCE_JIT);
		assert_int_equal(v->addrs[i].n_frames, 1);
		if (frame->line)
			snprintf(f->text[i], sizeof(f->text[i]), "%s %s:%u", v->strings + fn->name,
				 v->strings + fn->filename, frame->line);
		else
			snprintf(f->text[i], sizeof(f->text[i]), "%s", v->strings + fn->name);
	}
}

static struct found find(int fd, const struct msg_jit_addr *addrs, uint32_t n)
{
	struct found f = {0};
	struct answer *answer;
	struct symbols_view v;
	void *payload;
	size_t size;

	limits__init(&f.limits, n);
	assert_int_equal(answer__new(&answer, n, false, &f.limits), 0);
	f.r = jitdump_name(fd, addrs, n, answer, &f.limits);
	assert_int_equal(answer__encode(answer, false, &payload, &size), 0);
	assert_int_equal(symbols_view__init(&v, payload, size, n), 0);
	describe(&f, &v);
	free(payload);
	answer__free(answer);
	return f;
}

/* What was at ADDR at TIME_NS. */
static const char *at(int fd, uint64_t addr, uint64_t time_ns)
{
	const struct msg_jit_addr a = {addr, time_ns};
	static struct found f;

	f = find(fd, &a, 1);
	assert_int_equal(f.r, 0);
	return f.text[0];
}

static void code_is_known_by_name(void **state)
{
	cleanup_close int fd = made_jitdump();

	jitdump_put_load(fd, 1, 0x1000, 16, "first");
	jitdump_put_load(fd, 2, 0x1010, 16, "_Z6seconddj");
	jitdump_put_load(fd, 3, 0x9000, 0, "of no bytes");
	assert_string_equal(at(fd, 0x0fff, 9), "");
	assert_string_equal(at(fd, 0x1000, 9), "first");
	assert_string_equal(at(fd, 0x100f, 9), "first");
	assert_string_equal(at(fd, 0x1010, 9), "second(double, unsigned int)");
	assert_string_equal(at(fd, 0x1020, 9), "");
	assert_string_equal(at(fd, 0x9000, 9), "");
}

/* The same address, again and again. */
static void by_the_time_of_the_sample(void **state)
{
	cleanup_close int fd = made_jitdump();
	static const struct msg_jit_addr addrs[] = {
	    {0x1008, 1 * SECOND},  {0x1008, 10 * SECOND}, {0x1008, 15 * SECOND},
	    {0x1008, 20 * SECOND}, {0x1008, 99 * SECOND},
	};
	struct found f;

	jitdump_put_load(fd, 10 * SECOND, 0x1000, 16, "old");
	jitdump_put_load(fd, 30 * SECOND, 0x1000, 16, "newest");
	jitdump_put_load(fd, 20 * SECOND, 0x1004, 16, "newer"); /* threads write out of order */
	f = find(fd, addrs, ARRAY_SIZE(addrs));
	assert_string_equal(f.text[0], ""); /* there was nothing yet */
	assert_string_equal(f.text[1], "old");
	assert_string_equal(f.text[2], "old");
	assert_string_equal(f.text[3], "newer");
	assert_string_equal(f.text[4], "newest");
	/* It ran before it was written down: the first that was, is it. */
	assert_string_equal(at(fd, 0x1008, 10 * SECOND - JITDUMP_LATE_NS), "old");
	assert_string_equal(at(fd, 0x1008, 10 * SECOND - JITDUMP_LATE_NS - 1), "");
}

/* The counter of the processor says nothing about our times: the last one in the file it is. */
static void without_a_clock_of_ours(void **state)
{
	cleanup_close int fd = memfd_create("jitdump", MFD_CLOEXEC);

	jitdump_put_header(fd, 0x4A695444, 1, 40, 1);
	jitdump_put_load(fd, 900 * SECOND, 0x1000, 16, "before");
	jitdump_put_load(fd, 100 * SECOND, 0x1000, 16, "after");
	assert_string_equal(at(fd, 0x1000, 1), "after");
}

static void code_that_moved(void **state)
{
	cleanup_close int fd = made_jitdump();

	jitdump_put_load(fd, 1 * SECOND, 0x1000, 32, "traveller");
	jitdump_put_move(fd, 2 * SECOND, 0x1000, 0x2000, 32);
	jitdump_put_load(fd, 3 * SECOND, 0x1000, 32, "squatter");
	jitdump_put_move(fd, 4 * SECOND, 0x2000, 0x2008, 32); /* over itself */
	jitdump_put_move(fd, 5 * SECOND, 0x7000, 0x8000, 32); /* of nothing */
	assert_string_equal(at(fd, 0x1010, 1 * SECOND), "traveller");
	assert_string_equal(at(fd, 0x2010, 2 * SECOND), "traveller");
	assert_string_equal(at(fd, 0x1010, 3 * SECOND), "squatter");
	assert_string_equal(at(fd, 0x2027, 4 * SECOND), "traveller");
	assert_string_equal(at(fd, 0x8000, 5 * SECOND), "");
}

static void code_that_moves_without_end(void **state)
{
	cleanup_close int fd = made_jitdump();
	const struct msg_jit_addr a = {0x1000 + 100 * 0x100, 1000 * SECOND};
	struct found f;

	jitdump_put_load(fd, 1, 0x1000, 16, "gone");
	for (uint64_t i = 0; i < 100; i++)
		jitdump_put_move(fd, i * SECOND, 0x1000 + i * 0x100, 0x1100 + i * 0x100, 16);
	f = find(fd, &a, 1);
	assert_int_equal(f.r, 0);
	assert_string_equal(f.text[0], "");
	assert_int_equal(f.limits.hits[LIMIT_HOPS], 1);
}

static void lines_of_source(void **state)
{
	static const struct jitdump_line lines[] = {
	    {0x1000, 10, "/src/a.js"}, {0x1008, 12, "\377"}, {0x1010, 3, "/src/b.js"}};
	static const struct msg_jit_addr addrs[] = {{0x1000, SECOND}, {0x1007, SECOND},
						    {0x1009, SECOND}, {0x1010, SECOND},
						    {0x101f, SECOND}, {0x2000, SECOND}};
	cleanup_close int fd = made_jitdump();
	struct found f;

	jitdump_put_lines(fd, 0x1000, lines, ARRAY_SIZE(lines));
	jitdump_put_prefix(fd, 4, 8, 1); /* unwind information comes in between */
	jitdump_put(fd, "12345678", 8);
	jitdump_put_load(fd, 1, 0x1000, 0x20, "fn");
	jitdump_put_load(fd, 1, 0x2000, 0x20, "other"); /* those were not of this one */
	f = find(fd, addrs, ARRAY_SIZE(addrs));
	assert_int_equal(f.r, 0);
	assert_string_equal(f.text[0], "fn /src/a.js:10");
	assert_string_equal(f.text[1], "fn /src/a.js:10");
	assert_string_equal(f.text[2], "fn /src/a.js:12");
	assert_string_equal(f.text[3], "fn /src/b.js:3");
	assert_string_equal(f.text[4], "fn /src/b.js:3");
	assert_string_equal(f.text[5], "other");
}

/* Code that moved keeps its lines, at their old addresses. */
static void lines_of_code_that_moved(void **state)
{
	static const struct jitdump_line lines[] = {{0x1000, 10, "a"}, {0x1008, 12, "a"}};
	cleanup_close int fd = made_jitdump();

	jitdump_put_lines(fd, 0x1000, lines, ARRAY_SIZE(lines));
	jitdump_put_load(fd, 1, 0x1000, 0x20, "fn");
	jitdump_put_move(fd, 2, 0x1000, 0x2000, 0x20);
	assert_string_equal(at(fd, 0x2007, 9), "fn a:10");
	assert_string_equal(at(fd, 0x2008, 9), "fn a:12");
}

/* V8 counts from the ELF header that perf puts before the code. */
static void lines_behind_a_header(void **state)
{
	static const struct jitdump_line lines[] = {{0x1040, 10, "a"}, {0x1050, 12, "a"}};
	cleanup_close int fd = made_jitdump();

	jitdump_put_lines(fd, 0x1000, lines, ARRAY_SIZE(lines));
	jitdump_put_load(fd, 1, 0x1000, 0x20, "fn");
	assert_string_equal(at(fd, 0x1000, 9), "fn a:10");
	assert_string_equal(at(fd, 0x100f, 9), "fn a:10");
	assert_string_equal(at(fd, 0x1010, 9), "fn a:12");
}

/* The name stays, whatever the lines say. */
static void lines_that_are_noise(void **state)
{
	static const struct jitdump_line backwards[] = {{0x1008, 1, "a"}, {0x1000, 2, "a"}};
	static const struct jitdump_line outside[] = {{0x1000, 1, "a"}, {0x5000, 2, "a"}};
	const uint64_t endless[2] = {0x1000, UINT64_MAX};
	static char large[LIMIT_JITDUMP_DEBUG_BYTES_MAX];
	cleanup_close int fd = made_jitdump();
	const struct msg_jit_addr a = {0x1008, 9};
	struct found f;

	jitdump_put_lines(fd, 0x1000, backwards, 2);
	jitdump_put_load(fd, 1, 0x1000, 0x20, "fn");
	assert_string_equal(at(fd, 0x1008, 9), "fn");
	jitdump_put_lines(fd, 0x1000, outside, 2);
	jitdump_put_load(fd, 2, 0x1000, 0x20, "fn");
	assert_string_equal(at(fd, 0x1008, 9), "fn");
	jitdump_put_prefix(fd, 2, 16, 3);
	jitdump_put(fd, endless, 16);
	jitdump_put_load(fd, 3, 0x1000, 0x20, "fn");
	assert_string_equal(at(fd, 0x1008, 9), "fn");
	jitdump_put_prefix(fd, 2, 8, 4); /* shorter than it must be */
	jitdump_put(fd, endless, 8);
	jitdump_put_load(fd, 4, 0x1000, 0x20, "fn");
	assert_string_equal(at(fd, 0x1008, 9), "fn");
	jitdump_put_prefix(fd, 2, sizeof(large), 5);
	memcpy(large, endless, 8);
	jitdump_put(fd, large, sizeof(large));
	jitdump_put_load(fd, 5, 0x1000, 0x20, "fn");
	f = find(fd, &a, 1);
	assert_string_equal(f.text[0], "fn");
	assert_int_equal(f.limits.hits[LIMIT_LINES], 1);
}

static void what_is_no_jitdump(void **state)
{
	static const struct {
		uint32_t magic, version, size;
	} cases[] = {{0x4454694A, 1, 40}, {0x4A695444, 2, 40}, {0x4A695444, 1, 39}, {0, 0, 0}};
	const struct msg_jit_addr a = {0x1000, 1};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_close int fd = memfd_create("jitdump", MFD_CLOEXEC);

		assert_int_equal(find(fd, &a, 1).r, -ENOEXEC); /* empty */
		jitdump_put_header(fd, cases[i].magic, cases[i].version, cases[i].size, 0);
		assert_int_equal(find(fd, &a, 1).r, -ENOEXEC);
	}
}

/* It is being written, or was cut: what is whole counts. */
static void a_file_that_ends_anywhere(void **state)
{
	cleanup_close int fd = made_jitdump();
	const struct msg_jit_addr a = {0x1000, 9};
	off_t whole;

	jitdump_put_load(fd, 1, 0x1000, 16, "whole");
	whole = lseek(fd, 0, SEEK_CUR);
	jitdump_put_load(fd, 2, 0x1000, 16, "being written");
	for (off_t end = lseek(fd, 0, SEEK_CUR) - 1; end >= whole; end--) {
		assert_int_equal(ftruncate(fd, end), 0);
		assert_string_equal(at(fd, 0x1000, 9), "whole");
	}
	for (off_t end = whole - 1; end >= 40; end--) {
		assert_int_equal(ftruncate(fd, end), 0);
		assert_string_equal(at(fd, 0x1000, 9), "");
	}
	assert_int_equal(ftruncate(fd, 39), 0);
	assert_int_equal(find(fd, &a, 1).r, -ENOEXEC);
}

static void records_that_lie(void **state)
{
	const uint64_t wrapping[5] = {0, 0, UINT64_MAX - 7, UINT64_MAX, 1};
	cleanup_close int fd = made_jitdump();

	jitdump_put_prefix(fd, 77, 8, 1); /* of a later version */
	jitdump_put(fd, wrapping, 8);
	jitdump_put_prefix(fd, 0, 8, 1); /* a load that is too short */
	jitdump_put(fd, wrapping, 8);
	jitdump_put_prefix(fd, 0, sizeof(wrapping) + 4, 1); /* a name without an end, and no code */
	jitdump_put(fd, wrapping, sizeof(wrapping));
	jitdump_put(fd, "wild", 4);
	jitdump_put_load(fd, 1, 0x1000, 16, "");
	jitdump_put_load(fd, 1, 0x2000, 16, "a\nb\x1b");
	assert_string_equal(at(fd, UINT64_MAX - 3, 9), "wild");
	assert_string_equal(at(fd, 3, 9), "");
	assert_string_equal(at(fd, 0x1000, 9), "");
	assert_string_equal(at(fd, 0x2000, 9), "a\\x0ab\\x1b");
	jitdump_put_prefix(fd, 3, 0, 1); /* closed: nothing follows */
	jitdump_put_load(fd, 1, 0x3000, 16, "too late");
	assert_string_equal(at(fd, 0x3000, 9), "");
	assert_int_equal(ftruncate(fd, 40), 0);
	assert_int_equal(lseek(fd, 40, SEEK_SET), 40);
	jitdump_put_prefix(fd, 0, -16u, 1); /* a record of no bytes would never end */
	jitdump_put_load(fd, 1, 0x3000, 16, "behind");
	assert_string_equal(at(fd, 0x3000, 9), "");
}

/* Every record covers every address. */
static void more_work_than_it_is_worth(void **state)
{
	enum { N = 1000, RECORDS = 6000 };
	cleanup_free struct msg_jit_addr *addrs = calloc(N, sizeof(*addrs));
	const uint64_t fixed[5] = {0, 0, 0, UINT64_MAX, 1};
	cleanup_close int fd = made_jitdump();
	struct answer *answer;
	struct limits limits;

	for (uint64_t i = 0; i < RECORDS; i++) {
		jitdump_put_prefix(fd, 0, sizeof(fixed) + 4, i);
		jitdump_put(fd, fixed, sizeof(fixed));
		jitdump_put(fd, "all", 4);
	}
	for (uint64_t i = 0; i < N; i++)
		addrs[i] = (struct msg_jit_addr){i, UINT64_MAX};
	limits__init(&limits, N);
	assert_int_equal(answer__new(&answer, N, false, &limits), 0);
	assert_int_equal(jitdump_name(fd, addrs, N, answer, &limits), 0);
	assert_int_equal(limits.hits[LIMIT_MATCHES], 1);
	assert_true(answer__is_named(answer, 0));
	answer__free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(code_is_known_by_name),
	    cmocka_unit_test(by_the_time_of_the_sample),
	    cmocka_unit_test(without_a_clock_of_ours),
	    cmocka_unit_test(code_that_moved),
	    cmocka_unit_test(code_that_moves_without_end),
	    cmocka_unit_test(lines_of_source),
	    cmocka_unit_test(lines_of_code_that_moved),
	    cmocka_unit_test(lines_behind_a_header),
	    cmocka_unit_test(lines_that_are_noise),
	    cmocka_unit_test(what_is_no_jitdump),
	    cmocka_unit_test(a_file_that_ends_anywhere),
	    cmocka_unit_test(records_that_lie),
	    cmocka_unit_test(more_work_than_it_is_worth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
