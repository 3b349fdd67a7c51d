/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses /proc/kallsyms into one array sorted by address; see kallsyms.h.
 *
 * Each line is "ffffffff81000000 T name" and, for a module, "\t[module]". vmlinux comes sorted,
 * modules and BPF programs do not. Several names of one address (aliases, section marks such as
 * _stext, the compat and native entry of a system call) are reduced to one by symbol_cmp().
 */
#include "daemon/collector/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strpool.h"
#include "base/util.h"
#include "daemon/collector/kernel_modules.h"

/* The kernel's own limit is 512 for a name (KSYM_NAME_LEN) and 64 for a module. */
#define LINE_MAX_BYTES 1024
#define READ_SIZE ((size_t)64 << 10)

enum binding {
	BINDING_GLOBAL,
	BINDING_WEAK,
	BINDING_LOCAL,
};

struct symbol {
	uint64_t addr;
	uint32_t name;	       /* offset in names */
	uint32_t module : 29;  /* string of the module pool */
	uint32_t boundary : 1; /* marks the end of code, is no code itself */
	uint32_t binding : 2;
};
_Static_assert(sizeof(struct symbol) == 16, "the budget of the table");

/* Memory of a module, from its code on. */
struct module {
	uint64_t start, end;
};

struct kallsyms {
	struct symbol *symbols;
	size_t n, cap;
	char *names;
	size_t n_names, cap_names;
	struct strpool modules;
	struct module *ranges; /* by start */
	size_t n_ranges, cap_ranges;
	uint64_t stext, etext; /* 0 = not seen */
	size_t n_bad_lines;

	/* While parsing: */
	bool any_addr; /* an address that is not zero was seen */
	size_t last_name, last_name_n;
};

struct kallsyms *kallsyms__free(struct kallsyms *ks)
{
	if (!ks)
		return NULL;
	free(ks->symbols);
	free(ks->names);
	free(ks->ranges);
	strpool__fini(&ks->modules);
	free(ks);
	return NULL;
}

DEFINE_CLEANUP(struct kallsyms *, kallsyms__free);

static int new_empty(struct kallsyms **ret)
{
	cleanup_free struct kallsyms *ks = calloc(1, sizeof(*ks));
	int r;

	if (!ks)
		return -ENOMEM;
	r = strpool__init(&ks->modules);
	if (r < 0)
		return r;
	*ret = steal_ptr(ks);
	return 0;
}

/* ---- parsing -----------------------------------------------------------------------------------
 */

struct line {
	uint64_t addr;
	char type;
	const char *name, *module;
	size_t n_name, n_module;
};

/* Takes a hexadecimal number of 1 to 16 digits off the front. */
static bool take_hex(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	for (; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (unsigned)(c - 'a' + 10);
		else
			break;
	}
	if (s == *p || s - *p > 16)
		return false;
	*p = s;
	*ret = v;
	return true;
}

/* Splits the line [S, END), which has no newline. */
static bool split_line(const char *s, const char *end, struct line *ret)
{
	struct line l = {.module = ""};

	if (!take_hex(&s, end, &l.addr) || end - s < 4 || s[0] != ' ' || s[2] != ' ')
		return false;
	l.type = s[1];
	l.name = s + 3;
	for (s = l.name; s < end && *s != ' ' && *s != '\t'; s++)
		if (!*s)
			return false;
	l.n_name = (size_t)(s - l.name);
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	if (s < end) {
		if (*s != '[' || end[-1] != ']' || memchr(s, '\0', (size_t)(end - s)))
			return false;
		l.module = s + 1;
		l.n_module = (size_t)(end - 1 - l.module);
	}
	if (l.n_name == 0 || (s < end && l.n_module == 0))
		return false;
	*ret = l;
	return true;
}

/* Stores a name. One that the name before it ends in ("__pfx_" names, half of all, come right
 * before their functions) takes no room of its own. */
static int add_name(struct kallsyms *ks, const char *name, size_t n, uint32_t *ret)
{
	size_t off = ks->n_names;
	int r;

	if (n <= ks->last_name_n) {
		size_t tail = ks->last_name + ks->last_name_n - n;

		if (!memcmp(ks->names + tail, name, n)) {
			*ret = (uint32_t)tail;
			return 0;
		}
	}
	if (off + n + 1 > UINT32_MAX)
		return -EFBIG;
	r = array_reserve(&ks->names, &ks->cap_names, off + n + 1, 1);
	if (r < 0)
		return r;
	memcpy(ks->names + off, name, n);
	ks->names[off + n] = '\0';
	ks->n_names += n + 1;
	ks->last_name = off;
	ks->last_name_n = n;
	*ret = (uint32_t)off;
	return 0;
}

static bool name_is(const struct line *l, const char *name)
{
	return l->n_name == strlen(name) && !memcmp(l->name, name, l->n_name);
}

/* Notes vmlinux's section marks. Returns whether L ends a stretch of code. */
static bool note_mark(struct kallsyms *ks, const struct line *l)
{
	if (l->n_module)
		return false;
	if (name_is(l, "_stext"))
		ks->stext = l->addr;
	if (name_is(l, "_etext"))
		ks->etext = l->addr;
	return name_is(l, "_etext") || name_is(l, "_einittext");
}

static int add_line(struct kallsyms *ks, const char *s, const char *end)
{
	struct symbol sym = {0};
	uint32_t module = 0, name = 0;
	struct line l;
	int r;

	if (end - s > LINE_MAX_BYTES || !split_line(s, end, &l)) {
		ks->n_bad_lines++;
		return 0;
	}
	if (!strchr("tTwW", l.type) || !l.type)
		return 0;
	if (ks->n >= KALLSYMS_MAX)
		return -EFBIG;
	r = array_reserve(&ks->symbols, &ks->cap, ks->n + 1, sizeof(*ks->symbols));
	if (r == 0)
		r = add_name(ks, l.name, l.n_name, &name);
	if (r == 0)
		r = strpool__intern(&ks->modules, l.module, l.n_module, &module);
	if (r < 0)
		return r;
	sym.addr = l.addr;
	sym.name = name;
	sym.module = module;
	sym.boundary = note_mark(ks, &l);
	sym.binding = l.type == 'T' ? BINDING_GLOBAL : l.type == 't' ? BINDING_LOCAL : BINDING_WEAK;
	ks->symbols[ks->n++] = sym;
	ks->any_addr = ks->any_addr || l.addr;
	return 0;
}

/* Adds the whole lines of [S, END) and, if LAST, the rest. *RET is where the rest begins. */
static int add_lines(struct kallsyms *ks, const char *s, const char *end, bool last,
		     const char **ret)
{
	while (s < end) {
		const char *newline = memchr(s, '\n', (size_t)(end - s));
		int r;

		if (!newline && !last)
			break;
		r = add_line(ks, s, newline ? newline : end);
		if (r < 0)
			return r;
		s = newline ? newline + 1 : end;
	}
	*ret = s;
	return 0;
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static size_t n_underscores(const char *name)
{
	return strspn(name, "_");
}

/*
 * Sorts by address; of one address, the name to keep first. Marks of the end of code come first of
 * all, or they would let code reach over them. Then fewer leading underscores, which tells
 * functions from section marks (_stext, __irqentry_text_start); global before weak before local;
 * the shorter name (__x64_sys_read before __ia32_sys_read), the alphabet, vmlinux before modules.
 */
static int symbol_cmp(const void *pa, const void *pb, void *names_and_pool)
{
	const struct symbol *a = pa, *b = pb;
	const struct kallsyms *ks = names_and_pool;
	const char *na = ks->names + a->name, *nb = ks->names + b->name;
	size_t ua, ub;
	int r;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->boundary != b->boundary)
		return a->boundary ? -1 : 1;
	ua = n_underscores(na);
	ub = n_underscores(nb);
	if (ua != ub)
		return ua < ub ? -1 : 1;
	if (a->binding != b->binding)
		return a->binding < b->binding ? -1 : 1;
	ua = strlen(na);
	ub = strlen(nb);
	if (ua != ub)
		return ua < ub ? -1 : 1;
	r = strcmp(na, nb);
	if (r)
		return r;
	return strcmp(strpool__get(&ks->modules, a->module), strpool__get(&ks->modules, b->module));
}

/* Gives back the room that growing left over; to keep the larger array is no error. */
static void shrink(void *array, size_t n, size_t size)
{
	void **p = array, *smaller = reallocarray(*p, MAX(n, 1), size);

	if (smaller)
		*p = smaller;
}

/* Sorts, keeps one symbol per address, and drops what is only needed while parsing. */
static void finish_table(struct kallsyms *ks)
{
	size_t n = 0;

	if (ks->n)
		qsort_r(ks->symbols, ks->n, sizeof(*ks->symbols), symbol_cmp, ks);
	for (size_t i = 0; i < ks->n; i++)
		if (n == 0 || ks->symbols[n - 1].addr != ks->symbols[i].addr)
			ks->symbols[n++] = ks->symbols[i];
	ks->n = n;
	shrink(&ks->symbols, ks->n, sizeof(*ks->symbols));
	shrink(&ks->names, ks->n_names, 1);
	ks->cap = ks->n;
	ks->cap_names = ks->n_names;
}

static int publish(struct kallsyms **ks, struct kallsyms **ret)
{
	if ((*ks)->n && !(*ks)->any_addr)
		return KALLSYMS_HIDDEN;
	finish_table(*ks);
	*ret = steal_ptr(*ks);
	return 0;
}

int kallsyms__parse(struct kallsyms **ret, const char *text, size_t n)
{
	_cleanup_(kallsyms__freep) struct kallsyms *ks = NULL;
	int r = new_empty(&ks);

	if (r == 0)
		r = add_lines(ks, text, text + n, true, &text);
	if (r < 0)
		return r;
	return publish(&ks, ret);
}

int kallsyms__new(struct kallsyms **ret, int fd)
{
	_cleanup_(kallsyms__freep) struct kallsyms *ks = NULL;
	cleanup_free char *buf = malloc(READ_SIZE);
	size_t n = 0;
	bool last;
	int r = new_empty(&ks);

	if (r == 0 && !buf)
		r = -ENOMEM;
	if (r < 0)
		return r;
	do {
		const char *rest;
		int64_t got = read_full(fd, buf + n, READ_SIZE - n);

		if (got < 0)
			return (int)got;
		n += (size_t)got;
		last = n < READ_SIZE;
		r = add_lines(ks, buf, buf + n, last, &rest);
		if (r < 0)
			return r;
		if (rest == buf && !last)
			return -EFBIG; /* a line as long as the buffer: this is not kallsyms */
		n = (size_t)(buf + n - rest);
		memmove(buf, rest, n);
	} while (!last);
	return publish(&ks, ret);
}

static int by_start(const void *pa, const void *pb)
{
	const struct module *a = pa, *b = pb;

	return a->start < b->start ? -1 : a->start > b->start;
}

int kallsyms__set_modules(struct kallsyms *ks, const char *modules)
{
	struct kernel_module m;

	ks->n_ranges = 0;
	while (kernel_modules_next(&modules, &m)) {
		int r = array_reserve(&ks->ranges, &ks->cap_ranges, ks->n_ranges + 1,
				      sizeof(*ks->ranges));

		if (r < 0)
			return r;
		ks->ranges[ks->n_ranges++] = (struct module){m.start, m.end};
	}
	if (ks->n_ranges)
		qsort(ks->ranges, ks->n_ranges, sizeof(*ks->ranges), by_start);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

/* Where the module ends that ADDR lies in; UINT64_MAX where it lies in none that is known. */
static uint64_t module_end(const struct kallsyms *ks, uint64_t addr)
{
	size_t lo = 0, hi = ks->n_ranges;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ks->ranges[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && addr < ks->ranges[lo - 1].end ? ks->ranges[lo - 1].end : UINT64_MAX;
}

/* The end of symbol I, by the rule of the header. */
static uint64_t symbol_end(const struct kallsyms *ks, size_t i)
{
	const struct symbol *s = &ks->symbols[i], *next = i + 1 < ks->n ? s + 1 : NULL;
	uint64_t limit = s->addr + MIN(KALLSYMS_TAIL_MAX, UINT64_MAX - s->addr);
	bool alone = !strcmp(strpool__get(&ks->modules, s->module), "bpf");

	limit = MIN(limit, module_end(ks, s->addr));
	if (!next)
		return limit;
	if (alone || next->module != s->module)
		return MIN(next->addr, limit);
	return next->addr;
}

int kallsyms__find(const struct kallsyms *ks, uint64_t addr, struct kallsyms_symbol *ret)
{
	size_t low = 0, high = ks->n; /* the last symbol at or before ADDR is in [low - 1, high) */
	struct kallsyms_symbol found;
	const struct symbol *s;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ks->symbols[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return KALLSYMS_NONE;
	s = &ks->symbols[low - 1];
	found.end = symbol_end(ks, low - 1);
	if (s->boundary || addr >= found.end)
		return KALLSYMS_NONE;
	found.start = s->addr;
	found.name = ks->names + s->name;
	found.module = strpool__get(&ks->modules, s->module);
	*ret = found;
	return 0;
}

int kallsyms__text(const struct kallsyms *ks, uint64_t *ret_start, uint64_t *ret_end)
{
	if (!ks->stext || ks->etext <= ks->stext)
		return KALLSYMS_NONE;
	*ret_start = ks->stext;
	*ret_end = ks->etext;
	return 0;
}

struct kallsyms_stats kallsyms__stats(const struct kallsyms *ks)
{
	return (struct kallsyms_stats){
	    .n_symbols = ks->n,
	    .n_bad_lines = ks->n_bad_lines,
	    .n_bytes = sizeof(*ks) + ks->cap * sizeof(*ks->symbols) + ks->cap_names +
		       ks->modules.cap_bytes + ks->modules.cap * sizeof(*ks->modules.offs) +
		       ks->modules.index.n_slots * sizeof(*ks->modules.index.slots) +
		       ks->cap_ranges * sizeof(*ks->ranges),
	};
}
