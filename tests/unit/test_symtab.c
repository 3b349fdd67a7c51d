/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/symtab: which symbol names an address, whatever the order of the tables. */
#include "symbolizer/symtab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/elf_image.h"

#define assert_found(t, vaddr, want)                                                               \
	do {                                                                                       \
		const char *found_ = symtab__find(t, vaddr, NULL);                                 \
		assert_non_null(found_);                                                           \
		assert_string_equal(found_, want);                                                 \
	} while (0)

static struct symtab *new_symtab(void)
{
	struct symtab *t;

	assert_int_equal(symtab__new(&t), 0);
	return t;
}

static void sized_symbols_name_only_what_they_hold(void **state)
{
	struct symtab *t = new_symtab();
	uint64_t start;

	symtab__sort(t);
	assert_null(symtab__find(t, 0x1000, NULL));
	assert_int_equal(symtab__add_symbol(t, "b", 0x1100, 0x10, 0, 2), 0);
	assert_int_equal(symtab__add_symbol(t, "a", 0x1000, 0x10, 0, 2), 0);
	symtab__sort(t);
	assert_null(symtab__find(t, 0xfff, NULL));
	assert_found(t, 0x1000, "a");
	assert_found(t, 0x100f, "a");
	assert_null(symtab__find(t, 0x1010, NULL));
	assert_string_equal(symtab__find(t, 0x1105, &start), "b");
	assert_int_equal(start, 0x1100);
	assert_null(symtab__find(t, UINT64_MAX, NULL));
	symtab__free(t);
}

static void unsized_symbols_end_at_the_next_one_or_the_section(void **state)
{
	struct symtab *t = new_symtab();

	assert_int_equal(symtab__add_symbol(t, "one", 0x1000, 0, 0x3000, 0), 0);
	assert_int_equal(symtab__add_symbol(t, "two", 0x2000, 0, 0x3000, 0), 0);
	symtab__sort(t);
	assert_found(t, 0x1fff, "one");
	assert_found(t, 0x2fff, "two");
	assert_null(symtab__find(t, 0x3000, NULL));
	symtab__free(t);
}

/* A label inside of a function is not the function; a function inside of another one is. */
static void nested_symbols(void **state)
{
	struct symtab *t = new_symtab();

	assert_int_equal(symtab__add_symbol(t, "outer", 0x1000, 0x100, 0, 2), 0);
	assert_int_equal(symtab__add_symbol(t, "label", 0x1020, 0, 0x2000, 0), 0);
	assert_int_equal(symtab__add_symbol(t, "inner", 0x1040, 0x10, 0, 0), 0);
	symtab__sort(t);
	assert_found(t, 0x1025, "outer");
	assert_found(t, 0x1045, "inner");
	assert_found(t, 0x1060, "outer");
	symtab__free(t);
}

static void aliases_have_one_name(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
		int rank;
	} aliases[] = {
	    /* The best first, each worse by one rule. */
	    {"read", 16, 2}, {"reed", 16, 2},  {"readv", 16, 2},  {"_read", 16, 2},
	    {"weak", 16, 1}, {"local", 16, 0}, {"unsized", 0, 2},
	};
	const size_t n = sizeof(aliases) / sizeof(aliases[0]);

	for (size_t best = 0; best < n; best++) {
		for (int backwards = 0; backwards < 2; backwards++) {
			struct symtab *t = new_symtab();

			for (size_t k = best; k < n; k++) {
				size_t i = backwards ? n - 1 - (k - best) : k;

				assert_int_equal(symtab__add_symbol(t, aliases[i].name, 0x1000,
								    aliases[i].size, 0x1010,
								    aliases[i].rank),
						 0);
			}
			symtab__sort(t);
			assert_found(t, 0x1004, aliases[best].name);
			symtab__free(t);
		}
	}
}

static void versions_are_not_part_of_a_name(void **state)
{
	assert_int_equal(symbol_name_length("memcpy@@GLIBC_2.14"), 6);
	assert_int_equal(symbol_name_length("memcpy@GLIBC_2.2.5"), 6);
	assert_int_equal(symbol_name_length("plain"), 5);
}

static void reads_the_table_of_a_file(void **state)
{
	static const char names[] = "\0func\0data\0label\0undef\0.Lx\0$x\0";
	const Elf64_Sym symbols[] = {
	    {0},
	    {1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 2, 0x1000, 0x10},
	    {6, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 2, 0x1020, 0x10},
	    {11, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 2, 0x1040, 0},
	    {17, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF, 0x1080, 0x10},
	    {23, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 2, 0x1050, 0},
	    {27, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 2, 0x1060, 0},
	    {999, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 2, 0x1090, 0x10},
	};
	struct symtab *t = new_symtab();
	struct elf_image image;
	struct limits limits;
	struct elf_file *file;
	Elf64_Shdr *shdr;
	int fd;

	limits__init(&limits, 0);
	elf_image__init(&image);
	shdr = elf_image__section(&image, ".text", SHT_PROGBITS, names, 16);
	shdr->sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	shdr->sh_addr = 0x1000;
	shdr->sh_size = 0x100;
	elf_image__section(&image, ".strtab", SHT_STRTAB, names, sizeof(names));
	shdr = elf_image__section(&image, ".symtab", SHT_SYMTAB, symbols, sizeof(symbols));
	shdr->sh_link = 3;
	shdr->sh_entsize = sizeof(symbols[0]);
	shdr->sh_addralign = 8;
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(symtab__add(t, file, ".symtab", &limits), 0);
	assert_int_equal(symtab__add(t, file, ".dynsym", &limits), 0);
	symtab__sort(t);
	assert_found(t, 0x1008, "func");
	assert_null(symtab__find(t, 0x1028, NULL));
	assert_found(t, 0x1070, "label");
	assert_found(t, 0x10ff, "label");
	assert_null(symtab__find(t, 0x1100, NULL));
	symtab__free(t);
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sized_symbols_name_only_what_they_hold),
	    cmocka_unit_test(unsized_symbols_end_at_the_next_one_or_the_section),
	    cmocka_unit_test(nested_symbols),
	    cmocka_unit_test(aliases_have_one_name),
	    cmocka_unit_test(versions_are_not_part_of_a_name),
	    cmocka_unit_test(reads_the_table_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
