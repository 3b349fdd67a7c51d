/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolizer/gopclntab: functions, names and runs out of Go's table, wherever it is; broken
 * ones.
 */
#include "symbolizer/gopclntab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/go_image.h"

/* Depth 0 for 1 byte, 8 for 3, 40 for 4, and 0 again for 2. */
#define RUNS "\x02\x01\x10\x03\x40\x04\x4f\x02"

static const struct go_function functions[] = {
    {"main.first", "", 0, RUNS, 0},
    {"main.second", "", 0, NULL, GOPCLNTAB_FLAG_ASM},
    {"runtime.goexit", "", 0, "\x02\x81\x01", GOPCLNTAB_FLAG_ASM | GOPCLNTAB_FLAG_TOP_FRAME},
};

static void init(struct go_image *image, enum go_layout layout)
{
	*image = (struct go_image){.layout = layout, .functions = functions, .n = 3};
	go_image__fill(image);
}

/* Opens IMAGE; the table is NULL where there is none to be had. */
static int open_image(const struct go_image *image, struct elf_file **file, int *fd,
		      struct gopclntab **tab)
{
	*tab = NULL;
	*fd = go_image__fd(image);
	assert_int_equal(elf_file__open(file, *fd), 0);
	return gopclntab__open(tab, *file);
}

static void close_image(struct elf_file *file, int fd, struct gopclntab *tab)
{
	gopclntab__close(tab);
	elf_file__close(file);
	close(fd);
}

static void check_functions(struct gopclntab *tab)
{
	uint64_t left_out = 1;
	struct gopclntab_function f;
	char name[32];

	assert_int_equal(gopclntab__n_functions(tab, &left_out), 3);
	assert_int_equal(left_out, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(gopclntab__function(tab, i, &f), GOPCLNTAB_OK);
		assert_int_equal(f.start, GO_TEXT + i * GO_FUNCTION_BYTES);
		assert_int_equal(f.end, f.start + GO_FUNCTION_BYTES);
		assert_int_equal(f.flags, functions[i].flags);
		assert_int_equal(!f.pcsp, !functions[i].pcsp);
		assert_int_equal(gopclntab__name(tab, &f, name, sizeof(name)), GOPCLNTAB_OK);
		assert_string_equal(name, functions[i].name);
		assert_int_equal(gopclntab__name(tab, &f, name, 5), GOPCLNTAB_OK);
		assert_int_equal(strlen(name), 4);
	}
	assert_int_equal(gopclntab__function(tab, 3, &f), GOPCLNTAB_BROKEN);
}

static void reads_every_layout_wherever_it_is(void **state)
{
	for (int layout = GO_116; layout <= GO_120; layout++) {
		for (int how = 0; how < 8; how++) {
			struct gopclntab *tab;
			struct elf_file *file;
			struct go_image image;
			int fd;

			init(&image, (enum go_layout)layout);
			image.no_sections = how & 1;
			image.no_text = how & 2;
			image.relocated = how & 4;
			go_image__fill(&image);
			assert_int_equal(open_image(&image, &file, &fd, &tab), GOPCLNTAB_OK);
			assert_int_equal(gopclntab__has_flags(tab), layout != GO_116);
			check_functions(tab);
			close_image(file, fd, tab);
		}
	}
}

static void reads_runs(void **state)
{
	static const struct {
		uint64_t len;
		int32_t value;
	} want[] = {{1, 0}, {3, 8}, {4, 40}, {2, 0}};
	struct gopclntab_function f;
	struct gopclntab_values it;
	struct gopclntab_run run;
	struct gopclntab *tab;
	struct elf_file *file;
	struct go_image image;
	uint64_t pc = GO_TEXT;
	int fd;

	init(&image, GO_120);
	assert_int_equal(open_image(&image, &file, &fd, &tab), GOPCLNTAB_OK);
	assert_int_equal(gopclntab__function(tab, 0, &f), GOPCLNTAB_OK);
	gopclntab__values(tab, &f, f.pcsp, &it);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(gopclntab_values__next(&it, &run), GOPCLNTAB_OK);
		assert_int_equal(run.start, pc);
		pc += want[i].len;
		assert_int_equal(run.end, pc);
		assert_int_equal(run.value, want[i].value);
	}
	assert_int_equal(gopclntab_values__next(&it, &run), GOPCLNTAB_END);
	/* Lengths of more than a byte. */
	assert_int_equal(gopclntab__function(tab, 2, &f), GOPCLNTAB_OK);
	gopclntab__values(tab, &f, f.pcsp, &it);
	assert_int_equal(gopclntab_values__next(&it, &run), GOPCLNTAB_OK);
	assert_int_equal(run.end - run.start, 129);
	/* Beyond the table. */
	gopclntab__values(tab, &f, UINT32_MAX, &it);
	assert_int_equal(gopclntab_values__next(&it, &run), GOPCLNTAB_BROKEN);
	close_image(file, fd, tab);
}

/* Changes N bytes of the table at AT, and says what comes of it. */
static int broken(enum go_layout layout, size_t at, uint64_t value, size_t n)
{
	struct gopclntab *tab;
	struct elf_file *file;
	struct go_image image;
	int fd, r;

	init(&image, layout);
	go_put(&image, at, value, n);
	r = open_image(&image, &file, &fd, &tab);
	close_image(file, fd, tab);
	return r;
}

static void refuses_broken_headers(void **state)
{
	assert_int_equal(broken(GO_120, 0, 0xfffffffb, 4), GOPCLNTAB_NONE); /* Go 1.2 to 1.15 */
	assert_int_equal(broken(GO_120, 7, 4, 1), GOPCLNTAB_NONE);	    /* 32 bits */
	assert_int_equal(broken(GO_120, 8, 0, 8), GOPCLNTAB_BROKEN);
	assert_int_equal(broken(GO_120, 8, 1ull << 60, 8), GOPCLNTAB_BROKEN);
	assert_int_equal(broken(GO_120, 8, 400, 8), GOPCLNTAB_BROKEN);
	for (size_t at = 32; at <= 64; at += 8)
		if (at == 32 || at >= 56)
			assert_int_equal(broken(GO_118, at, UINT64_MAX - 4, 8), GOPCLNTAB_BROKEN);
	/* An address of no code: the moduledata knows better. */
	assert_int_equal(broken(GO_120, 24, 0x1000, 8), GOPCLNTAB_OK);
}

static void one_broken_function_is_no_harm_to_others(void **state)
{
	struct gopclntab_function f;
	struct gopclntab *tab;
	struct elf_file *file;
	struct go_image image;
	uint64_t functab;
	char name[8];
	int fd;

	init(&image, GO_120);
	memcpy(&functab, image.table + 64, 8);
	go_put(&image, functab + 8 + 4, UINT32_MAX, 4); /* the record of the second */
	assert_int_equal(open_image(&image, &file, &fd, &tab), GOPCLNTAB_OK);
	assert_int_equal(gopclntab__function(tab, 0, &f), GOPCLNTAB_OK);
	assert_int_equal(gopclntab__function(tab, 1, &f), GOPCLNTAB_BROKEN);
	assert_int_equal(gopclntab__function(tab, 2, &f), GOPCLNTAB_OK);
	f.name = UINT32_MAX;
	assert_int_equal(gopclntab__name(tab, &f, name, sizeof(name)), GOPCLNTAB_BROKEN);
	close_image(file, fd, tab);
}

static void other_programs_have_none(void **state)
{
	struct gopclntab *tab = NULL;
	struct elf_image image;
	struct elf_file *file;
	int fd;

	elf_image__init(&image);
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(gopclntab__open(&tab, file), GOPCLNTAB_NONE);
	assert_null(tab);
	assert_null(gopclntab__close(NULL));
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_every_layout_wherever_it_is),
	    cmocka_unit_test(reads_runs),
	    cmocka_unit_test(refuses_broken_headers),
	    cmocka_unit_test(one_broken_function_is_no_harm_to_others),
	    cmocka_unit_test(other_programs_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
