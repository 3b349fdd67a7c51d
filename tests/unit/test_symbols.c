/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/ipc/symbols: an answer of the symbolizer is checked before a number in it is used. */
#include "daemon/ipc/symbols.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

static const char strings[] = "\0inner(int)\0_Z5inneri\0/src/p.cc\0main";
#define NAME 1
#define SYSTEM_NAME 12
#define FILENAME 22
#define MAIN 32

/* A good answer for two addresses, the first with an inlined frame, the second without a name. */
struct answer {
	struct symbols_layout layout;
	char *bytes; /* exactly layout.end, so that a sanitizer sees any step over it */
	struct msg_symbols *header;
	struct msg_symbol_addr *addrs;
	struct msg_symbol_frame *frames;
	struct msg_symbol_function *functions;
	char *strings;
};

static struct answer make_answer(void)
{
	struct msg_symbols h = {
	    .n_addrs = 2,
	    .n_frames = 2,
	    .n_functions = 2,
	    .n_string_bytes = sizeof(strings),
	};
	struct answer a = {.layout = symbols_layout(&h)};

	a.bytes = calloc(1, a.layout.end);
	assert_non_null(a.bytes);
	a.header = (void *)a.bytes;
	a.addrs = (void *)(a.bytes + a.layout.addrs);
	a.frames = (void *)(a.bytes + a.layout.frames);
	a.functions = (void *)(a.bytes + a.layout.functions);
	a.strings = a.bytes + a.layout.strings;
	*a.header = h;
	a.addrs[0] = (struct msg_symbol_addr){0x1234, 0, 2, SYMBOL_SOURCE_DWARF};
	a.addrs[1] = (struct msg_symbol_addr){0x5678, 2, 0, SYMBOL_SOURCE_NONE};
	a.frames[0] = (struct msg_symbol_frame){0, 12};
	a.frames[1] = (struct msg_symbol_frame){1, 21};
	a.functions[0] = (struct msg_symbol_function){NAME, SYSTEM_NAME, FILENAME, 10};
	a.functions[1] = (struct msg_symbol_function){MAIN, MAIN, FILENAME, 20};
	memcpy(a.strings, strings, sizeof(strings));
	return a;
}

static int check(const struct answer *a)
{
	struct symbols_view v = {0};
	int r = symbols_view__init(&v, a->bytes, a->layout.end, 2);

	assert_true(r == 0 || !v.header); /* untouched on failure */
	return r;
}

static void parts_are_aligned_and_in_order(void **state)
{
	struct msg_symbols h = {.n_addrs = 3, .n_frames = 5, .n_functions = 1, .n_string_bytes = 7};
	struct symbols_layout l = symbols_layout(&h);

	assert_int_equal(l.addrs % 8 + l.frames % 8 + l.functions % 8 + l.strings % 8, 0);
	assert_true(l.addrs >= sizeof(h));
	assert_true(l.frames >= l.addrs + 3 * sizeof(struct msg_symbol_addr));
	assert_true(l.functions >= l.frames + 5 * sizeof(struct msg_symbol_frame));
	assert_true(l.strings >= l.functions + sizeof(struct msg_symbol_function));
	assert_int_equal(l.end, l.strings + 7);
}

static void largest_counts_do_not_overflow(void **state)
{
	struct msg_symbols h = {
	    .n_addrs = UINT32_MAX,
	    .n_frames = UINT32_MAX,
	    .n_functions = UINT32_MAX,
	    .n_string_bytes = UINT32_MAX,
	};
	struct symbols_layout l = symbols_layout(&h);

	assert_true(l.addrs < l.frames && l.frames < l.functions && l.functions < l.strings &&
		    l.strings < l.end);
}

static void a_good_answer_is_read(void **state)
{
	struct answer a = make_answer();
	struct symbols_view v;
	const struct msg_symbol_function *f;

	assert_int_equal(symbols_view__init(&v, a.bytes, a.layout.end, 2), 0);
	assert_int_equal(v.addrs[0].vaddr, 0x1234);
	f = &v.functions[v.frames[v.addrs[0].first_frame].function];
	assert_string_equal(v.strings + f->name, "inner(int)");
	assert_string_equal(v.strings + f->system_name, "_Z5inneri");
	assert_string_equal(v.strings + f->filename, "/src/p.cc");
	assert_int_equal(v.addrs[1].n_frames, 0);
	free(a.bytes);
}

static void sizes_must_fit(void **state)
{
	struct answer a = make_answer();
	struct symbols_view v;

	for (size_t n = 0; n < a.layout.end; n++) {
		/* A copy of the exact size, so that reading over its end is seen. */
		cleanup_free char *cut = malloc(n + !n);

		memcpy(cut, a.bytes, n);
		assert_int_equal(symbols_view__init(&v, cut, n, 2), -EBADMSG);
	}
	assert_int_equal(symbols_view__init(&v, a.bytes, a.layout.end, 1), -EBADMSG);
	assert_int_equal(symbols_view__init(&v, a.bytes, a.layout.end, 3), -EBADMSG);
	a.header->n_functions = UINT32_MAX;
	assert_int_equal(check(&a), -EBADMSG);
	free(a.bytes);
}

/* Each index set one too far, in a copy of the good answer. */
static void every_index_is_checked(void **state)
{
	for (int i = 0; i < 9; i++) {
		struct answer a = make_answer();

		assert_int_equal(check(&a), 0);
		if (i == 0)
			a.addrs[0].first_frame = 1;
		if (i == 1)
			a.addrs[0].n_frames = 3;
		if (i == 2)
			a.addrs[1].first_frame = UINT32_MAX;
		if (i == 3)
			a.addrs[0].source = SYMBOL_SOURCE_MAX;
		if (i == 4)
			a.addrs[0].source = SYMBOL_SOURCE_NONE;
		if (i == 5)
			a.frames[1].function = 2;
		if (i == 6)
			a.functions[1].name = sizeof(strings);
		if (i == 7)
			a.functions[1].system_name = UINT32_MAX;
		if (i == 8)
			a.functions[0].filename = sizeof(strings);
		assert_int_equal(check(&a), -EBADMSG);
		free(a.bytes);
	}
}

static void strings_end(void **state)
{
	struct answer a = make_answer();

	a.strings[sizeof(strings) - 1] = 'x';
	assert_int_equal(check(&a), -EBADMSG);
	free(a.bytes);
	a = make_answer();
	a.strings[0] = 'x'; /* string 0 is the empty one */
	assert_int_equal(check(&a), -EBADMSG);
	free(a.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_are_aligned_and_in_order),
	    cmocka_unit_test(largest_counts_do_not_overflow),
	    cmocka_unit_test(a_good_answer_is_read),
	    cmocka_unit_test(sizes_must_fit),
	    cmocka_unit_test(every_index_is_checked),
	    cmocka_unit_test(strings_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
