/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the table, and what it counts from. */
#include "symbolizer/gopclntab_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

#define SCAN_BYTES (64u << 10)

/* What is read of a file in search of the table and of where it counts from, relocations included:
 * segments may overlap. And what for the table itself: neighbours may lie far apart. */
#define ALL_SCANS_BYTES_MAX (1ull << 30)
#define PAGE_READS_MAX (512u << 10)

/* Words that point to the table and may begin a moduledata. */
#define MODULE_TRIES_MAX (64u << 10)

/* Words of moduledata (runtime/symtab.go), the same in all versions from 1.16 to 1.26. */
#define MODULE_FUNCNAME 1
#define MODULE_MINPC 20
#define MODULE_TEXT 22
#define MODULE_WORDS 24

/*
 * The word gofunc, from which the records count funcdata; 1.16 and 1.17 have addresses. What lies
 * before it has grown with 1.20, and with 1.27. From 1.26 on funcdata lie behind the last record.
 */
#define MODULE_GOFUNC_118 38
#define MODULE_GOFUNC_120 40
#define MODULE_GOFUNC_127 43

/* There is one moduledata, and hardly anything else points to the table. */
#define MODULES_MAX 16
#define DYNAMIC_BYTES_MAX (4u << 10)

#define HEADER_BYTES 72u

DEFINE_CLEANUP(struct gopclntab *, gopclntab__close);

struct gopclntab *gopclntab__close(struct gopclntab *tab)
{
	if (!tab)
		return NULL;
	for (size_t i = 0; i < N_PAGES; i++)
		free(tab->pages[i].bytes);
	free(tab);
	return NULL;
}

/* ---- what the entries count from ------------------------------------------------------------- */

static bool is_code(const struct elf_file *file, uint64_t vaddr, uint64_t n)
{
	size_t n_code;
	const struct elf_segment *code = elf_file__code(file, &n_code);

	for (size_t i = 0; i < n_code; i++)
		if (vaddr >= code[i].vaddr && vaddr - code[i].vaddr < code[i].n_bytes &&
		    n <= code[i].n_bytes - (vaddr - code[i].vaddr))
			return true;
	return false;
}

/* Whether TEXT, as where the entries count from, puts the functions where there is code. */
static bool text_fits(struct gopclntab *tab, uint64_t text)
{
	uint64_t first, last, unused;

	tab->text = text;
	return gopclntab_read_pair(tab, 0, &first, &unused) == 0 &&
	       gopclntab_read_pair(tab, tab->n_functions, &last, &unused) == 0 && first < last &&
	       is_code(tab->file, first, last - first);
}

/* Whether the moduledata at VADDR is the table's, and gives a text that fits. */
static bool module_fits(struct gopclntab *tab, uint64_t vaddr)
{
	uint64_t words[MODULE_WORDS], first, unused;

	if (!tab->module_tries_left)
		return false;
	tab->module_tries_left--;
	if (elf_file__read_vaddr(tab->file, vaddr, words, sizeof(words)) < 0 ||
	    words[0] != tab->vaddr || words[MODULE_FUNCNAME] != tab->vaddr + tab->funcname)
		return false;
	if (!text_fits(tab, words[MODULE_TEXT]) || gopclntab_read_pair(tab, 0, &first, &unused) ||
	    first != words[MODULE_MINPC])
		return false;
	tab->module = vaddr;
	return true;
}

/* Called for N bytes at VADDR of a loaded segment, a multiple of 8 in address and length. True ends
 * the scan. */
typedef bool (*scan_fn)(void *ctx, uint64_t vaddr, const unsigned char *bytes, size_t n);

/* Goes over the bytes of the file that are loaded, code last: no linker puts the table there unless
 * it puts everything there. 1 = FN ended it, 0, or -ENOMEM. */
static int scan_segments(struct gopclntab *tab, scan_fn fn, void *ctx)
{
	const struct elf_file *file = tab->file;
	cleanup_free unsigned char *buf = malloc(SCAN_BYTES);
	size_t n_phdrs;

	if (!buf)
		return -ENOMEM;
	if (elf_getphdrnum(elf_file__elf(file), &n_phdrs) < 0)
		return 0;
	for (size_t i = 0; i < 2 * n_phdrs; i++) {
		GElf_Phdr phdr;
		uint64_t pos, end;

		if (!gelf_getphdr(elf_file__elf(file), (int)(i % n_phdrs), &phdr) ||
		    phdr.p_type != PT_LOAD || !!(phdr.p_flags & PF_X) != (i >= n_phdrs) ||
		    phdr.p_vaddr > UINT64_MAX - phdr.p_filesz - 8 ||
		    !elf_file__bytes_plausible(file, phdr.p_offset, phdr.p_filesz))
			continue;
		pos = (phdr.p_vaddr + 7) & ~7ull;
		end = phdr.p_vaddr + phdr.p_filesz;
		while (pos < end && end - pos >= 8) {
			size_t n = (size_t)MIN(SCAN_BYTES, (end - pos) & ~7ull);

			if (n > tab->scan_bytes_left || elf_file__read_vaddr(file, pos, buf, n) < 0)
				break;
			tab->scan_bytes_left -= n;
			if (fn(ctx, pos, buf, n))
				return 1;
			pos += n;
		}
	}
	return 0;
}

static bool find_module(void *ctx, uint64_t vaddr, const unsigned char *bytes, size_t n)
{
	struct gopclntab *tab = ctx;

	for (size_t i = 0; i + 8 <= n; i += 8)
		if (get_u64(bytes + i) == tab->vaddr && module_fits(tab, vaddr + i))
			return true;
	return false;
}

/* The bytes of the file that are loaded from VADDR on. */
static uint64_t bytes_from(const struct elf_file *file, uint64_t vaddr)
{
	size_t n;

	if (elf_getphdrnum(elf_file__elf(file), &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf_file__elf(file), (int)i, &phdr) && phdr.p_type == PT_LOAD &&
		    vaddr >= phdr.p_vaddr && vaddr - phdr.p_vaddr < phdr.p_filesz &&
		    elf_file__bytes_plausible(file, phdr.p_offset, phdr.p_filesz))
			return phdr.p_filesz - (vaddr - phdr.p_vaddr);
	}
	return 0;
}

/* ---- relocations ----------------------------------------------------------------------------- */

/*
 * In programs that can be loaded anywhere the words of moduledata are set by the dynamic linker.
 * The linkers of Go and GNU leave in the file what it will add the load address to; lld leaves
 * zeros, and the value stands in the table of relocations only.
 */
struct relocations {
	struct gopclntab *tab;
	uint64_t modules[MODULES_MAX]; /* what points to the table may be a moduledata */
	size_t n_modules;
};

static bool find_pointers(struct relocations *rel, const Elf64_Rela *rela)
{
	if ((uint64_t)rela->r_addend == rel->tab->vaddr && rel->n_modules < MODULES_MAX)
		rel->modules[rel->n_modules++] = rela->r_offset;
	return false;
}

static bool find_text_word(struct relocations *rel, const Elf64_Rela *rela)
{
	for (size_t i = 0; i < rel->n_modules; i++)
		if (rela->r_offset == rel->modules[i] + MODULE_TEXT * 8 &&
		    text_fits(rel->tab, (uint64_t)rela->r_addend))
			return true;
	return false;
}

/* Calls FN for the N relocations at VADDR until it is true. 1 = it was, 0, or -ENOMEM. */
static int each_relocation(struct relocations *rel, uint64_t vaddr, uint64_t n,
			   bool (*fn)(struct relocations *rel, const Elf64_Rela *rela))
{
	const size_t max = SCAN_BYTES / sizeof(Elf64_Rela);
	cleanup_free Elf64_Rela *buf = malloc(max * sizeof(*buf));

	if (!buf)
		return -ENOMEM;
	while (n) {
		size_t step = (size_t)MIN(n, max);

		if (step * sizeof(*buf) > rel->tab->scan_bytes_left ||
		    elf_file__read_vaddr(rel->tab->file, vaddr, buf, step * sizeof(*buf)) < 0)
			return 0;
		rel->tab->scan_bytes_left -= step * sizeof(*buf);
		for (size_t i = 0; i < step; i++)
			if (fn(rel, &buf[i]))
				return 1;
		vaddr += step * sizeof(*buf);
		n -= step;
	}
	return 0;
}

/* The table of relocations with addends, from the dynamic section. */
static bool find_relocations(const struct elf_file *file, uint64_t *ret_vaddr, uint64_t *ret_n)
{
	uint64_t vaddr, n_bytes;

	*ret_vaddr = *ret_n = 0;
	if (!elf_file__segment(file, PT_DYNAMIC, &vaddr, &n_bytes))
		return false;
	n_bytes = MIN(n_bytes, DYNAMIC_BYTES_MAX);
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= n_bytes; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn dyn;

		if (elf_file__read_vaddr(file, vaddr + at, &dyn, sizeof(dyn)) < 0)
			break;
		if (dyn.d_tag == DT_RELA)
			*ret_vaddr = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_RELASZ)
			*ret_n = dyn.d_un.d_val / sizeof(Elf64_Rela);
	}
	return *ret_n && *ret_n <= bytes_from(file, *ret_vaddr) / sizeof(Elf64_Rela);
}

static int find_text_in_relocations(struct gopclntab *tab)
{
	struct relocations rel = {.tab = tab};
	uint64_t vaddr, n;
	int r;

	if (!find_relocations(tab->file, &vaddr, &n))
		return GOPCLNTAB_BROKEN;
	r = each_relocation(&rel, vaddr, n, find_pointers);
	if (r == 0)
		r = each_relocation(&rel, vaddr, n, find_text_word);
	return r < 0 ? r : r ? GOPCLNTAB_OK : GOPCLNTAB_BROKEN;
}

/* ---- locating -------------------------------------------------------------------------------- */

/* Settles where the entries count from. HEADER_TEXT is what the header says. */
static int find_text(struct gopclntab *tab, uint64_t header_text)
{
	Elf_Scn *scn = elf_file__section(tab->file, ".go.module");
	GElf_Shdr shdr;
	int r;

	if (tab->layout == LAYOUT_116)
		return text_fits(tab, 0) ? GOPCLNTAB_OK : GOPCLNTAB_BROKEN;
	if (header_text && text_fits(tab, header_text))
		return GOPCLNTAB_OK;
	if (scn && gelf_getshdr(scn, &shdr) && module_fits(tab, shdr.sh_addr))
		return GOPCLNTAB_OK;
	r = scan_segments(tab, find_module, tab);
	if (r)
		return MIN(r, GOPCLNTAB_OK);
	return find_text_in_relocations(tab);
}

static uint64_t module_word(const struct gopclntab *tab, unsigned i)
{
	uint64_t word;

	if (!tab->module || elf_file__read_vaddr(tab->file, tab->module + i * 8, &word, 8) < 0)
		return 0;
	return word;
}

/* Where the last record ends, aligned, as an address; 0 = it cannot be told. */
static uint64_t end_of_records(struct gopclntab *tab, uint64_t align)
{
	struct gopclntab_source last;

	if (gopclntab__source(tab, (size_t)tab->n_functions - 1, &last))
		return 0;
	return (tab->vaddr + tab->functab + last.record_end + align - 1) & ~(align - 1);
}

int gopclntab__find_inlined(struct gopclntab *tab)
{
	static const unsigned words[] = {MODULE_GOFUNC_120, MODULE_GOFUNC_127};
	uint64_t text = tab->text;

	if (tab->layout == LAYOUT_116)
		return GOPCLNTAB_OK;
	if (!tab->module) {
		int r = scan_segments(tab, find_module, tab);

		tab->text = text; /* tried out on what looked like one */
		if (r < 0)
			return r;
	}
	if (tab->layout == LAYOUT_118)
		return gopclntab_gofunc_fits(tab, module_word(tab, MODULE_GOFUNC_118))
			   ? GOPCLNTAB_OK
			   : GOPCLNTAB_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (gopclntab_gofunc_fits(tab, module_word(tab, words[i])))
			return GOPCLNTAB_OK;
	for (uint64_t align = 4; align <= 32; align *= 2)
		if (gopclntab_gofunc_fits(tab, end_of_records(tab, align)))
			return GOPCLNTAB_OK;
	return GOPCLNTAB_NONE;
}

/* The layout that a table beginning with these 8 bytes has. False where no table does. */
static bool parse_magic(const unsigned char *bytes, enum layout *ret)
{
	if (bytes[4] || bytes[5] || (bytes[6] != 1 && bytes[6] != 2 && bytes[6] != 4) ||
	    bytes[7] != 8)
		return false;
	switch (get_u32(bytes)) {
	case 0xfffffffa:
		*ret = LAYOUT_116;
		return true;
	case 0xfffffff0:
		*ret = LAYOUT_118;
		return true;
	case 0xfffffff1:
		*ret = LAYOUT_120;
		return true;
	default:
		return false;
	}
}

/* Reads the header of the table at VADDR, of at most N_BYTES. */
static int read_header(struct gopclntab *tab, uint64_t vaddr, uint64_t n_bytes)
{
	unsigned char header[HEADER_BYTES];
	size_t offsets;

	for (size_t i = 0; i < N_PAGES; i++)
		tab->pages[i].number = 0;
	tab->vaddr = vaddr;
	tab->n_bytes = n_bytes;
	if (gopclntab_read_at(tab, 0, header, sizeof(header)) || !parse_magic(header, &tab->layout))
		return GOPCLNTAB_NONE;
	offsets = tab->layout == LAYOUT_116 ? 24 : 32;
	tab->quantum = header[6];
	tab->n_functions = get_u64(header + 8);
	tab->funcname = get_u64(header + offsets);
	tab->cutab = get_u64(header + offsets + 8);
	tab->filetab = get_u64(header + offsets + 16);
	tab->pctab = get_u64(header + offsets + 24);
	tab->functab = get_u64(header + offsets + 32);
	if (!tab->n_functions || tab->n_functions > n_bytes / (2 * gopclntab_entry_bytes(tab)) ||
	    tab->funcname > n_bytes || tab->pctab > n_bytes || tab->functab > n_bytes)
		return GOPCLNTAB_BROKEN;
	return find_text(tab, tab->layout == LAYOUT_116 ? 0 : get_u64(header + 24));
}

struct table_scan {
	struct gopclntab *tab;
	int result;
	unsigned left; /* tries: a file of nothing but magic numbers is read at leisure otherwise */
};

static bool find_table(void *ctx, uint64_t vaddr, const unsigned char *bytes, size_t n)
{
	struct table_scan *scan = ctx;
	enum layout layout;

	for (size_t i = 0; i + 8 <= n && scan->left; i += 8) {
		int r;

		if (!parse_magic(bytes + i, &layout))
			continue;
		scan->left--;
		r = read_header(scan->tab, vaddr + i, bytes_from(scan->tab->file, vaddr + i));
		if (r == GOPCLNTAB_OK || r < 0) {
			scan->result = r;
			return true;
		}
		scan->result = GOPCLNTAB_BROKEN;
	}
	return scan->left == 0;
}

/* Where no section tells: without section headers, or linked as PIE by a C linker, which up to Go
 * 1.25 merged the table into .data.rel.ro. */
static int scan_for_table(struct gopclntab *tab)
{
	struct table_scan scan = {.tab = tab, .result = GOPCLNTAB_NONE, .left = 16};
	size_t n_sections;
	int r;

	if (elf_getshdrnum(elf_file__elf(tab->file), &n_sections) < 0)
		n_sections = 0;
	/* Other programs are spared the reading. */
	if (n_sections && !elf_file__is_go(tab->file))
		return GOPCLNTAB_NONE;
	r = scan_segments(tab, find_table, &scan);
	return r < 0 ? r : scan.result;
}

static int locate(struct gopclntab *tab)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		Elf_Scn *scn = elf_file__section(tab->file, names[i]);
		GElf_Shdr shdr;
		uint64_t n;

		if (!scn || !gelf_getshdr(scn, &shdr))
			continue;
		n = MIN(shdr.sh_size, bytes_from(tab->file, shdr.sh_addr));
		return read_header(tab, shdr.sh_addr, n);
	}
	return scan_for_table(tab);
}

int gopclntab__open(struct gopclntab **ret, const struct elf_file *file)
{
	_cleanup_(gopclntab__closep) struct gopclntab *tab = NULL;
	int r;

	if (gelf_getclass(elf_file__elf(file)) != ELFCLASS64)
		return GOPCLNTAB_NONE;
	tab = calloc(1, sizeof(*tab));
	if (!tab)
		return -ENOMEM;
	tab->file = file;
	tab->scan_bytes_left = ALL_SCANS_BYTES_MAX;
	tab->page_reads_left = PAGE_READS_MAX;
	tab->module_tries_left = MODULE_TRIES_MAX;
	r = locate(tab);
	if (r == GOPCLNTAB_OK)
		*ret = steal_ptr(tab);
	else if (tab->error)
		r = tab->error; /* what could not be read is not broken */
	return r;
}
