/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the records of a table that has been found. */
#include "symbolizer/gopclntab_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

#define RECORD_BYTES 44u
/* Of internal/abi: which of a record's tables and data are those of inlined calls. */
#define PCDATA_INLINE_INDEX 2
#define FUNCDATA_INLINE_TREE 3

/* Functions looked at, and trees found in them, to tell whether gofunc is right. */
#define TREE_SEARCH_MAX 8192
#define TREE_SAMPLES 8

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

int gopclntab_read_at(struct gopclntab *tab, uint64_t off, void *buf, size_t n)
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
		int r = gopclntab_read_at(tab, (*off)++, &byte, 1);

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

size_t gopclntab_entry_bytes(const struct gopclntab *tab)
{
	return tab->layout == LAYOUT_116 ? 8 : 4;
}

/* Where the fixed part of a record has its flags; nfuncdata follows after two bytes, and the lists
 * of pcdata and funcdata after that. */
static size_t flags_offset(const struct gopclntab *tab)
{
	return gopclntab_entry_bytes(tab) + (tab->layout == LAYOUT_120 ? 37 : 33);
}

int gopclntab_read_pair(struct gopclntab *tab, uint64_t i, uint64_t *ret_entry,
			uint64_t *ret_record)
{
	size_t size = gopclntab_entry_bytes(tab);
	uint64_t pair[2] = {0};
	uint32_t half[2] = {0};
	size_t n = i < tab->n_functions ? 2 : 1;
	int r;

	if (size == 8) {
		r = gopclntab_read_at(tab, tab->functab + i * 16, pair, n * 8);
	} else {
		r = gopclntab_read_at(tab, tab->functab + i * 8, half, n * 4);
		pair[0] = tab->text + half[0];
		pair[1] = half[1];
	}
	if (r)
		return r;
	*ret_entry = pair[0];
	*ret_record = pair[1];
	return 0;
}

/* A line, 0 where it cannot be one. */
static uint32_t get_line(const unsigned char *bytes)
{
	uint32_t v = get_u32(bytes);

	return v <= INT32_MAX ? v : 0;
}

int gopclntab__function(struct gopclntab *tab, size_t i, struct gopclntab_function *ret)
{
	/* After the entry: name, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset, and from
	 * 1.20 on startLine, four bytes each; then funcID, flag. */
	size_t after = gopclntab_entry_bytes(tab), flags_at = flags_offset(tab);
	unsigned char record[RECORD_BYTES];
	uint64_t start, end, at, unused;
	int r;

	if (i >= tab->n_functions)
		return GOPCLNTAB_BROKEN;
	r = gopclntab_read_pair(tab, i, &start, &at);
	if (r == 0)
		r = gopclntab_read_pair(tab, i + 1, &end, &unused);
	if (r == 0 && (start >= end || at > tab->n_bytes))
		r = GOPCLNTAB_BROKEN;
	if (r == 0)
		r = gopclntab_read_at(tab, tab->functab + at, record, flags_at + 1);
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

/* Copies the string at OFF, cut to SIZE - 1 bytes and terminated. GOPCLNTAB_OK, _BROKEN, -errno. */
static int read_string(struct gopclntab *tab, uint64_t off, char *buf, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		size_t in_page = (off + n) % PAGE_BYTES;
		size_t step = MIN(PAGE_BYTES - in_page, size - 1 - n), len;
		int r;

		if (off + n >= tab->n_bytes)
			return GOPCLNTAB_BROKEN;
		step = (size_t)MIN(step, tab->n_bytes - off - n);
		r = gopclntab_read_at(tab, off + n, buf + n, step);
		if (r)
			return r;
		len = strnlen(buf + n, step);
		n += len;
		if (len < step)
			break;
	}
	buf[n] = '\0';
	return GOPCLNTAB_OK;
}

int gopclntab__name(struct gopclntab *tab, const struct gopclntab_function *f, char *buf,
		    size_t size)
{
	return read_string(tab, tab->funcname + f->name, buf, size);
}

/* ---- sources --------------------------------------------------------------------------------- */

int gopclntab__find(struct gopclntab *tab, uint64_t vaddr, size_t *ret)
{
	uint64_t lo = 0, hi = tab->n_functions;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2, entry, unused;
		int r = gopclntab_read_pair(tab, mid, &entry, &unused);

		if (r)
			return r;
		if (entry <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return GOPCLNTAB_NONE;
	*ret = (size_t)(lo - 1);
	return GOPCLNTAB_OK;
}

/* Number I of the list of funcdata at OFF, as an address; 0 = none. */
static int read_funcdata(struct gopclntab *tab, uint64_t off, uint32_t i, uint64_t *ret)
{
	uint32_t rel;
	int r;

	*ret = 0;
	if (tab->layout == LAYOUT_116) {
		off = ((tab->vaddr + off + 7) & ~7ull) - tab->vaddr;
		return gopclntab_read_at(tab, off + i * 8ull, ret, 8);
	}
	r = gopclntab_read_at(tab, off + i * 4ull, &rel, 4);
	if (r == 0 && rel != UINT32_MAX && tab->gofunc)
		*ret = tab->gofunc + rel;
	return r;
}

int gopclntab__source(struct gopclntab *tab, size_t i, struct gopclntab_source *ret)
{
	size_t after = gopclntab_entry_bytes(tab), flags_at = flags_offset(tab);
	uint64_t unused, at, lists;
	unsigned char record[RECORD_BYTES];
	uint32_t n_pcdata;
	int r;

	if (i >= tab->n_functions)
		return GOPCLNTAB_BROKEN;
	r = gopclntab_read_pair(tab, i, &unused, &at);
	if (r == 0 && at > tab->n_bytes)
		r = GOPCLNTAB_BROKEN;
	if (r == 0)
		r = gopclntab_read_at(tab, tab->functab + at, record, flags_at + 3);
	if (r)
		return r;
	n_pcdata = get_u32(record + after + 24);
	*ret = (struct gopclntab_source){
	    .files = get_u32(record + after + 16),
	    .lines = get_u32(record + after + 20),
	    .unit = get_u32(record + after + 28),
	    .start_line = tab->layout == LAYOUT_120 ? get_line(record + after + 32) : 0,
	};
	lists = tab->functab + at + flags_at + 3;
	if (n_pcdata > PCDATA_INLINE_INDEX && record[flags_at + 2] > FUNCDATA_INLINE_TREE) {
		r = gopclntab_read_at(tab, lists + PCDATA_INLINE_INDEX * 4, &ret->inline_index, 4);
		if (r == 0)
			r = read_funcdata(tab, lists + n_pcdata * 4ull, FUNCDATA_INLINE_TREE,
					  &ret->inline_tree);
	}
	ret->record_end = at + flags_at + 3 + n_pcdata * 4ull + record[flags_at + 2] * 4ull;
	return r;
}

int gopclntab__file(struct gopclntab *tab, const struct gopclntab_source *source, int32_t number,
		    char *buf, size_t size)
{
	uint32_t off;
	int r;

	if (number < 0)
		return GOPCLNTAB_NONE;
	r = gopclntab_read_at(tab, tab->cutab + ((uint64_t)source->unit + (uint32_t)number) * 4,
			      &off, 4);
	if (r)
		return r;
	return off == UINT32_MAX ? GOPCLNTAB_NONE : read_string(tab, tab->filetab + off, buf, size);
}

int gopclntab__inlined(struct gopclntab *tab, const struct gopclntab_source *source, int32_t index,
		       struct gopclntab_inlined *ret)
{
	/* 1.20: funcID and three of padding, name, parentPc, startLine. Before: parent, funcID and
	 * one of padding, file, line, name, parentPc. */
	size_t n = tab->layout == LAYOUT_120 ? 16 : 20;
	unsigned char entry[20] = {0};
	uint64_t vaddr;
	int r;

	if (!source->inline_tree || index < 0 ||
	    __builtin_add_overflow(source->inline_tree, (uint64_t)index * n, &vaddr))
		return GOPCLNTAB_BROKEN;
	if (vaddr >= tab->vaddr && vaddr - tab->vaddr < tab->n_bytes)
		r = gopclntab_read_at(tab, vaddr - tab->vaddr, entry, n);
	else
		r = elf_file__read_vaddr(tab->file, vaddr, entry, n);
	if (r == -ENXIO)
		r = GOPCLNTAB_BROKEN;
	if (r)
		return r;
	if (tab->layout == LAYOUT_120)
		*ret = (struct gopclntab_inlined){
		    .function.name = get_u32(entry + 4),
		    .parent_pc = get_u32(entry + 8),
		    .start_line = get_line(entry + 12),
		    .is_plausible = !(entry[1] | entry[2] | entry[3]),
		};
	else
		*ret = (struct gopclntab_inlined){
		    .function.name = get_u32(entry + 12),
		    .parent_pc = get_u32(entry + 16),
		    .is_plausible = !entry[3],
		};
	return GOPCLNTAB_OK;
}

/* Whether the first entry of the tree of function I is one: its function's name begins where a name
 * begins, and it is called from inside of the function. */
static bool tree_fits(struct gopclntab *tab, size_t i, const struct gopclntab_source *source)
{
	struct gopclntab_function f;
	struct gopclntab_inlined inl;
	char before[2];

	if (gopclntab__function(tab, i, &f) || gopclntab__inlined(tab, source, 0, &inl))
		return false;
	return inl.is_plausible && inl.parent_pc < f.end - f.start && inl.function.name &&
	       tab->funcname + inl.function.name < tab->cutab &&
	       !gopclntab_read_at(tab, tab->funcname + inl.function.name - 1, before, 2) &&
	       !before[0] && before[1];
}

bool gopclntab_gofunc_fits(struct gopclntab *tab, uint64_t gofunc)
{
	size_t n = (size_t)MIN(tab->n_functions, TREE_SEARCH_MAX);
	unsigned n_right = 0, n_wrong = 0;

	tab->gofunc = gofunc;
	for (size_t i = 0; gofunc && i < n && n_right + n_wrong < TREE_SAMPLES; i++) {
		struct gopclntab_source source;

		if (gopclntab__source(tab, i, &source) || !source.inline_tree)
			continue;
		if (tree_fits(tab, i, &source))
			n_right++;
		else
			n_wrong++;
	}
	/* A few may be broken, or of a function that the linker made. */
	if (n_right > 3 * n_wrong)
		return true;
	tab->gofunc = 0;
	return false;
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
