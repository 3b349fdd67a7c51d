/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/answer: what goes in comes out of the encoding, each thing once, and always fits. */
#include "symbolizer/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ipc/symbols.h"

static struct answer_frame frame(struct answer *answer, const char *linkage, uint32_t line)
{
	struct answer_frame f = {.line = line};

	assert_int_equal(answer__names(answer, linkage, strlen(linkage), &f.function.system_name,
				       &f.function.name),
			 0);
	assert_int_equal(answer__string(answer, "/src/a.cc", 9, &f.function.filename), 0);
	f.function.start_line = 3;
	return f;
}

static void comes_out_as_it_went_in(void **state)
{
	struct answer_frame frames[2];
	const struct msg_symbol_function *f;
	struct answer *answer;
	struct symbols_view view;
	struct limits limits;
	void *payload;
	size_t n;

	limits__init(&limits, 4);
	assert_int_equal(answer__new(&answer, 4, false, &limits), 0);
	frames[0] = frame(answer, "_Z4leafi", 7);
	frames[1] = frame(answer, "_Z5outeri.cold", 9);
	for (uint32_t i = 0; i < 3; i++) {
		answer__set_vaddr(answer, i, 0x1000 + i);
		/* The third is in another line. */
		frames[0].line = i == 2 ? 8 : 7;
		assert_int_equal(answer__set_frames(answer, i, SYMBOL_SOURCE_DWARF, frames, 2), 0);
		assert_true(answer__is_named(answer, i));
	}
	assert_false(answer__is_named(answer, 3));
	assert_int_equal(answer__encode(answer, true, &payload, &n), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, 4), 0);
	assert_int_equal(view.header->debug_ignored, 1);
	assert_int_equal(view.header->n_functions, 2);
	assert_int_equal(view.header->n_frames, 4);
	assert_int_equal(view.addrs[0].first_frame, view.addrs[1].first_frame);
	assert_int_equal(view.addrs[2].first_frame, 2);
	assert_int_equal(view.addrs[3].source, SYMBOL_SOURCE_NONE);
	assert_int_equal(view.frames[2].line, 8);
	f = &view.functions[view.frames[1].function];
	assert_string_equal(view.strings + f->name, "outer(int)");
	assert_string_equal(view.strings + f->system_name, "_Z5outeri.cold");
	assert_string_equal(view.strings + f->filename, "/src/a.cc");
	assert_int_equal(f->start_line, 3);
	free(payload);
	answer__free(answer);
	answer__free(NULL);
}

static void names_of_go_stay(void **state)
{
	struct answer *answer;
	struct answer_frame f;
	struct limits limits;

	limits__init(&limits, 1);
	assert_int_equal(answer__new(&answer, 1, true, &limits), 0);
	assert_true(answer__has_raw_names(answer));
	f = frame(answer, "main.(*S[go.shape.int]).cold", 1);
	assert_int_equal(f.function.name, f.function.system_name);
	f = frame(answer, "_Z3foov", 1);
	assert_string_equal(answer__text(answer, f.function.name), "_Z3foov");
	answer__free(answer);
}

/* Whatever stands in a symbol table, what leaves is text. */
static void strings_are_escaped(void **state)
{
	static const struct {
		const char *s, *want;
	} cases[] = {
	    {"a\nb\033[31m", "a\\x0ab\\x1b[31m"},
	    {"\xff\xc3\xa9\xed\xa0\x80", "\\xff\xc3\xa9\\xed\\xa0\\x80"},
	    {"main.T\xc2\xb7"
	     "1",
	     "main.T\xc2\xb7"
	     "1"},
	};
	static char endless[10000];
	struct answer *answer;
	struct answer_frame f;
	struct limits limits;
	uint32_t string;

	limits__init(&limits, 1);
	assert_int_equal(answer__new(&answer, 1, false, &limits), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f = frame(answer, cases[i].s, 1);
		assert_string_equal(answer__text(answer, f.function.name), cases[i].want);
		assert_string_equal(answer__text(answer, f.function.system_name), cases[i].want);
	}
	memset(endless, '\x01', sizeof(endless));
	assert_int_equal(answer__string(answer, endless, sizeof(endless), &string), 0);
	assert_int_equal(strlen(answer__text(answer, string)), 4092);
	answer__free(answer);
}

static void a_frame_without_a_name_names_nothing(void **state)
{
	struct answer_frame f = {0};
	struct answer *answer;
	struct limits limits;

	limits__init(&limits, 1);
	assert_int_equal(answer__new(&answer, 1, false, &limits), 0);
	assert_int_equal(answer__set_frames(answer, 0, SYMBOL_SOURCE_SYMTAB, &f, 1), 0);
	assert_false(answer__is_named(answer, 0));
	answer__free(answer);
}

static void a_full_answer_still_fits(void **state)
{
	static char name[5000];
	struct symbols_view view;
	struct answer *answer;
	struct limits limits;
	uint32_t last = 1;
	void *payload;
	size_t n;

	limits__init(&limits, 1);
	assert_int_equal(answer__new(&answer, 1, false, &limits), 0);
	memset(name, 'x', sizeof(name));
	for (int i = 0; i < 6000; i++) {
		name[snprintf(name, 16, "n%d", i)] = 'x';
		assert_int_equal(answer__string(answer, name, sizeof(name), &last), 0);
	}
	assert_int_equal(last, 0);
	assert_true(limits.hits[LIMIT_ANSWER] > 0);
	assert_int_equal(answer__encode(answer, false, &payload, &n), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, 1), 0);
	assert_true(n < LIMIT_STRING_BYTES_MAX + 1024);
	free(payload);
	answer__free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_out_as_it_went_in),
	    cmocka_unit_test(names_of_go_stay),
	    cmocka_unit_test(strings_are_escaped),
	    cmocka_unit_test(a_frame_without_a_name_names_nothing),
	    cmocka_unit_test(a_full_answer_still_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
