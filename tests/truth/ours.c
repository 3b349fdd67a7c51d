/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/ours.h"

#include "bpf/unwind.bpf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/util.h"

/* The pages of the process that this walk has read. */
#define PAGES 512

struct pages {
	pid_t pid;
	uint64_t numbers[PAGES]; /* + 1; 0 = free */
	uint8_t bytes[PAGES][USER_PAGE];
	/* Of a recording: the words that were read. */
	uint64_t *words;
	size_t n_words, cap_words;
	bool recording;
};

static struct pages pages;
static struct unwind_cache cache;
static struct unwind_walk walk;
static abi_u64 frames[SAMPLE_FRAMES_MAX];

static const uint8_t *page_of(struct pages *p, uint64_t number)
{
	uint32_t i = (uint32_t)number % PAGES;
	struct iovec to = {p->bytes[i], USER_PAGE};
	struct iovec from = {(void *)(uintptr_t)(number * USER_PAGE), USER_PAGE};

	if (p->numbers[i] == number + 1)
		return p->bytes[i];
	p->numbers[i] = 0;
	if (process_vm_readv(p->pid, &to, 1, &from, 1, 0) != USER_PAGE)
		return NULL;
	p->numbers[i] = number + 1;
	return p->bytes[i];
}

static void note_words(struct pages *p, uint64_t addr, size_t size)
{
	for (uint64_t word = addr & ~7ull; p->recording && word < addr + size; word += 8) {
		if (array_reserve(&p->words, &p->cap_words, p->n_words + 1, sizeof(*p->words)) < 0)
			return;
		p->words[p->n_words++] = word;
	}
}

static bool read_process(void *ctx, uint64_t addr, void *dst, size_t size)
{
	struct pages *p = ctx;
	size_t done = 0;

	while (done < size) {
		const uint8_t *page = page_of(p, (addr + done) / USER_PAGE);
		size_t at = (addr + done) % USER_PAGE, n = MIN(size - done, USER_PAGE - at);

		if (!page)
			return false;
		memcpy((char *)dst + done, page + at, n);
		done += n;
	}
	note_words(p, addr, size);
	return true;
}

static struct native_memory memory = {.read = read_process, .ctx = &pages, .fault_at = SIZE_MAX};

static const char *end_text(uint32_t end)
{
	static const char *const texts[STACK_END_MAX] = {
	    [STACK_END_ROOT] = "root",	     [STACK_END_UNREADABLE] = "unreadable",
	    [STACK_END_BAD_CFA] = "bad CFA", [STACK_END_NO_MAPPING] = "no mapping",
	    [STACK_END_NO_INFO] = "no info", [STACK_END_IMPLAUSIBLE] = "implausible",
	    [STACK_END_DEPTH] = "depth",     [STACK_END_UNKNOWN] = "unknown code",
	};

	return end < STACK_END_MAX && texts[end] ? texts[end] : "?";
}

static void begin(const struct spaces *spaces, const struct space *space, const struct stop *stop)
{
	const struct unwind_space_head *head;

	native_memory = &memory;
	memory.lines = spaces__lines(spaces, &memory.n_lines);
	pages.pid = stop->pid;
	memset(pages.numbers, 0, sizeof(pages.numbers));
	pages.n_words = 0;
	head = (const void *)unwind_line(space->line);
	walk = (struct unwind_walk){
	    .regs = stop->regs,
	    .space = space->line,
	    .generation = head->generation,
	    .all_regs = head->all_regs,
	    .n = 1,
	    .max = USER_FRAMES_MAX,
	};
	frames[0] = stop->regs.ip;
}

void ours_walk(const struct spaces *spaces, const struct space *space, const struct stop *stop,
	       struct walk *ret)
{
	struct walk_context context = {.walk = &walk, .frames = frames, .cache = &cache};

	begin(spaces, space, stop);
	walk_user(&context);
	ret->n = walk.n;
	memcpy(ret->pcs, frames, walk.n * sizeof(frames[0]));
	ret->root = walk.end == STACK_END_ROOT;
	ret->depth = walk.end == STACK_END_DEPTH;
	snprintf(ret->why, sizeof(ret->why), "%s", end_text(walk.end));
}

static const char *const reg_names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

void ours_rule_text(const struct spaces *spaces, const struct space *space, uint64_t pc, char *ret,
		    size_t n)
{
	static const char *const kinds[UNWIND_CFA_MAX] = {
	    "NONE", "ROOT", "REG", "DEREF", "DEREF_INDEXED", "PLT", "SIGNAL", "FRAME"};
	struct unwind_rule rule = {0};
	uint32_t why;

	native_memory = &memory;
	memory.lines = spaces__lines(spaces, &memory.n_lines);
	walk.space = space->line;
	why = walk_search_rule(&walk, pc, &rule);
	if (why)
		snprintf(ret, n, "(%s)", end_text(why));
	else
		snprintf(ret, n, "%s %s%+d ra %u%s%s%s", kinds[rule.cfa % UNWIND_CFA_MAX],
			 reg_names[rule.cfa_reg & 15], rule.cfa_off, rule.ra,
			 rule.flags & UNWIND_FLAG_GUESSED ? " guessed" : "",
			 rule.flags & UNWIND_FLAG_SWITCH ? " switch" : "",
			 rule.flags & UNWIND_FLAG_SAVED_AT_REG ? " at-reg" : "");
}

/* ---- recording ------------------------------------------------------------------------------- */

static int by_value(const void *pa, const void *pb)
{
	uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

	return a < b ? -1 : a > b;
}

/* Four words a line, with the address of the first. */
static void print_words(FILE *f)
{
	uint64_t next = 0;
	unsigned column = 0;

	qsort(pages.words, pages.n_words, sizeof(*pages.words), by_value);
	pages.recording = false;
	for (size_t i = 0; i < pages.n_words; i++) {
		uint64_t addr = pages.words[i], word;

		if ((i && addr == pages.words[i - 1]) || !read_process(&pages, addr, &word, 8))
			continue;
		if (addr != next || column == 4) {
			fprintf(f, "%smem %" PRIx64, i ? "\n" : "", addr);
			column = 0;
		}
		fprintf(f, " %" PRIx64, word);
		next = addr + 8;
		column++;
	}
	fprintf(f, "\n");
}

/* "rule PC" and the members of the rule in order; "code START END" and its kind where there is no
 * table. */
static void print_rule(FILE *f, const struct space *space, uint64_t pc)
{
	const struct area *a = space__find(space, pc);
	const struct unwind_table_head *table;
	struct unwind_rule rule;
	struct unwind_search at = {0};
	abi_u32 row;
	abi_u64 off;

	if (!a || a->code != UNWIND_CODE_TABLE) {
		if (a)
			fprintf(f, "code %" PRIx64 " %" PRIx64 " %u\n", a->start, a->end, a->code);
		return;
	}
	table = (const void *)unwind_line(a->table);
	off = a->off + (pc - a->start);
	if (!find_row(&at, table, a->table, off, &row) || !find_rule(&at, a->table, off, &rule))
		return;
	/* One address is enough: it is what the walk asks for. */
	fprintf(f, "rule %" PRIx64 " %u %u %u %u %d %d", pc, rule.cfa, rule.cfa_reg, rule.ra,
		rule.flags, rule.cfa_off, rule.cfa_off2);
	for (int i = 0; i < UNWIND_N_SAVED; i++)
		fprintf(f, " %u", rule.saved[i]);
	fprintf(f, "\n");
}

int ours_record(const struct spaces *spaces, const struct space *space, const struct stop *stop,
		const struct walk *expected, const char *path, const char *recipe)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fprintf(f, "# %s\n", recipe);
	fprintf(f, "ip %" PRIx64 "\nregs", stop->regs.ip);
	for (int i = 0; i < ARCH_N_REGS; i++)
		fprintf(f, " %" PRIx64, stop->regs.r[i]);
	pages.recording = true;
	begin(spaces, space, stop);
	fprintf(f, "\nall_regs %u\n", walk.all_regs);
	walk_user(&(struct walk_context){.walk = &walk, .frames = frames});
	pages.recording = false;
	for (uint32_t i = 0; i < expected->n; i++) {
		if (i > 0)
			print_rule(f, space, expected->pcs[i] - 1);
		if (expected->exact[i])
			print_rule(f, space, expected->pcs[i]);
	}
	print_words(f);
	/* What our walk names by the address after its first byte. */
	for (uint32_t i = 0; i < expected->n; i++)
		fprintf(f, "frame %" PRIx64 "%s\n", expected->pcs[i],
			frames[i] == expected->pcs[i] + 1 ? " interrupted" : "");
	fprintf(f, "end %s\n", expected->root ? "root" : "other");
	return fclose(f) ? -errno : 0;
}
