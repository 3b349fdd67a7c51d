/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/names_cache: what was learned in one run is known in the next. */
#include "daemon/collector/names_cache.c"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/made_answer.h"
#include "tests/unit/scratch_dir.h"

static int open_file(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
	return fd;
}

/* The names of the file PATH, which has this TEXT. */
static struct names_sources sources_of(const char *path, const char *text)
{
	cleanup_close int fd = open_file(path, text);
	struct names_sources s = {.of_file = {.build_id = {.size = 2, .bytes = {1, 2}}}};

	assert_int_equal(file_identity_of_named(fd, &s.file), 0);
	return s;
}

static struct names_cache *open_cache(void)
{
	struct names_cache *c = NULL;

	if (access("symbolizer", F_OK) < 0)
		close_fd(open_file("symbolizer", "finds names"));
	assert_int_equal(names_cache__new(&c, "above/names", "symbolizer"), 0);
	return c;
}

static void add(struct names_cache *c, const struct names_sources *s, uint32_t n_kept,
		uint64_t first, uint32_t n, const char *word)
{
	struct made_answer a = made_answer(first, n, word);

	assert_int_equal(names_cache__add(c, s, n_kept, a.offs, &a.view), 0);
	made_answer__fini(&a);
}

/* Whether the file of S holds just the addresses [0, N) with these names. */
static bool has(struct names_cache *c, const struct names_sources *s, uint32_t n, const char *word)
{
	_cleanup_(names_file__fini) struct names_file f = {0};
	uint32_t at;

	if (names_cache__find(c, &s->file, &f) < 0 || names_file__count(&f) != n ||
	    !names_sources_equal(f.sources, s))
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!names_file__find(&f, made_off(i), &at) || !made_is_at(&f.view, at, i, word))
			return false;
	return true;
}

static void what_was_learned_is_known_in_the_next_run(void **state)
{
	struct names_sources a = sources_of("a", "program a"), b = sources_of("b", "program b");
	struct names_cache *c = open_cache();
	struct names_file f = {0};

	assert_int_equal(names_cache__find(c, &a.file, &f), -ENOENT);
	add(c, &a, 0, 0, 10, "f");
	add(c, &b, 0, 0, 20, "g");
	assert_int_equal(names_cache__find(c, &a.file, &f), -ENOENT); /* it waits */
	assert_null(names_cache__free(c));
	c = open_cache();
	assert_true(has(c, &a, 10, "f"));
	assert_true(has(c, &b, 20, "g"));
	names_cache__free(c);
	assert_null(names_cache__free(NULL));
}

/* Much is saved at once, little waits until it is more, or until the end. */
static void it_is_saved_when_it_is_worth_it(void **state)
{
	struct names_sources a = sources_of("a", "program a");
	struct names_cache *c = open_cache();

	add(c, &a, 0, 0, 100, "f");
	names_cache__save(c);
	assert_true(has(c, &a, 100, "f"));
	assert_int_equal(c->n_waiting, 0);
	assert_int_equal(c->n_bytes, 0);
	add(c, &a, 100, 100, 20, "f");
	names_cache__save(c);
	assert_true(has(c, &a, 100, "f"));
	add(c, &a, 100, 120, 10, "f");
	names_cache__save(c);
	assert_true(has(c, &a, 130, "f"));
	add(c, &a, 130, 130, 1, "f");
	names_cache__free(c);
	c = open_cache();
	assert_true(has(c, &a, 131, "f"));
	names_cache__free(c);
}

static void not_too_much_waits(void **state)
{
	struct names_sources a = sources_of("a", "program a"), b = sources_of("b", "program b");
	struct names_cache *c = open_cache();

	add(c, &a, UINT32_MAX, 0, 10, "f");
	names_cache__save(c);
	assert_int_equal(c->n_waiting, 1);
	add(c, &b, UINT32_MAX, 0, 40000, "g");
	assert_true(c->n_bytes > NAMES_CACHE_WAITING_MAX);
	names_cache__save(c);
	assert_int_equal(c->n_waiting, 0);
	assert_int_equal(c->n_bytes, 0);
	assert_true(has(c, &a, 10, "f"));
	assert_true(has(c, &b, 40000, "g"));
	names_cache__free(c);
}

/* A debug file has turned up: the names from before do not come back. */
static void names_of_other_sources_go(void **state)
{
	struct names_sources a = sources_of("a", "program a"), better = a;
	struct names_cache *c = open_cache();

	better.debug = sources_of("a.debug", "names of a").file;
	add(c, &a, 0, 0, 100, "symbol");
	names_cache__save(c);
	assert_true(has(c, &a, 100, "symbol"));
	assert_false(has(c, &better, 100, "symbol"));
	add(c, &better, 0, 0, 50, "function");
	names_cache__save(c);
	assert_true(has(c, &better, 50, "function"));
	/* Both while waiting: the newer ones stay. */
	add(c, &a, UINT32_MAX, 0, 70, "symbol");
	add(c, &better, UINT32_MAX, 0, 60, "function");
	names_cache__free(c);
	c = open_cache();
	assert_true(has(c, &better, 60, "function"));
	names_cache__free(c);
}

/* Whoever copies a build id gets no names of others, and gives them none, in both orders. */
static void a_copied_build_id_poisons_nobody(void **state)
{
	for (int order = 0; order < 2; order++) {
		struct names_sources libc = sources_of("libc", "libc itself");
		struct names_sources forged = sources_of("forged", "libc itself");
		struct names_cache *c = open_cache();
		struct names_file f = {0};

		assert_memory_equal(&libc.of_file, &forged.of_file, sizeof(libc.of_file));
		add(c, order ? &forged : &libc, 0, 0, 10, order ? "lie" : "truth");
		names_cache__save(c);
		assert_int_equal(names_cache__find(c, order ? &libc.file : &forged.file, &f),
				 -ENOENT);
		add(c, order ? &libc : &forged, 0, 0, 10, order ? "truth" : "lie");
		names_cache__free(c);
		c = open_cache();
		assert_true(has(c, &libc, 10, "truth"));
		assert_true(has(c, &forged, 10, "lie"));
		names_cache__free(c);
	}
}

/* Finds the one file in the cache. */
static void the_file(char *path, size_t size)
{
	cleanup_closedir DIR *dir = opendir("above/names");
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) && e->d_name[0] == '.')
		;
	assert_non_null(e);
	snprintf(path, size, "above/names/%s", e->d_name);
}

static void what_is_damaged_is_not_there(void **state)
{
	struct names_sources a = sources_of("a", "program a");
	struct names_cache *c = open_cache();
	struct names_file f = {0};
	char path[300], byte;
	struct stat st;

	add(c, &a, 0, 0, 10, "f");
	names_cache__save(c);
	the_file(path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 13) {
		cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(names_cache__find(c, &a.file, &f), -ENOENT);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_true(has(c, &a, 10, "f"));
	for (off_t n = st.st_size - 1; n > 0; n -= 101) {
		assert_int_equal(truncate(path, n), 0);
		assert_int_equal(names_cache__find(c, &a.file, &f), -ENOENT);
	}
	assert_int_equal(truncate(path, NAMES_CACHE_FILE_MAX + 1), 0);
	assert_int_equal(names_cache__find(c, &a.file, &f), -ENOENT);
	/* What was damaged is written anew. */
	add(c, &a, 0, 0, 20, "g");
	names_cache__save(c);
	assert_true(has(c, &a, 20, "g"));
	names_cache__free(c);
}

static void another_symbolizer_finds_other_names(void **state)
{
	struct names_sources a = sources_of("a", "program a");
	struct names_cache *c = open_cache();

	add(c, &a, 0, 0, 10, "f");
	names_cache__free(c);
	close_fd(open_file("symbolizer", "finds more names"));
	c = open_cache();
	assert_false(has(c, &a, 10, "f"));
	names_cache__free(c);
}

/* One that has grown too large begins anew. */
static void a_file_has_a_limit(void **state)
{
	struct names_sources a = sources_of("a", "program a");
	struct names_cache *c = open_cache();

	add(c, &a, 0, 0, 60000, "f");
	names_cache__save(c);
	assert_true(has(c, &a, 60000, "f"));
	add(c, &a, 60000, 60000, 60000, "f");
	names_cache__save(c);
	assert_false(has(c, &a, 60000, "f"));
	add(c, &a, 0, 0, 10, "f");
	names_cache__free(c);
	c = open_cache();
	assert_false(has(c, &a, 10, "f")); /* joined with the second half */
	names_cache__free(c);
}

/* A disk that is full or a directory that is gone costs nothing but time. */
static void what_cannot_be_written_is_forgotten(void **state)
{
	struct names_sources a = sources_of("a", "program a");
	struct names_cache *c = open_cache();

	assert_int_equal(rmdir("above/names"), 0);
	add(c, &a, 0, 0, 10, "f");
	names_cache__save(c);
	assert_int_equal(c->n_waiting, 0);
	names_cache__free(c);
	assert_int_equal(chmod("above", 0755), 0);
	assert_int_equal(mkdir("above/names", 0755), 0);
	c = NULL;
	assert_int_equal(names_cache__new(&c, "above/names", "symbolizer"), -EPERM);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(what_was_learned_is_known_in_the_next_run),
	    in_scratch_dir(it_is_saved_when_it_is_worth_it),
	    in_scratch_dir(not_too_much_waits),
	    in_scratch_dir(names_of_other_sources_go),
	    in_scratch_dir(a_copied_build_id_poisons_nobody),
	    in_scratch_dir(what_is_damaged_is_not_there),
	    in_scratch_dir(another_symbolizer_finds_other_names),
	    in_scratch_dir(a_file_has_a_limit),
	    in_scratch_dir(what_cannot_be_written_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
