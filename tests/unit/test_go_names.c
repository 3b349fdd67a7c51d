/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolizer/go_names: whole chains of inlined calls, with lines and start lines, out of every
 * layout of Go's table; nothing of code that is not Go's; no end to be had by loops.
 */
#include "symbolizer/go_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "daemon/ipc/symbols.h"
#include "tests/unit/go_image.h"

static const struct go_function functions[] = {
    {"main.outer", "", 0, NULL, 0},
    {"main.leaf", "", 0, NULL, 0},
    {"main.middle", "", 0, NULL, 0},
    {"c_function", "", 0, NULL, 0},
};

/* main.outer: four bytes of main.leaf in main.middle, four of main.middle, and eight of its own. */
static const struct go_source sources[] = {
    {"\x02\x10", "\x16\x04\x14\x04\x14\x08", "\x04\x04\x01\x04\x01\x08", 5},
    {"\x02\x10", "\x0c\x10", NULL, 1},
    {"\x04\x10", "\x0c\x10", NULL, 3},
    {NULL, NULL, NULL, 0},
};
static const struct go_inlined inlined[] = {{2, 9, 3}, {1, 5, 1}};

static void init(struct go_image *image, enum go_layout layout)
{
	*image = (struct go_image){
	    .layout = layout,
	    .functions = functions,
	    .sources = sources,
	    .n = ARRAY_SIZE(functions),
	    .inlined = inlined,
	    .n_inlined = ARRAY_SIZE(inlined),
	};
	go_image__fill(image);
}

struct result {
	struct symbols_view view;
	void *payload;
	int found_inlined;
};

/* Names N addresses of IMAGE, of which the names lie in RET until result__fini(). */
static void name(const struct go_image *image, const uint64_t *vaddrs, uint32_t n,
		 struct result *ret)
{
	struct gopclntab *tab;
	struct elf_file *file;
	struct answer *answer;
	struct limits limits;
	uint32_t addrs[16];
	size_t n_payload;
	int fd = go_image__fd(image);

	for (uint32_t i = 0; i < n; i++)
		addrs[i] = i;
	limits__init(&limits, n);
	assert_int_equal(answer__new(&answer, n, true, &limits), 0);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(gopclntab__open(&tab, file), GOPCLNTAB_OK);
	ret->found_inlined = gopclntab__find_inlined(tab);
	assert_int_equal(go_names_run(&(struct go_names){
			     .tab = tab,
			     .vaddrs = vaddrs,
			     .addrs = addrs,
			     .n = n,
			     .answer = answer,
			     .limits = &limits,
			 }),
			 0);
	assert_int_equal(answer__encode(answer, false, &ret->payload, &n_payload), 0);
	assert_int_equal(symbols_view__init(&ret->view, ret->payload, n_payload, n), 0);
	answer__free(answer);
	gopclntab__close(tab);
	elf_file__close(file);
	close(fd);
}

static void check_frame(const struct result *r, uint32_t addr, uint32_t i, const char *want,
			const char *file, uint32_t line, uint32_t start_line)
{
	const struct msg_symbol_addr *a = &r->view.addrs[addr];
	const struct msg_symbol_frame *f = &r->view.frames[a->first_frame + i];
	const struct msg_symbol_function *fn = &r->view.functions[f->function];

	assert_int_equal(a->source, SYMBOL_SOURCE_GO);
	assert_true(i < a->n_frames);
	assert_string_equal(r->view.strings + fn->name, want);
	assert_string_equal(r->view.strings + fn->system_name, want);
	assert_string_equal(r->view.strings + fn->filename, file);
	assert_int_equal(f->line, line);
	assert_int_equal(fn->start_line, start_line);
}

static const uint64_t vaddrs[] = {
    GO_TEXT - 1,    GO_TEXT + 1,     GO_TEXT + 4,     GO_TEXT + 15,    GO_TEXT + 16,
    GO_TEXT + 0x80, GO_TEXT + 0x101, GO_TEXT + 0x181, GO_TEXT + 0x200,
};

static void names_whole_chains(void **state)
{
	static const unsigned n_frames[] = {0, 3, 2, 1, 0, 1, 1, 0, 0};

	for (int how = 0; how < 6; how++) {
		enum go_layout layout = (enum go_layout)(how % 3);
		bool lines = layout == GO_120;
		struct go_image image;
		struct result r;

		init(&image, layout);
		image.no_sections = image.no_text = how >= 3;
		go_image__fill(&image);
		name(&image, vaddrs, ARRAY_SIZE(vaddrs), &r);
		assert_int_equal(r.found_inlined, GOPCLNTAB_OK);
		for (size_t i = 0; i < ARRAY_SIZE(vaddrs); i++)
			assert_int_equal(r.view.addrs[i].n_frames, n_frames[i]);
		check_frame(&r, 1, 0, "main.leaf", "/src/main.go", 10, lines ? 1 : 0);
		check_frame(&r, 1, 1, "main.middle", "/src/main.go", 20, lines ? 3 : 0);
		check_frame(&r, 1, 2, "main.outer", "/src/main.go", 30, lines ? 5 : 0);
		check_frame(&r, 2, 0, "main.middle", "/src/main.go", 20, lines ? 3 : 0);
		check_frame(&r, 2, 1, "main.outer", "/src/main.go", 30, lines ? 5 : 0);
		check_frame(&r, 3, 0, "main.outer", "/src/main.go", 30, lines ? 5 : 0);
		/* Its file is one that the linker has left out. */
		check_frame(&r, 6, 0, "main.middle", "", 5, lines ? 3 : 0);
		free(r.payload);
	}
}

static void finds_trees_behind_the_records(void **state)
{
	struct go_image image;
	struct result r;

	init(&image, GO_120);
	image.tree_behind = true;
	go_image__fill(&image);
	name(&image, vaddrs, ARRAY_SIZE(vaddrs), &r);
	assert_int_equal(r.found_inlined, GOPCLNTAB_OK);
	assert_int_equal(r.view.addrs[1].n_frames, 3);
	free(r.payload);
}

/* Names GO_TEXT + 1 with the tree of INLINED, of 1.20. */
static void name_with_tree(const struct go_inlined *tree, struct result *ret)
{
	struct go_image image;

	init(&image, GO_120);
	image.inlined = tree;
	go_image__fill(&image);
	name(&image, vaddrs, 2, ret);
}

static void broken_trees_leave_the_function(void **state)
{
	/* A call from outside of the function; one that is its own caller. */
	static const struct go_inlined outside[] = {{2, 9, 3}, {1, 0x1000, 1}};
	static const struct go_inlined loop[] = {{2, 9, 3}, {1, 1, 1}};
	static const struct go_inlined bad[] = {{2, UINT32_MAX, 3}, {1, UINT32_MAX, 1}};
	struct result r;

	name_with_tree(outside, &r);
	assert_int_equal(r.view.addrs[1].n_frames, 1);
	check_frame(&r, 1, 0, "main.outer", "/src/main.go", 10, 5);
	free(r.payload);
	name_with_tree(loop, &r);
	assert_int_equal(r.view.addrs[1].n_frames, 2);
	check_frame(&r, 1, 1, "main.outer", "/src/main.go", 10, 5);
	free(r.payload);
	/* Nothing there is a tree, so it is elsewhere. */
	name_with_tree(bad, &r);
	assert_int_equal(r.found_inlined, GOPCLNTAB_NONE);
	assert_int_equal(r.view.addrs[1].n_frames, 1);
	free(r.payload);
}

/* Every byte of the table, one after the other. Sanitizers look on. */
static void survives_any_byte(void **state)
{
	static const unsigned char values[] = {0, 1, 0x80, 0xff};

	for (size_t at = 8; at < 400; at++) {
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			struct gopclntab *tab;
			struct elf_file *file;
			struct go_image image;
			struct result r;
			int fd;

			init(&image, (enum go_layout)(at % 3));
			image.table[at] = values[k];
			fd = go_image__fd(&image);
			assert_int_equal(elf_file__open(&file, fd), 0);
			if (gopclntab__open(&tab, file) == GOPCLNTAB_OK) {
				gopclntab__close(tab);
				name(&image, vaddrs, ARRAY_SIZE(vaddrs), &r);
				free(r.payload);
			}
			elf_file__close(file);
			close(fd);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_whole_chains),
	    cmocka_unit_test(finds_trees_behind_the_records),
	    cmocka_unit_test(broken_trees_leave_the_function),
	    cmocka_unit_test(survives_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
