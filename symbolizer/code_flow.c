/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/code_flow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/code_gap.h"
#include "symbolizer/code_insn.h"
#include "symbolizer/limits.h"

/* Shorter gaps are what is left between two functions, but for the code that signals return to. */
#define GAP_MIN 16
#define RESTORER_MIN 7

#define GAPS_MAX (1u << 20)
#define ENTRIES_MAX (1u << 20)

/* Code in which calls are looked for: that of browsers, with everything. */
#define SCAN_BYTES_MAX (256ull << 20)
#define SCAN_CHUNK (1u << 20)

#define CALL_REL32 0xe8
#define CALL_BYTES 5

/* Bytes that look like a call: browsers have five million. */
#define CALLS_MAX (16u << 20)

/* Where calls lead to is looked at by blocks, of which the last is kept in each place. */
#define BLOCK_BYTES 4096u
#define N_BLOCKS 512u

/* Blocks read: all that calls may lead to, twice over. */
#define BLOCK_READS_MAX (2 * SCAN_BYTES_MAX / BLOCK_BYTES)

#define SYMBOLS_PER_READ 4096u

DEFINE_CLEANUP(struct code_gap *, code_gap__free);

struct stretch {
	uint64_t start, end;
};

struct entry {
	uint64_t vaddr;
	bool is_called;
};

struct block {
	uint64_t vaddr; /* 0 = empty */
	uint8_t bytes[BLOCK_BYTES];
};

struct code_flow {
	const struct elf_file *file;
	struct unwind_table *t;
	struct stretch *gaps;
	size_t n_gaps, cap_gaps;
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct block *blocks; /* N_BLOCKS of them, while calls are looked for */
	uint64_t bytes_left, steps_left, calls_left, block_reads_left;
	struct code_flow_stats stats;
};

/* ---- gaps ------------------------------------------------------------------------------------ */

static int add_gap(void *ctx, uint64_t start, uint64_t end)
{
	struct code_flow *f = ctx;
	int r;

	if (end - start < RESTORER_MIN)
		return 0;
	if (f->n_gaps >= GAPS_MAX) {
		f->stats.n_cut += end - start;
		return 0;
	}
	r = array_reserve(&f->gaps, &f->cap_gaps, f->n_gaps + 1, sizeof(*f->gaps));
	if (r == 0)
		f->gaps[f->n_gaps++] = (struct stretch){start, end};
	return r;
}

static int compare_gaps(const void *pa, const void *pb)
{
	const struct stretch *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* Program headers may come in any order and overlap. */
static void sort_gaps(struct code_flow *f)
{
	size_t n = 0;

	if (f->n_gaps)
		qsort(f->gaps, f->n_gaps, sizeof(*f->gaps), compare_gaps);
	for (size_t i = 0; i < f->n_gaps; i++) {
		struct stretch gap = f->gaps[i];

		if (n)
			gap.start = MAX(gap.start, f->gaps[n - 1].end);
		if (gap.start < gap.end)
			f->gaps[n++] = gap;
	}
	f->n_gaps = n;
}

static int add_gaps_of(void *ctx, uint64_t start, uint64_t end)
{
	struct code_flow *f = ctx;

	return unwind_table__each_gap(f->t, start, end, add_gap, f);
}

static int find_gaps(struct code_flow *f)
{
	int r = elf_file__each_code(f->file, add_gaps_of, f);

	sort_gaps(f);
	return r;
}

/* The first gap that ends after VADDR. */
static size_t gap_from(const struct code_flow *f, uint64_t vaddr)
{
	size_t lo = 0, hi = f->n_gaps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->gaps[mid].end <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_in_gap(const struct code_flow *f, uint64_t vaddr)
{
	size_t i = gap_from(f, vaddr);

	return i < f->n_gaps && f->gaps[i].start <= vaddr;
}

/* ---- entries --------------------------------------------------------------------------------- */

static int add_entry(struct code_flow *f, uint64_t vaddr, bool is_called)
{
	int r;

	if (!is_in_gap(f, vaddr))
		return 0;
	if (f->n_entries >= ENTRIES_MAX) {
		f->stats.n_cut++;
		return 0;
	}
	r = array_reserve(&f->entries, &f->cap_entries, f->n_entries + 1, sizeof(*f->entries));
	if (r == 0)
		f->entries[f->n_entries++] = (struct entry){vaddr, is_called};
	return r;
}

/* Only what is marked as a function: labels stand within functions, too. */
static int add_symbol(struct code_flow *f, const void *sym, bool is_64)
{
	const Elf64_Sym *s64 = sym;
	const Elf32_Sym *s32 = sym;
	int type = ELF64_ST_TYPE(is_64 ? s64->st_info : s32->st_info); /* the same in both */

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
	    (is_64 ? s64->st_shndx : s32->st_shndx) == SHN_UNDEF)
		return 0;
	return add_entry(f, is_64 ? s64->st_value : s32->st_value, false);
}

static int add_symbols(struct code_flow *f, const char *section)
{
	bool is_64 = gelf_getclass(elf_file__elf(f->file)) == ELFCLASS64;
	size_t size = is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), n;
	Elf_Scn *scn = elf_file__section(f->file, section);
	cleanup_free char *buf = NULL;
	GElf_Shdr shdr;
	int r = 0;

	if (!scn || !gelf_getshdr(scn, &shdr) || shdr.sh_entsize != size)
		return 0;
	/* A part at a time, and not by libelf, which would keep them all. */
	buf = malloc(SYMBOLS_PER_READ * size);
	if (!buf)
		return -ENOMEM;
	n = (size_t)MIN(shdr.sh_size / size, LIMIT_SYMBOLS_MAX);
	f->stats.n_cut += shdr.sh_size / size - n;
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i % SYMBOLS_PER_READ == 0)
			r = elf_file__read(f->file, shdr.sh_offset + i * size, buf,
					   MIN(n - i, SYMBOLS_PER_READ) * size);
		if (r == 0)
			r = add_symbol(f, buf + i % SYMBOLS_PER_READ * size, is_64);
	}
	return r == -ENXIO ? 0 : r;
}

/* The byte of the file at VADDR. False where it cannot be read. */
static bool read_byte(struct code_flow *f, uint64_t vaddr, uint8_t *ret)
{
	uint64_t start = vaddr & ~(uint64_t)(BLOCK_BYTES - 1);
	struct block *b = &f->blocks[start / BLOCK_BYTES % N_BLOCKS];

	if (b->vaddr != start || !start) {
		if (!f->block_reads_left)
			return false;
		f->block_reads_left--;
		b->vaddr = 0;
		/* Where segments begin or end within a block it is not whole. */
		if (elf_file__read_vaddr(f->file, start, b->bytes, BLOCK_BYTES) < 0)
			return elf_file__read_vaddr(f->file, vaddr, ret, 1) == 0;
		b->vaddr = start;
	}
	*ret = b->bytes[vaddr - start];
	return true;
}

/* Whether TARGET, to which a byte that may be a call points, may begin a function. The bytes of
 * other instructions that look like one point anywhere. */
static bool is_plausible(struct code_flow *f, uint64_t target)
{
	uint8_t before;

	if (target % 16 == 0)
		return true;
	if (!read_byte(f, target - 1, &before))
		return false;
	return before == 0xc3 || before == 0xcc || before == 0x90 || before == 0;
}

/* The calls among N bytes at VADDR that lead into gaps. */
static int scan_bytes(struct code_flow *f, const uint8_t *bytes, size_t n, uint64_t vaddr)
{
	const uint8_t *at = bytes, *end = bytes + n;
	int r = 0;

	if (n < CALL_BYTES)
		return 0;
	end -= CALL_BYTES - 1;
	while (r == 0 && at < end && (at = memchr(at, CALL_REL32, (size_t)(end - at)))) {
		int32_t rel;
		uint64_t target;

		if (!f->calls_left)
			return 0;
		f->calls_left--;

		memcpy(&rel, at + 1, sizeof(rel));
		target = vaddr + (uint64_t)(at - bytes) + CALL_BYTES + (uint64_t)(int64_t)rel;
		if (rel != 0 && is_in_gap(f, target) && is_plausible(f, target))
			r = add_entry(f, target, true);
		at++;
	}
	return r;
}

static int scan_calls(struct code_flow *f)
{
	cleanup_free uint8_t *bytes = malloc(SCAN_CHUNK);
	cleanup_free struct block *blocks = calloc(N_BLOCKS, sizeof(*blocks));
	uint64_t left = SCAN_BYTES_MAX;
	size_t n_segments;
	const struct elf_segment *code = elf_file__code(f->file, &n_segments);

	if (!bytes || !blocks)
		return -ENOMEM;
	f->blocks = blocks;
	for (size_t i = 0; i < n_segments; i++) {
		uint64_t pos = 0;

		while (pos < code[i].n_bytes && left > 0 && f->calls_left &&
		       f->n_entries < ENTRIES_MAX) {
			size_t n = (size_t)MIN(MIN(code[i].n_bytes - pos, SCAN_CHUNK), left);
			uint64_t vaddr = code[i].vaddr + pos;
			int r = elf_file__read_vaddr(f->file, vaddr, bytes, n);

			if (r == -ENXIO)
				break;
			if (r == 0)
				r = scan_bytes(f, bytes, n, vaddr);
			if (r < 0)
				return r;
			left -= n;
			/* Calls that lie across the end are seen with what follows. */
			pos += n < SCAN_CHUNK ? n : n - (CALL_BYTES - 1);
		}
	}
	return 0;
}

static int compare_entries(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	return (int)b->is_called - (int)a->is_called;
}

static int find_entries(struct code_flow *f)
{
	int r = add_symbols(f, ".symtab");

	if (r == 0)
		r = add_symbols(f, ".dynsym");
	if (r == 0)
		r = scan_calls(f);
	f->blocks = NULL;
	if (f->n_entries)
		qsort(f->entries, f->n_entries, sizeof(*f->entries), compare_entries);
	return r;
}

/* The number of entries before VADDR. */
static size_t entry_from(const struct code_flow *f, uint64_t vaddr)
{
	size_t lo = 0, hi = f->n_entries;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->entries[mid].vaddr < vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int add_run(struct code_flow *f, const struct code_gap *g, uint64_t vaddr, uint32_t start,
		   uint32_t end)
{
	uint64_t *count = &f->stats.n_frame_bytes;
	int r = unwind_table__begin(f->t, UNWIND_SOURCE_CODE, vaddr + start, vaddr + end);

	for (uint32_t off = start; off < end && r == 0; off++) {
		const struct unwind_rule *rule = code_gap__rule(g, off);

		if (rule) {
			r = unwind_table__row(f->t, vaddr + off, rule);
			count = rule->cfa == UNWIND_CFA_FRAME ? &f->stats.n_frame_bytes
							      : &f->stats.n_rule_bytes;
		}
		++*count;
	}
	return r;
}

/* The bytes that are no padding. */
static uint64_t count_code(const uint8_t *bytes, size_t n)
{
	ZydisDecoder decoder;
	uint64_t n_code = 0;

	code_decoder__init(&decoder);
	for (size_t i = 0; i < n;) {
		size_t padding = code_padding(&decoder, bytes, n, i);

		n_code += padding == 0;
		i += padding ? padding : 1;
	}
	return n_code;
}

static int do_bytes(struct code_flow *f, uint64_t vaddr, const uint8_t *bytes, uint32_t n)
{
	_cleanup_(code_gap__freep) struct code_gap *g = NULL;
	uint32_t start = 0, end = 0;
	int r = code_gap__new(&g, bytes, n, &f->steps_left);

	if (r < 0)
		return r;
	for (size_t i = entry_from(f, vaddr); i < f->n_entries && f->entries[i].vaddr < vaddr + n;
	     i++)
		code_gap__add_entry(g, (uint32_t)(f->entries[i].vaddr - vaddr),
				    f->entries[i].is_called);
	r = code_gap__analyse(g);
	while (r == 0) {
		uint32_t before = end;
		bool more;

		start = end;
		more = code_gap__run(g, &start, &end);
		f->stats.n_skipped_bytes += count_code(bytes + before, (more ? start : n) - before);
		if (!more)
			break;
		r = add_run(f, g, vaddr, start, end);
	}
	f->stats.n_conflicts += code_gap__stats(g)->n_conflicts;
	f->stats.n_cut += code_gap__stats(g)->n_cut;
	return r;
}

/* One part of a gap, small enough to be held in memory. */
static int do_part(struct code_flow *f, uint64_t vaddr, uint32_t n)
{
	static const uint8_t restorer[] = {15, 0, 0, 0, 0x0f, 0x05};
	cleanup_free uint8_t *bytes = malloc(n);
	ZydisDecoder decoder;
	int r;

	if (!bytes)
		return -ENOMEM;
	r = elf_file__read_vaddr(f->file, vaddr, bytes, n);
	if (r < 0)
		return r == -ENXIO ? 0 : r;
	code_decoder__init(&decoder);
	if ((n < GAP_MIN && !memmem(bytes, n, restorer, sizeof(restorer))) ||
	    code_padding(&decoder, bytes, n, 0) == n)
		return 0;
	return do_bytes(f, vaddr, bytes, n);
}

static int do_gap(struct code_flow *f, const struct stretch *gap)
{
	uint64_t pos = gap->start;
	int r = 0;

	while (pos < gap->end && r == 0) {
		uint32_t n = (uint32_t)MIN(MIN(gap->end - pos, CODE_GAP_BYTES_MAX), f->bytes_left);

		if (n == 0 || !f->steps_left) {
			f->stats.n_cut += gap->end - pos;
			return 0;
		}
		if (pos + n < gap->end) {
			/* Better no function is cut in two. */
			size_t i = entry_from(f, pos + n);

			if (i > 0 && f->entries[i - 1].vaddr > pos)
				n = (uint32_t)(f->entries[i - 1].vaddr - pos);
		}
		r = do_part(f, pos, n);
		f->bytes_left -= n;
		pos += n;
	}
	return r;
}

/* Where the program starts there is no caller, up to the next function. */
static int add_start(struct code_flow *f)
{
	static const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	uint64_t start = elf_file__entry(f->file), end;
	size_t i;
	int r;

	if (!start || !is_in_gap(f, start))
		return 0;
	end = f->gaps[gap_from(f, start)].end;
	i = entry_from(f, start + 1);
	if (i < f->n_entries)
		end = MIN(end, f->entries[i].vaddr);
	r = unwind_table__begin(f->t, UNWIND_SOURCE_ENTRY, start, end);
	return r < 0 ? r : unwind_table__row(f->t, start, &root);
}

/*
 * glibc's makecontext() has the first function of a stack return to code that nobody has called,
 * though its FDE says so: it begins by taking the stack pointer from elsewhere. A return address is
 * looked up a byte before, which is padding: there it says that this is a root.
 */
static int add_bottom(struct code_flow *f, const struct stretch *gap)
{
	static const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	static const uint8_t take_stack[] = {0x48, 0x89, 0xdc}; /* mov %rbx, %rsp */
	uint8_t bytes[sizeof(take_stack)];
	int r = elf_file__read_vaddr(f->file, gap->end, bytes, sizeof(bytes));

	if (r < 0)
		return r == -ENXIO ? 0 : r;
	if (memcmp(bytes, take_stack, sizeof(bytes)) != 0)
		return 0;
	r = unwind_table__begin(f->t, UNWIND_SOURCE_CODE, gap->end - 1, gap->end);
	return r < 0 ? r : unwind_table__row(f->t, gap->end - 1, &root);
}

static int do_file(struct code_flow *f)
{
	int r = find_gaps(f);

	if (r == 0 && f->n_gaps)
		r = find_entries(f);
	for (size_t i = 0; i < f->n_gaps && r == 0; i++) {
		r = do_gap(f, &f->gaps[i]);
		if (r == 0)
			r = add_bottom(f, &f->gaps[i]);
	}
	return r == 0 ? add_start(f) : r;
}

int code_flow_read(const struct elf_file *file, struct unwind_table *t,
		   struct code_flow_stats *ret_stats)
{
	struct code_flow f = {
	    .file = file,
	    .t = t,
	    .bytes_left = CODE_FLOW_BYTES_MAX,
	    .steps_left = CODE_FLOW_STEPS_MAX,
	    .calls_left = CALLS_MAX,
	    .block_reads_left = BLOCK_READS_MAX,
	};
	int r = 0;

	if (elf_file__machine(file) == EM_X86_64)
		r = do_file(&f);
	free(f.gaps);
	free(f.entries);
	if (r == 0 && ret_stats)
		*ret_stats = f.stats;
	return r;
}
