/* SPDX-License-Identifier: Apache-2.0 */
/* Small Go programs made in memory: code, and the table of functions that tells about it. */
#ifndef TESTS_GO_IMAGE_H
#define TESTS_GO_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/elf_image.h"

#define GO_TEXT 0x401000ull
#define GO_TABLE 0x500000ull
#define GO_MODULE 0x600000ull
#define GO_FUNCTION_BYTES 128 /* from one function's start to the next's */

enum go_layout { GO_116, GO_118, GO_120 };

struct go_function {
	const char *name;
	const char *code; /* int3 follows */
	size_t n_code;
	const char *pcsp; /* pairs of value delta and length, as in the file; NULL = no table */
	uint8_t flags;
};

/* Where a function comes from: tables like pcsp. */
struct go_source {
	const char *files, *lines, *inline_index;
	uint32_t start_line;
};

/* A call of function CALLEE, inlined into those that have an inline_index. */
struct go_inlined {
	size_t callee;
	uint32_t parent_pc, start_line;
};

struct go_image {
	enum go_layout layout;
	bool no_sections; /* the table has to be searched for */
	bool no_text;	  /* the header does not say where the code begins, as from 1.26 on */
	bool relocated;	  /* moduledata has only zeros, for the dynamic linker to fill in */
	const struct go_function *functions;
	const struct go_source *sources; /* of each function; NULL = not known */
	size_t n;
	const struct go_inlined *inlined;
	size_t n_inlined;
	/* The tree follows the records, and no moduledata tells, as from 1.26 on. */
	bool tree_behind;
	unsigned char tree[80];
	unsigned char table[8192];
	size_t n_table;
};

static inline void go_put(struct go_image *image, size_t at, uint64_t value, size_t n)
{
	assert(at + n <= sizeof(image->table));
	memcpy(image->table + at, &value, n);
}

static inline size_t go_append(struct go_image *image, const char *bytes, size_t n)
{
	size_t at = image->n_table;

	assert(at + n <= sizeof(image->table));
	memcpy(image->table + at, bytes, n);
	image->n_table += n;
	return at;
}

static inline size_t go_append_runs(struct go_image *image, const char *runs, size_t pctab)
{
	return runs ? go_append(image, runs, strlen(runs) + 1) - pctab : 0;
}

/* The tree of inlined calls, in which NAMES are where the functions' names lie. */
static inline void go_image__fill_tree(struct go_image *image, const size_t *names)
{
	size_t n = image->layout == GO_120 ? 16 : 20, name_at = image->layout == GO_120 ? 4 : 12;

	assert(image->n_inlined * n <= sizeof(image->tree));
	memset(image->tree, 0, sizeof(image->tree));
	for (size_t i = 0; i < image->n_inlined; i++) {
		const struct go_inlined *inl = &image->inlined[i];
		unsigned char *entry = image->tree + i * n;
		uint32_t name = (uint32_t)names[inl->callee];

		memcpy(entry + name_at, &name, 4);
		memcpy(entry + name_at + 4, &inl->parent_pc, 4);
		if (image->layout == GO_120)
			memcpy(entry + 12, &inl->start_line, 4);
	}
}

/* What lies at GO_MODULE. */
struct go_data {
	uint64_t module[48];
	Elf64_Rela relocations[3];
	Elf64_Dyn dynamic[3];
	unsigned char tree[80];
};

/* The lists of pcdata and funcdata of a record, at AT: three and four, of which the last are
 * what tells of inlined calls. */
static inline void go_image__put_lists(struct go_image *image, size_t at, size_t inline_index)
{
	size_t funcdata = at + 12;

	go_put(image, at + 8, inline_index, 4);
	if (image->layout == GO_116) {
		funcdata = (funcdata + 7) & ~7ul;
		go_put(image, funcdata + 24,
		       inline_index ? GO_MODULE + offsetof(struct go_data, tree) : 0, 8);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		go_put(image, funcdata + i * 4, i < 3 || !inline_index ? UINT32_MAX : 0, 4);
}

/* Header, names, files, runs, functab, records: in the order of Go's linker, each found by the
 * header. */
static inline void go_image__fill(struct go_image *image)
{
	static const uint32_t magics[] = {0xfffffffa, 0xfffffff0, 0xfffffff1};
	size_t word = image->layout == GO_116 ? 8 : 4;
	size_t offsets = image->layout == GO_116 ? 24 : 32;
	size_t flags_at = word + (image->layout == GO_120 ? 37 : 33);
	size_t names[32], pcsps[32], files[32], lines[32], inlines[32], pctab, functab, at;
	uint64_t base = image->layout == GO_116 ? GO_TEXT : 0;

	assert(image->n <= 32);
	memset(image->table, 0, sizeof(image->table));
	image->n_table = 72;
	go_put(image, 0, magics[image->layout], 4);
	go_put(image, 6, 1, 1);
	go_put(image, 7, 8, 1);
	go_put(image, 8, image->n, 8);
	if (image->layout != GO_116 && !image->no_text)
		go_put(image, 24, GO_TEXT, 8);
	go_put(image, offsets, image->n_table, 8);
	for (size_t i = 0; i < image->n; i++)
		names[i] = go_append(image, image->functions[i].name,
				     strlen(image->functions[i].name) + 1) -
			   72;
	go_image__fill_tree(image, names);
	go_put(image, offsets + 8, image->n_table, 8);
	go_append(image, "\0\0\0\0\xff\xff\xff\xff", 8);
	go_put(image, offsets + 16, image->n_table, 8);
	go_append(image, "/src/main.go", sizeof("/src/main.go"));
	pctab = image->n_table;
	go_put(image, offsets + 24, pctab, 8);
	image->n_table++; /* offset 0 is no table */
	for (size_t i = 0; i < image->n; i++) {
		struct go_source source =
		    image->sources ? image->sources[i] : (struct go_source){0};

		pcsps[i] = go_append_runs(image, image->functions[i].pcsp, pctab);
		files[i] = go_append_runs(image, source.files, pctab);
		lines[i] = go_append_runs(image, source.lines, pctab);
		inlines[i] = go_append_runs(image, source.inline_index, pctab);
	}
	functab = image->n_table = (image->n_table + 7) & ~7ul;
	go_put(image, offsets + 32, functab, 8);
	image->n_table += (image->n * 2 + 1) * word;
	for (size_t i = 0; i < image->n; i++) {
		uint64_t entry = base + i * GO_FUNCTION_BYTES;

		at = image->n_table = (image->n_table + 7) & ~7ul;
		go_put(image, functab + i * 2 * word, entry, word);
		go_put(image, functab + (i * 2 + 1) * word, at - functab, word);
		image->n_table += image->layout == GO_116 ? 88 : flags_at + 3 + 12 + 16;
		go_put(image, at, entry, word);
		go_put(image, at + word, names[i], 4);
		go_put(image, at + word + 12, pcsps[i], 4);
		go_put(image, at + word + 16, files[i], 4);
		go_put(image, at + word + 20, lines[i], 4);
		go_put(image, at + word + 24, 3, 4);
		if (image->layout == GO_120 && image->sources)
			go_put(image, at + word + 32, image->sources[i].start_line, 4);
		go_put(image, at + flags_at, image->functions[i].flags, 1);
		go_put(image, at + flags_at + 2, 4, 1);
		go_image__put_lists(image, at + flags_at + 3, inlines[i]);
	}
	go_put(image, functab + image->n * 2 * word, base + image->n * GO_FUNCTION_BYTES, word);
	if (image->tree_behind)
		go_append(image, (const char *)image->tree, sizeof(image->tree));
}

static inline void go_data__relocate(struct go_data *data)
{
	static const unsigned words[] = {0, 1, 22};

	data->dynamic[0].d_tag = DT_RELA;
	data->dynamic[0].d_un.d_ptr = GO_MODULE + offsetof(struct go_data, relocations);
	data->dynamic[1].d_tag = DT_RELASZ;
	data->dynamic[1].d_un.d_val = sizeof(data->relocations);
	for (unsigned i = 0; i < 3; i++) {
		data->relocations[i].r_offset = GO_MODULE + words[i] * 8;
		data->relocations[i].r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE);
		data->relocations[i].r_addend = (int64_t)data->module[words[i]];
	}
	memset(data->module, 0, sizeof(data->module));
}

/* The file with the table as it is in IMAGE, to be closed. */
static inline int go_image__fd(const struct go_image *image)
{
	static struct elf_image elf;
	unsigned char code[32 * GO_FUNCTION_BYTES];
	struct go_data go_data = {.module = {GO_TABLE, GO_TABLE + 72}};
	Elf64_Shdr *shdr;
	uint64_t off;

	elf_image__init(&elf);
	elf.ehdr.e_type = ET_EXEC;
	elf.ehdr.e_entry = GO_TEXT;
	memset(code, 0xcc, sizeof(code));
	for (size_t i = 0; i < image->n; i++)
		memcpy(code + i * GO_FUNCTION_BYTES, image->functions[i].code,
		       image->functions[i].n_code);
	off = elf_image__put(&elf, code, image->n * GO_FUNCTION_BYTES);
	elf_image__segment(&elf, PT_LOAD, PF_R | PF_X, off, GO_TEXT, image->n * GO_FUNCTION_BYTES);
	shdr = elf_image__section(&elf, ".gopclntab", SHT_PROGBITS, image->table, image->n_table);
	shdr->sh_addr = GO_TABLE;
	elf_image__segment(&elf, PT_LOAD, PF_R, shdr->sh_offset, GO_TABLE, image->n_table);
	go_data.module[20] = go_data.module[22] = GO_TEXT;
	if (!image->tree_behind)
		go_data.module[image->layout == GO_120 ? 40 : 38] =
		    GO_MODULE + offsetof(struct go_data, tree);
	memcpy(go_data.tree, image->tree, sizeof(go_data.tree));
	if (image->relocated)
		go_data__relocate(&go_data);
	off = elf_image__put(&elf, &go_data, sizeof(go_data));
	elf_image__segment(&elf, PT_LOAD, PF_R | PF_W, off, GO_MODULE, sizeof(go_data));
	elf_image__segment(&elf, PT_DYNAMIC, PF_R, off + offsetof(struct go_data, dynamic),
			   GO_MODULE + offsetof(struct go_data, dynamic), sizeof(go_data.dynamic));
	if (image->no_sections) {
		elf.ehdr.e_shnum = 0;
		elf.ehdr.e_shoff = 0;
		elf.ehdr.e_shstrndx = 0;
	}
	return elf_image__fd(&elf);
}

#endif
