/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layouts are those of cmd/link/internal/ld/pcln.go and runtime/symtab.go. All parts of the
 * table are found through offsets in its header:
 *
 *	functab		a pair per function, sorted: its entry, and where its record lies
 *	records		struct _func of runtime/runtime2.go, behind the functab
 *	funcname	names, each with a terminator
 *	pctab		tables of runs
 *
 * Until 1.17 entries are addresses; from 1.18 on they are offsets from runtime.text, whose address
 * the header has up to 1.25, and only the runtime's moduledata since. The section .text is not it:
 * where a C linker had a hand in, that begins with C's start code.
 */
#include "symbolizer/gopclntab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"

#define PAGE_BYTES (16u << 10)
#define N_PAGES 128u /* 2 MiB: neighbours in one part are near each other in the others too */
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

/* There is one moduledata, and hardly anything else points to the table. */
#define MODULES_MAX 16
#define DYNAMIC_BYTES_MAX (4u << 10)

#define HEADER_BYTES 72u
#define RECORD_BYTES 44u

enum layout { LAYOUT_116, LAYOUT_118, LAYOUT_120 };

struct page {
	uint64_t number;      /* + 1; 0 = empty */
	unsigned char *bytes; /* made when first needed: most tables are smaller than all pages */
};

struct gopclntab {
	const struct elf_file *file; /* borrowed */
	uint64_t vaddr, n_bytes;     /* n_bytes: up to the end of its section or segment */
	uint64_t text;
	uint64_t n_functions;
	uint64_t funcname, pctab, functab; /* relative to the start */
	struct page pages[N_PAGES];
	enum layout layout;
	uint8_t quantum; /* addresses in pctab are multiples of it */
	int error;	 /* the last of reading, while the table is looked for; 0 = none */
	uint64_t scan_bytes_left;
	uint32_t page_reads_left, module_tries_left;
};

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

/* ---- reading --------------------------------------------------------------------------------- */

static int get_page(struct gopclntab *tab, uint64_t number, struct page **ret)
{
	struct page *page = &tab->pages[number % N_PAGES];
	uint64_t off = number * PAGE_BYTES;
	int r;

	*ret = page;
	if (page->number == number + 1)
		return 0;
	page->number = 0;
	if (!tab->page_reads_left)
		return GOPCLNTAB_BROKEN;
	tab->page_reads_left--;
	if (!page->bytes)
		page->bytes = malloc(PAGE_BYTES);
	if (!page->bytes)
		return -ENOMEM;
	r = elf_file__read_vaddr(tab->file, tab->vaddr + off, page->bytes,
				 (size_t)MIN(PAGE_BYTES, tab->n_bytes - off));
	if (r == -ENXIO)
		return GOPCLNTAB_BROKEN; /* the file has shrunk */
	if (r == 0)
		page->number = number + 1;
	else
		tab->error = r;
	return r;
}

/* Copies N bytes at OFF. 0, GOPCLNTAB_BROKEN outside of the table, or -errno. */
static int read_at(struct gopclntab *tab, uint64_t off, void *buf, size_t n)
{
	unsigned char *to = buf;

	if (off > tab->n_bytes || n > tab->n_bytes - off)
		return GOPCLNTAB_BROKEN;
	while (n) {
		size_t in_page = off % PAGE_BYTES, step = MIN(n, PAGE_BYTES - in_page);
		struct page *page;
		int r = get_page(tab, off / PAGE_BYTES, &page);

		if (r)
			return r;
		memcpy(to, page->bytes + in_page, step);
		to += step;
		off += step;
		n -= step;
	}
	return 0;
}

/* The unsigned LEB128 number at *OFF, of 32 bits. */
static int read_uleb(struct gopclntab *tab, uint64_t *off, uint32_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		unsigned char byte;
		int r = read_at(tab, (*off)++, &byte, 1);

		if (r)
			return r;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = (uint32_t)value;
			return value > UINT32_MAX ? GOPCLNTAB_BROKEN : 0;
		}
	}
	return GOPCLNTAB_BROKEN;
}

/* ---- the functab ----------------------------------------------------------------------------- */

/* Bytes of one half of a pair of the functab, and of the entry in a record. */
static size_t entry_bytes(const struct gopclntab *tab)
{
	return tab->layout == LAYOUT_116 ? 8 : 4;
}

/* The entry of function I < n_functions, or for I == n_functions the end of the last; and where its
 * record lies. */
static int read_pair(struct gopclntab *tab, uint64_t i, uint64_t *ret_entry, uint64_t *ret_record)
{
	size_t size = entry_bytes(tab);
	uint64_t pair[2] = {0};
	uint32_t half[2] = {0};
	size_t n = i < tab->n_functions ? 2 : 1;
	int r;

	if (size == 8) {
		r = read_at(tab, tab->functab + i * 16, pair, n * 8);
	} else {
		r = read_at(tab, tab->functab + i * 8, half, n * 4);
		pair[0] = tab->text + half[0];
		pair[1] = half[1];
	}
	if (r)
		return r;
	*ret_entry = pair[0];
	*ret_record = pair[1];
	return 0;
}

static uint32_t get_u32(const unsigned char *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint64_t get_u64(const unsigned char *bytes)
{
	uint64_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

int gopclntab__function(struct gopclntab *tab, size_t i, struct gopclntab_function *ret)
{
	/* After the entry: name, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset, and from
	 * 1.20 on startLine, four bytes each; then funcID, flag. */
	size_t after = entry_bytes(tab), flags_at = after + (tab->layout == LAYOUT_120 ? 37 : 33);
	unsigned char record[RECORD_BYTES];
	uint64_t start, end, at, unused;
	int r;

	if (i >= tab->n_functions)
		return GOPCLNTAB_BROKEN;
	r = read_pair(tab, i, &start, &at);
	if (r == 0)
		r = read_pair(tab, i + 1, &end, &unused);
	if (r == 0 && (start >= end || at > tab->n_bytes))
		r = GOPCLNTAB_BROKEN;
	if (r == 0)
		r = read_at(tab, tab->functab + at, record, flags_at + 1);
	if (r)
		return r;
	*ret = (struct gopclntab_function){
	    .start = start,
	    .end = end,
	    .name = get_u32(record + after),
	    .pcsp = get_u32(record + after + 12),
	    .flags = record[flags_at],
	};
	return GOPCLNTAB_OK;
}

size_t gopclntab__n_functions(const struct gopclntab *tab, uint64_t *ret_left_out)
{
	uint64_t n = MIN(tab->n_functions, GOPCLNTAB_FUNCTIONS_MAX);

	if (ret_left_out)
		*ret_left_out = tab->n_functions - n;
	return (size_t)n;
}

bool gopclntab__has_flags(const struct gopclntab *tab)
{
	return tab->layout != LAYOUT_116;
}

int gopclntab__name(struct gopclntab *tab, const struct gopclntab_function *f, char *buf,
		    size_t size)
{
	uint64_t off = tab->funcname + f->name;

	for (size_t i = 0; i + 1 < size; i++) {
		int r = read_at(tab, off + i, &buf[i], 1);

		if (r)
			return r;
		if (!buf[i])
			return GOPCLNTAB_OK;
	}
	buf[size - 1] = '\0';
	return GOPCLNTAB_OK;
}

/* ---- runs ------------------------------------------------------------------------------------ */

void gopclntab__values(struct gopclntab *tab, const struct gopclntab_function *f, uint32_t off,
		       struct gopclntab_values *ret_it)
{
	*ret_it = (struct gopclntab_values){
	    .tab = tab,
	    .off = tab->pctab + off,
	    .pc = f->start,
	    .value = -1,
	};
}

int gopclntab_values__next(struct gopclntab_values *it, struct gopclntab_run *ret)
{
	uint32_t delta, step;
	int r = read_uleb(it->tab, &it->off, &delta);

	if (r)
		return r;
	/*
	 * A value that stays the same ends the table, but the first may well be the -1 of
	 * before.
	 */
	if (delta == 0 && it->begun)
		return GOPCLNTAB_END;
	it->begun = true;
	r = read_uleb(it->tab, &it->off, &step);
	if (r)
		return r;
	it->value = (int32_t)((uint32_t)it->value + (-(delta & 1) ^ delta >> 1));
	*ret = (struct gopclntab_run){
	    .start = it->pc,
	    .end = it->pc + (uint64_t)step * it->tab->quantum,
	    .value = it->value,
	};
	if (ret->end < ret->start)
		return GOPCLNTAB_BROKEN;
	it->pc = ret->end;
	return GOPCLNTAB_OK;
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
	return read_pair(tab, 0, &first, &unused) == 0 &&
	       read_pair(tab, tab->n_functions, &last, &unused) == 0 && first < last &&
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
	return text_fits(tab, words[MODULE_TEXT]) && read_pair(tab, 0, &first, &unused) == 0 &&
	       first == words[MODULE_MINPC];
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
	if (read_at(tab, 0, header, sizeof(header)) || !parse_magic(header, &tab->layout))
		return GOPCLNTAB_NONE;
	offsets = tab->layout == LAYOUT_116 ? 24 : 32;
	tab->quantum = header[6];
	tab->n_functions = get_u64(header + 8);
	tab->funcname = get_u64(header + offsets);
	tab->pctab = get_u64(header + offsets + 24);
	tab->functab = get_u64(header + offsets + 32);
	if (!tab->n_functions || tab->n_functions > n_bytes / (2 * entry_bytes(tab)) ||
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
