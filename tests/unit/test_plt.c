/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/plt: stubs of all three sections, each through its relocation; broken ones. */
#include "symbolizer/plt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/elf_image.h"

#define PLT 0x401000ull
#define SEC 0x402000ull
#define GOT_STUBS 0x403000ull
#define GOT 0x404000ull

static const char names[] = "\0memcpy\0malloc\0free";

struct program {
	uint8_t plt[48], sec[32], got_stubs[16];
	Elf64_Sym symbols[4];
	Elf64_Rela lazy[2], dyn[1];
};

/* "endbr64; jmp *slot(%rip)", or without endbr64. */
static void put_jump(uint8_t *code, uint64_t vaddr, uint64_t slot, bool endbr)
{
	int32_t operand;

	if (endbr) {
		memcpy(code, "\xf3\x0f\x1e\xfa", 4);
		code += 4;
		vaddr += 4;
	}
	operand = (int32_t)(slot - vaddr - 6);
	code[0] = 0xff;
	code[1] = 0x25;
	memcpy(code + 2, &operand, 4);
}

static void init(struct program *p)
{
	*p = (struct program){0};
	for (int i = 0; i < 2; i++) {
		uint8_t *lazy = p->plt + 16 + i * 16;

		memcpy(lazy, "\xf3\x0f\x1e\xfa\x68", 5);
		lazy[5] = (uint8_t)i;
		put_jump(p->sec + i * 16, SEC + (uint64_t)i * 16, GOT + (uint64_t)i * 8, true);
		p->lazy[i].r_offset = GOT + (uint64_t)i * 8;
		p->lazy[i].r_info = ELF64_R_INFO((uint64_t)i + 1, R_X86_64_JUMP_SLOT);
	}
	put_jump(p->got_stubs + 8, GOT_STUBS + 8, GOT + 0x80, false);
	p->dyn[0].r_offset = GOT + 0x80;
	p->dyn[0].r_info = ELF64_R_INFO(3ull, R_X86_64_GLOB_DAT);
	p->symbols[1].st_name = 1;
	p->symbols[2].st_name = 8;
	p->symbols[3].st_name = 15;
}

static void put_code(struct elf_image *image, const char *name, const void *code, size_t n,
		     uint64_t vaddr, uint64_t entsize)
{
	Elf64_Shdr *shdr = elf_image__section(image, name, SHT_PROGBITS, code, n);

	shdr->sh_addr = vaddr;
	shdr->sh_entsize = entsize;
	elf_image__segment(image, PT_LOAD, PF_R | PF_X, shdr->sh_offset, vaddr, n);
}

/* What P calls VADDR, "" = nothing. */
static const char *find(const struct program *p, uint64_t vaddr)
{
	static char name[32];
	struct elf_image image;
	struct elf_file *file;
	struct limits limits;
	struct plt *plt;
	const char *found;
	Elf64_Shdr *shdr;
	int fd;

	elf_image__init(&image);
	put_code(&image, ".plt", p->plt, sizeof(p->plt), PLT, 16);
	put_code(&image, ".plt.sec", p->sec, sizeof(p->sec), SEC, 16);
	put_code(&image, ".plt.got", p->got_stubs, sizeof(p->got_stubs), GOT_STUBS, 8);
	elf_image__section(&image, ".dynstr", SHT_STRTAB, names, sizeof(names));
	shdr = elf_image__section(&image, ".dynsym", SHT_DYNSYM, p->symbols, sizeof(p->symbols));
	shdr->sh_entsize = sizeof(Elf64_Sym);
	shdr->sh_link = image.ehdr.e_shnum - 2u;
	shdr = elf_image__section(&image, ".rela.plt", SHT_RELA, p->lazy, sizeof(p->lazy));
	shdr->sh_entsize = sizeof(Elf64_Rela);
	shdr = elf_image__section(&image, ".rela.dyn", SHT_RELA, p->dyn, sizeof(p->dyn));
	shdr->sh_entsize = sizeof(Elf64_Rela);
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	limits__init(&limits, 1);
	assert_int_equal(plt__new(&plt, file, &limits), 0);
	found = plt__find(plt, vaddr);
	name[0] = '\0';
	if (found)
		strncpy(name, found, sizeof(name) - 1);
	plt__free(plt);
	elf_file__close(file);
	close(fd);
	return name;
}

static void names_every_stub(void **state)
{
	struct program p;

	init(&p);
	assert_string_equal(find(&p, PLT + 4), ""); /* what all lazy ones jump to */
	assert_string_equal(find(&p, PLT + 16), "memcpy");
	assert_string_equal(find(&p, PLT + 47), "malloc");
	assert_string_equal(find(&p, PLT + 48), "");
	assert_string_equal(find(&p, SEC + 3), "memcpy");
	assert_string_equal(find(&p, SEC + 16), "malloc");
	assert_string_equal(find(&p, GOT_STUBS + 9), "free");
	assert_string_equal(find(&p, GOT_STUBS), "");
}

static void broken_stubs_have_no_name(void **state)
{
	struct program p;

	init(&p);
	p.plt[16 + 8] = 0x80; /* a negative number */
	p.plt[32 + 5] = 2;
	assert_string_equal(find(&p, PLT + 16), "");
	assert_string_equal(find(&p, PLT + 32), "");
	p.lazy[0].r_info = ELF64_R_INFO(0xffffffffull, R_X86_64_JUMP_SLOT);
	p.lazy[1].r_info = ELF64_R_INFO(2ull, R_X86_64_RELATIVE);
	p.symbols[3].st_name = 10000;
	assert_string_equal(find(&p, SEC), "");
	assert_string_equal(find(&p, SEC + 16), "");
	assert_string_equal(find(&p, GOT_STUBS + 8), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_every_stub),
	    cmocka_unit_test(broken_stubs_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
