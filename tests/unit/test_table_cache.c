/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of unwind tables on disk: what was put there comes back for the same file only,
 * whole. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/collector/table_cache.c"
#include "tests/unit/scratch_dir.h"

#define N_LINES 5

static void write_file(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
}

/* Lines that nobody looks into here. */
static void make_lines(struct unwind_line lines[N_LINES], uint32_t seed)
{
	for (uint32_t i = 0; i < N_LINES; i++)
		for (uint32_t k = 0; k < UNWIND_LINE_WORDS; k++)
			lines[i].w[k] = seed + i * UNWIND_LINE_WORDS + k;
}

static struct table_cache *open_cache(void)
{
	struct table_cache *c = NULL;

	write_file("symbolizer", "makes tables");
	assert_int_equal(table_cache__new(&c, "above/cache", "symbolizer"), 0);
	return c;
}

static int open_program(const char *path, const char *text)
{
	if (text)
		write_file(path, text);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void put(struct table_cache *c, int fd, uint32_t seed)
{
	const struct msg_unwind_table table = {
	    .n_lines = N_LINES, .n_bad = 3, .build_id = {.size = 2, .bytes = {0xab, 0xcd}}};
	struct unwind_line lines[N_LINES];

	make_lines(lines, seed);
	assert_int_equal(table_cache__put(c, fd, &table, lines), 0);
}

/* Whether the table of SEED is there for the file behind FD. */
static bool has(struct table_cache *c, int fd, uint32_t seed)
{
	struct unwind_line lines[N_LINES], want[N_LINES];
	cleanup_close int own = -1;
	struct msg_unwind_table table;

	if (table_cache__find(c, fd, &own, &table) < 0)
		return false;
	assert_int_equal(table.n_lines, N_LINES);
	assert_int_equal(table.n_bad, 3);
	assert_int_equal(table.build_id.size, 2);
	assert_int_equal(table.build_id.bytes[1], 0xcd);
	make_lines(want, seed);
	assert_int_equal(pread_full(own, lines, sizeof(lines), TABLE_CACHE_LINES_OFF),
			 sizeof(lines));
	assert_memory_equal(lines, want, sizeof(lines));
	return true;
}

static void comes_back_for_the_same_file(void **state)
{
	cleanup_close int a = open_program("a", "program a"), b = open_program("b", "program b");
	cleanup_close int a_again = open_program("a", NULL);
	struct table_cache *c = open_cache();

	assert_false(has(c, a, 1));
	put(c, a, 1);
	assert_true(has(c, a, 1));
	assert_true(has(c, a_again, 1));
	assert_false(has(c, b, 1));
	/* Nor is anything forgotten by the next run. */
	table_cache__free(c);
	c = open_cache();
	/* But another symbolizer, as open_cache() has just written, makes other tables. */
	assert_false(has(c, a, 1));
	table_cache__free(c);
	assert_null(table_cache__free(NULL));
}

static void a_file_that_has_changed_is_another(void **state)
{
	cleanup_close int a = open_program("a", "program a");
	struct table_cache *c = open_cache();
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	put(c, a, 1);
	assert_int_equal(futimens(a, past), 0);
	assert_false(has(c, a, 1));
	table_cache__free(c);
}

/* One that is deleted will not be asked for again. */
static void files_without_a_name_are_not_kept(void **state)
{
	const struct msg_unwind_table table = {.n_lines = N_LINES};
	cleanup_close int a = open_program("a", "program a");
	struct unwind_line lines[N_LINES] = {0};
	struct table_cache *c = open_cache();

	assert_int_equal(unlink("a"), 0);
	assert_int_equal(table_cache__put(c, a, &table, lines), -ENOENT);
	table_cache__free(c);
}

/* Finds the one table in the cache. */
static void the_table(char *path, size_t size)
{
	DIR *dir = opendir("above/cache");
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) && e->d_name[0] == '.')
		;
	assert_non_null(e);
	snprintf(path, size, "above/cache/%s", e->d_name);
	closedir(dir);
}

static void what_is_damaged_is_not_there(void **state)
{
	cleanup_close int a = open_program("a", "program a");
	struct table_cache *c = open_cache();
	char path[300];
	struct stat st;

	put(c, a, 1);
	the_table(path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += at < 256 ? 5 : 61) {
		cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
		char old, new;

		/* What fills the first page up says nothing. */
		if (at >= (off_t)sizeof(struct cache_head) && at < TABLE_CACHE_LINES_OFF)
			continue;
		assert_int_equal(pread(fd, &old, 1, at), 1);
		new = old ^ 0x10;
		assert_int_equal(pwrite(fd, &new, 1, at), 1);
		if (at < (off_t)offsetof(struct cache_head, table) || at >= TABLE_CACHE_LINES_OFF) {
			struct msg_unwind_table table;
			cleanup_close int own = -1;

			assert_int_equal(table_cache__find(c, a, &own, &table), -ENOENT);
		}
		assert_int_equal(pwrite(fd, &old, 1, at), 1);
	}
	assert_true(has(c, a, 1));
	for (off_t n = 0; n < st.st_size; n += 37) {
		assert_int_equal(truncate(path, n), 0);
		assert_false(has(c, a, 1));
	}
	put(c, a, 2);
	assert_true(has(c, a, 2));
	table_cache__free(c);
}

static void a_cache_that_cannot_be(void **state)
{
	struct table_cache *c = NULL;

	write_file("symbolizer", "makes tables");
	assert_int_equal(table_cache__new(&c, "symbolizer", "symbolizer"), -ENOTDIR);
	assert_int_equal(table_cache__new(&c, "fine", "nothing"), -ENOENT);
	assert_null(c);
}

static void lies_below_what_systemd_gives(void **state)
{
	char path[200];

	setenv("CACHE_DIRECTORY", "/var/cache/other", 1);
	table_cache_locate(path, sizeof(path));
	assert_string_equal(path, "/var/cache/other/unwind");
	unsetenv("CACHE_DIRECTORY");
	table_cache_locate(path, sizeof(path));
	assert_string_equal(path, "/var/cache/cprofd/unwind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(comes_back_for_the_same_file),
	    in_scratch_dir(a_file_that_has_changed_is_another),
	    in_scratch_dir(files_without_a_name_are_not_kept),
	    in_scratch_dir(what_is_damaged_is_not_there),
	    in_scratch_dir(a_cache_that_cannot_be),
	    cmocka_unit_test(lies_below_what_systemd_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
