/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/names_file: what is taken from the disk is what was written, or nothing. */
#include "daemon/collector/names_file.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/made_answer.h"

#define BYTES_MAX (1u << 20)

static const struct file_identity maker = {.dev = 1, .ino = 2, .size = 3};

static const struct names_sources sources = {
    .file = {.dev = 5, .ino = 6, .size = 7, .mtime_s = 8, .ctime_s = 9, .ctime_ns = 10},
    .debug = {.dev = 5, .ino = 60},
    .of_file = {.build_id = {.size = 2, .bytes = {0xab, 0xcd}}, .debuglink = "x.debug"},
    .of_debug = {.has_dwarf = 1, .alt_path = "/.dwz/x"},
};

/* The bytes of a file of N batches. */
static void *make(const struct made_answer *answers, size_t n, size_t *ret_n)
{
	struct names_batch batches[4];
	void *bytes = NULL;

	for (size_t i = 0; i < n; i++)
		batches[i] = (struct names_batch){answers[i].offs, answers[i].view};
	assert_int_equal(names_file_make(&sources, &maker, batches, n, BYTES_MAX, &bytes, ret_n),
			 0);
	return bytes;
}

static int take(struct names_file *ret, const void *bytes, size_t n)
{
	void *copy = malloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	return names_file__init(ret, copy, n, &sources.file, &maker);
}

static bool has(const struct names_file *f, uint64_t i, const char *word)
{
	uint32_t at;

	return names_file__find(f, made_off(i), &at) && f->offs[at] == made_off(i) &&
	       made_is_at(&f->view, at, i, word);
}

static void what_was_put_in_comes_out(void **state)
{
	struct made_answer a = made_answer(10, 100, "f");
	struct names_file f = {0};
	uint32_t at;
	size_t n;
	void *bytes = make(&a, 1, &n);

	assert_int_equal(take(&f, bytes, n), 0);
	assert_int_equal(names_file__count(&f), 100);
	for (uint64_t i = 10; i < 110; i++) {
		assert_true(has(&f, i, "f"));
		assert_false(names_file__find(&f, made_off(i) + 1, &at));
	}
	assert_false(names_file__find(&f, 0, &at));
	assert_false(names_file__find(&f, made_off(9), &at));
	assert_false(names_file__find(&f, UINT64_MAX, &at));
	assert_true(names_sources_equal(f.sources, &sources));
	assert_string_equal(f.sources->of_file.debuglink, "x.debug");
	assert_string_equal(f.sources->of_debug.alt_path, "/.dwz/x");
	names_file__fini(&f);
	assert_int_equal(names_file__count(&f), 0);
	assert_false(names_file__find(&f, made_off(10), &at));
	made_answer__fini(&a);
	free(bytes);
}

static void batches_are_one_file(void **state)
{
	struct made_answer a[3] = {made_answer(50, 60, "newest"), made_answer(0, 70, "newer"),
				   made_answer(65, 100, "old")};
	struct names_file f = {0};
	size_t n;
	void *bytes = make(a, 3, &n);

	assert_int_equal(take(&f, bytes, n), 0);
	assert_int_equal(names_file__count(&f), 165);
	for (uint64_t i = 0; i < 165; i++)
		assert_true(has(&f, i, i < 50 ? "newer" : i < 110 ? "newest" : "old"));
	names_file__fini(&f);
	for (int i = 0; i < 3; i++)
		made_answer__fini(&a[i]);
	free(bytes);
}

static void the_same_in_gives_the_same_out(void **state)
{
	struct made_answer a = made_answer(0, 50, "f");
	size_t n, n_again;
	void *bytes = make(&a, 1, &n), *again = make(&a, 1, &n_again);

	assert_int_equal(n, n_again);
	assert_memory_equal(bytes, again, n);
	free(bytes);
	free(again);
	made_answer__fini(&a);
}

static void too_much_is_refused(void **state)
{
	struct made_answer a = made_answer(0, 50, "f");
	const struct names_batch batch = {a.offs, a.view};
	void *bytes = NULL;
	size_t n;

	assert_int_equal(names_file_make(&sources, &maker, &batch, 1, 4000, &bytes, &n), -EFBIG);
	assert_null(bytes);
	made_answer__fini(&a);
}

/* Not what it says it is of, or of another time. */
static void of_another_file_or_maker(void **state)
{
	struct made_answer a = made_answer(0, 5, "f");
	struct file_identity other = sources.file;
	struct names_file f = {0};
	size_t n;
	void *bytes = make(&a, 1, &n);
	void *copy = malloc(n);

	other.ctime_ns++;
	memcpy(copy, bytes, n);
	assert_int_equal(names_file__init(&f, copy, n, &other, &maker), -EBADMSG);
	assert_int_equal(names_file__init(&f, bytes, n, &sources.file, &other), -EBADMSG);
	assert_null(f.bytes);
	made_answer__fini(&a);
}

/* Every bit and every length. */
static void what_is_damaged_is_nothing(void **state)
{
	struct made_answer a = made_answer(0, 20, "f");
	struct names_file f = {0};
	size_t n;
	char *bytes = make(&a, 1, &n);

	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= (char)(1 << i % 8);
		assert_int_equal(take(&f, bytes, n), -EBADMSG);
		bytes[i] ^= (char)(1 << i % 8);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(take(&f, bytes, i), -EBADMSG);
	assert_int_equal(take(&f, bytes, n), 0);
	names_file__fini(&f);
	made_answer__fini(&a);
	free(bytes);
}

/* Takes a file in whose N bytes something is wrong that the hash does not tell. */
static void wrong(void *bytes, size_t n)
{
	struct names_file_head *head = bytes;
	struct names_file f = {0};

	head->hash = 0;
	head->hash = hash_of(bytes, n);
	assert_int_equal(take(&f, bytes, n), -EBADMSG);
	assert_null(f.bytes);
}

/* Sets the field of SIZE bytes at OFF to VALUE, which is then wrong; and back. */
static void wrong_field(char *bytes, size_t n, size_t off, size_t size, uint64_t value)
{
	char old[8];

	memcpy(old, bytes + off, size);
	memcpy(bytes + off, &value, size);
	wrong(bytes, n);
	memcpy(bytes + off, old, size);
}

#define HEAD(field) offsetof(struct names_file_head, field)

static void no_field_is_believed(void **state)
{
	struct made_answer a = made_answer(1, 20, "f");
	struct names_file f = {0};
	size_t n, offs = sizeof(struct names_file_head), body = offs + 20 * 8;
	char *bytes = make(&a, 1, &n);
	struct symbols_layout l = symbols_layout((void *)(bytes + body));

	wrong_field(bytes, n, HEAD(magic), 8, MAGIC + 1);
	wrong_field(bytes, n, HEAD(version), 4, VERSION + 1);
	wrong_field(bytes, n, HEAD(n_addrs), 4, 19);
	wrong_field(bytes, n, HEAD(n_addrs), 4, 21);
	wrong_field(bytes, n, HEAD(n_addrs), 4, UINT32_MAX);
	wrong_field(bytes, n, HEAD(n_addrs), 4, SYMBOLIZE_ADDRS_MAX);
	wrong_field(bytes, n, HEAD(n_bytes), 8, n - 1);
	wrong_field(bytes, n, HEAD(n_bytes), 8, UINT64_MAX);
	wrong_field(bytes, n, HEAD(sources.file.ino), 8, 77);
	wrong_field(bytes, n, HEAD(maker.size), 8, 77);
	wrong_field(bytes, n, HEAD(sources.of_file.build_id.size), 4, BUILD_ID_MAX + 1);
	wrong_field(bytes, n, HEAD(sources.of_file.alt_build_id.size), 4, BUILD_ID_MAX + 1);
	wrong_field(bytes, n, HEAD(sources.of_debug.build_id.size), 4, UINT32_MAX);
	wrong_field(bytes, n, HEAD(sources.of_debug.alt_build_id.size), 4, UINT32_MAX);
	/* Addresses that are not ascending. */
	wrong_field(bytes, n, offs + 8, 8, made_off(1));
	wrong_field(bytes, n, offs + 8, 8, 0);
	wrong_field(bytes, n, offs, 8, UINT64_MAX);
	/* What the answer's own check finds. */
	wrong_field(bytes, n, body + offsetof(struct msg_symbols, n_frames), 4, UINT32_MAX);
	wrong_field(bytes, n, body + offsetof(struct msg_symbols, n_functions), 4, 1u << 30);
	wrong_field(bytes, n, body + offsetof(struct msg_symbols, n_string_bytes), 4, 0);
	wrong_field(bytes, n, body + l.addrs + offsetof(struct msg_symbol_addr, first_frame), 4,
		    UINT32_MAX);
	wrong_field(bytes, n, body + l.addrs + offsetof(struct msg_symbol_addr, n_frames), 2,
		    SYMBOL_CHAIN_MAX + 1);
	wrong_field(bytes, n, body + l.addrs + offsetof(struct msg_symbol_addr, source), 2,
		    SYMBOL_SOURCE_MAX);
	wrong_field(bytes, n, body + l.frames, 4, UINT32_MAX);
	wrong_field(bytes, n, body + l.functions, 4, UINT32_MAX);
	wrong_field(bytes, n, body + l.functions + 8, 4, 2); /* inside of a string */
	wrong_field(bytes, n, n - 1, 1, 'x');
	((struct names_file_head *)bytes)->hash = 0;
	((struct names_file_head *)bytes)->hash = hash_of(bytes, n);
	assert_int_equal(take(&f, bytes, n), 0);
	names_file__fini(&f);
	made_answer__fini(&a);
	free(bytes);
}

static void strings_that_do_not_end(void **state)
{
	struct made_answer a = made_answer(1, 2, "f");
	size_t n;
	char *bytes = make(&a, 1, &n);
	struct names_file_head *head = (void *)bytes, good = *head;

	memset(head->sources.of_file.debuglink, 'x', sizeof(head->sources.of_file.debuglink));
	wrong(bytes, n);
	*head = good;
	memset(head->sources.of_debug.alt_path, 'x', sizeof(head->sources.of_debug.alt_path));
	wrong(bytes, n);
	made_answer__fini(&a);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_in_comes_out),
	    cmocka_unit_test(batches_are_one_file),
	    cmocka_unit_test(the_same_in_gives_the_same_out),
	    cmocka_unit_test(too_much_is_refused),
	    cmocka_unit_test(of_another_file_or_maker),
	    cmocka_unit_test(what_is_damaged_is_nothing),
	    cmocka_unit_test(no_field_is_believed),
	    cmocka_unit_test(strings_that_do_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
