/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/unwind_table.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"

/* Browsers have a million functions and eight million rows. */
#define FUNCTIONS_MAX (2u << 20)
#define ROWS_MAX (12u << 20)
#define RULES_MAX 65536u

/* Functions that may hold one address; real files have at most two. */
#define ACTIVE_MAX 16

/* How far to look for functions that begin before a segment and reach into it: there are such only
 * where segments are cut up or overlap. */
#define LOOK_BACK_MAX 4096

/* Linkers align functions to 16 bytes: what lies between two is padding and needs no row. */
#define PADDING_MAX 16

#define SP_X86_64 7

/* Rows of a bucket on average, at least: fewer would spend more on the directory than on rows. */
#define ROWS_PER_BUCKET 8

struct function {
	uint64_t start, end;
	uint32_t first_row, n_rows;
	uint32_t number; /* in the order of unwind_table__begin() */
	uint8_t source;
};

struct row {
	uint32_t delta; /* from the function's start */
	uint16_t rule;
};

/* The row added last, to which those that follow may be steps. */
struct pending_row {
	bool is_there;
	uint32_t delta;
	struct unwind_rule rule; /* as it will be kept */
	struct unwind_rule now;	 /* what holds after its last step */
	uint32_t last_delta;	 /* where that is */
};

/* Addresses that some function holds. */
struct span {
	uint64_t start, end;
};

struct unwind_table {
	struct function *functions;
	struct row *rows;
	struct unwind_rule *rules; /* 0 = the rule of code that no source knows */
	size_t n_functions, n_rows, n_rules;
	size_t cap_functions, cap_rows, cap_rules;
	struct hash_key key; /* a file may choose rules that collide otherwise */
	struct hindex rule_index;
	struct span *spans; /* of the functions together, when they were last sorted */
	size_t n_spans;
	bool has_spans;		    /* they are of all functions */
	bool sorted;		    /* functions are in the order of by_start() */
	bool dropped;		    /* the function begun last does not count */
	struct pending_row pending; /* of that function */
	struct unwind_table_stats stats;
};

DEFINE_CLEANUP(struct unwind_table *, unwind_table__free);

static int intern_rule(struct unwind_table *t, const struct unwind_rule *rule, uint16_t *ret)
{
	uint64_t hash = hash_bytes(&t->key, rule, sizeof(*rule));
	struct hindex_iter it;
	uint32_t i;
	int r;

	for (it = hindex__find(&t->rule_index, hash); hindex_iter__next(&it, &i);) {
		if (!memcmp(&t->rules[i], rule, sizeof(*rule))) {
			*ret = (uint16_t)i;
			return 0;
		}
	}
	if (t->n_rules >= RULES_MAX) {
		t->stats.n_dropped++;
		*ret = 0;
		return 0;
	}
	r = array_reserve(&t->rules, &t->cap_rules, t->n_rules + 1, sizeof(*t->rules));
	if (r == 0)
		r = hindex__add(&t->rule_index, hash, (uint32_t)t->n_rules);
	if (r < 0)
		return r;
	t->rules[t->n_rules] = *rule;
	*ret = (uint16_t)t->n_rules++;
	return 0;
}

int unwind_table__new(struct unwind_table **ret)
{
	static const struct unwind_rule unknown = {.cfa = UNWIND_CFA_FRAME,
						   .flags = UNWIND_FLAG_GUESSED};
	_cleanup_(unwind_table__freep) struct unwind_table *t = calloc(1, sizeof(*t));
	uint16_t rule;
	int r;

	if (!t)
		return -ENOMEM;
	t->key = hash_key_random();
	r = intern_rule(t, &unknown, &rule);
	if (r < 0)
		return r;
	*ret = steal_ptr(t);
	return 0;
}

struct unwind_table *unwind_table__free(struct unwind_table *t)
{
	if (!t)
		return NULL;
	hindex__fini(&t->rule_index);
	free(t->functions);
	free(t->spans);
	free(t->rows);
	free(t->rules);
	free(t);
	return NULL;
}

struct unwind_table_stats *unwind_table__stats(struct unwind_table *t)
{
	return &t->stats;
}

static bool is_run(const struct unwind_rule *rule)
{
	return rule->flags & (UNWIND_FLAG_PUSHES | UNWIND_FLAG_POPS);
}

/* Puts the pending row among those of its function. */
static int flush(struct unwind_table *t)
{
	const struct pending_row *p = &t->pending;
	uint16_t number;
	int r;

	if (!p->is_there)
		return 0;
	t->pending.is_there = false;
	r = intern_rule(t, &p->rule, &number);
	if (r == 0)
		r = array_reserve(&t->rows, &t->cap_rows, t->n_rows + 1, sizeof(*t->rows));
	if (r < 0)
		return r;
	t->rows[t->n_rows++] = (struct row){.delta = p->delta, .rule = number};
	t->functions[t->n_functions - 1].n_rows++;
	return 0;
}

int unwind_table__begin(struct unwind_table *t, enum unwind_source source, uint64_t start,
			uint64_t end)
{
	int r = flush(t);

	if (r < 0)
		return r;
	t->dropped = start >= end || end - start > UINT32_MAX || t->n_functions >= FUNCTIONS_MAX;
	if (t->dropped) {
		t->stats.n_dropped++;
		return 0;
	}
	r = array_reserve(&t->functions, &t->cap_functions, t->n_functions + 1,
			  sizeof(*t->functions));
	if (r < 0)
		return r;
	t->functions[t->n_functions] = (struct function){
	    .start = start,
	    .end = end,
	    .first_row = (uint32_t)t->n_rows,
	    .number = (uint32_t)t->n_functions,
	    .source = (uint8_t)source,
	};
	t->n_functions++;
	t->sorted = t->has_spans = false;
	t->stats.n_functions[source]++;
	return 0;
}

static bool is_by_sp(const struct unwind_rule *rule)
{
	return rule->cfa == UNWIND_CFA_REG && rule->cfa_reg == SP_X86_64 && rule->ra == 1 &&
	       !(rule->flags & ~UNWIND_FLAG_GUESSED);
}

/*
 * Whether RULE is NOW one push (or one pop) later, where DEEP is the one of both with more on the
 * stack: everything that is saved in one only lies where that one alone has stack.
 */
static bool is_step(const struct unwind_rule *deep, const struct unwind_rule *flat)
{
	if (deep->cfa_off != flat->cfa_off + 8 || deep->flags != flat->flags)
		return false;
	for (size_t i = 0; i < UNWIND_N_SAVED; i++)
		if (deep->saved[i] != flat->saved[i] &&
		    (flat->saved[i] || deep->saved[i] == UNWIND_SAVED_LOST ||
		     8 * deep->saved[i] != deep->cfa_off))
			return false;
	return true;
}

/* What a register that has been popped is called: some say that it is unchanged again, others leave
 * it at its slot, which then lies below the stack pointer. */
static struct unwind_rule without_popped(struct unwind_rule rule)
{
	for (size_t i = 0; i < UNWIND_N_SAVED; i++)
		if (rule.saved[i] != UNWIND_SAVED_LOST && 8 * rule.saved[i] > rule.cfa_off)
			rule.saved[i] = 0;
	return rule;
}

/* Makes the row RULE at DELTA a step of the pending one, if it is one. */
static bool add_step(struct unwind_table *t, uint32_t delta, const struct unwind_rule *given)
{
	struct pending_row *p = &t->pending;
	struct unwind_rule rule = *given;
	uint8_t direction;

	if (!p->is_there || delta - p->delta > UNWIND_STEPS_BYTES || !is_by_sp(&rule) ||
	    !is_by_sp(&p->now))
		return false;
	rule = without_popped(rule);
	if (is_step(&rule, &p->now))
		direction = UNWIND_FLAG_PUSHES;
	else if (is_step(&p->now, &rule))
		direction = UNWIND_FLAG_POPS;
	else
		return false;
	if (is_run(&p->rule) && !(p->rule.flags & direction))
		return false;
	p->rule.flags |= direction;
	p->rule.cfa_off2 =
	    (int16_t)(uint16_t)((uint16_t)p->rule.cfa_off2 | 1u << (delta - p->delta - 1));
	if (direction == UNWIND_FLAG_PUSHES)
		memcpy(p->rule.saved, rule.saved, sizeof(rule.saved));
	p->now = rule;
	p->last_delta = delta;
	return true;
}

int unwind_table__row(struct unwind_table *t, uint64_t vaddr, const struct unwind_rule *rule)
{
	struct pending_row *p = &t->pending;
	struct function *f;
	uint32_t delta;
	int r;

	if (t->dropped)
		return 0;
	assert(t->n_functions > 0 && !t->sorted);
	f = &t->functions[t->n_functions - 1];
	if (vaddr < f->start || vaddr >= f->end)
		return 0;
	if (t->n_rows >= ROWS_MAX) {
		t->stats.n_dropped++;
		return 0;
	}
	delta = (uint32_t)(vaddr - f->start);
	if (p->is_there && delta <= p->delta) {
		/* Descending rows would break the search: the later word counts. */
		delta = p->delta;
		p->is_there = false;
	}
	if (p->is_there && !memcmp(&p->now, rule, sizeof(*rule)))
		return 0;
	if (p->is_there && delta > p->last_delta && add_step(t, delta, rule))
		return 0;
	r = flush(t);
	if (r < 0)
		return r;
	*p = (struct pending_row){
	    .is_there = true, .delta = delta, .rule = *rule, .now = *rule, .last_delta = delta};
	return 0;
}

void unwind_table__abandon(struct unwind_table *t)
{
	t->stats.n_bad++;
	if (t->dropped)
		return;
	assert(t->n_functions > 0 && !t->sorted);
	t->pending.is_there = false;
	t->n_functions--;
	t->stats.n_functions[t->functions[t->n_functions].source]--;
	t->n_rows -= t->functions[t->n_functions].n_rows;
	t->dropped = true;
}

static int by_start(const void *pa, const void *pb)
{
	const struct function *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int sort_functions(struct unwind_table *t)
{
	int r = flush(t);

	if (r < 0)
		return r;
	if (!t->sorted && t->n_functions)
		qsort(t->functions, t->n_functions, sizeof(*t->functions), by_start);
	t->sorted = true;
	t->dropped = true; /* no row belongs to a function any more */
	return 0;
}

/* Joins the functions, which are sorted, where they touch. */
static int find_spans(struct unwind_table *t)
{
	size_t cap = 0;

	free(t->spans);
	t->spans = NULL;
	t->n_spans = 0;
	for (size_t i = 0; i < t->n_functions; i++) {
		const struct function *f = &t->functions[i];
		struct span *last = t->n_spans ? &t->spans[t->n_spans - 1] : NULL;
		int r;

		if (last && f->start <= last->end) {
			last->end = MAX(last->end, f->end);
			continue;
		}
		r = array_reserve(&t->spans, &cap, t->n_spans + 1, sizeof(*t->spans));
		if (r < 0)
			return r;
		t->spans[t->n_spans++] = (struct span){f->start, f->end};
	}
	t->has_spans = true;
	return 0;
}

/* The first span that ends after VADDR. */
static size_t span_from(const struct unwind_table *t, uint64_t vaddr)
{
	size_t lo = 0, hi = t->n_spans;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->spans[mid].end <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int unwind_table__each_gap(struct unwind_table *t, uint64_t start, uint64_t end, unwind_gap_fn fn,
			   void *ctx)
{
	uint64_t pos = start;
	int r = sort_functions(t);

	if (r == 0 && !t->has_spans)
		r = find_spans(t);
	for (size_t i = span_from(t, start); i < t->n_spans && pos < end && r >= 0; i++) {
		const struct span *s = &t->spans[i];

		if (s->start > pos)
			r = fn(ctx, pos, MIN(s->start, end));
		pos = MAX(pos, s->end);
	}
	if (r >= 0 && pos < end)
		r = fn(ctx, pos, end);
	return MIN(r, 0);
}

/* ---- layout ---------------------------------------------------------------------------------- */

struct layout {
	struct unwind_table *t;
	uint32_t *rows; /* struct unwind_row words */
	uint32_t *offs; /* of the rows, whole, from base on */
	uint64_t base;
	size_t n, cap_rows, cap_offs;
	/* Of the segment at work: file offset - vaddr. */
	uint64_t delta;
	const struct function *active[ACTIVE_MAX];
	size_t n_active;
};

/* What is left of the rule number *RULE DELTA bytes after its row. 0 or -ENOMEM. */
static int rest_of_rule(struct unwind_table *t, uint32_t delta, uint16_t *rule)
{
	struct unwind_rule rest = t->rules[*rule], now = rest;

	if (delta == 0 || !is_run(&rest))
		return 0;
	unwind_rule_at(&now, delta);
	rest.cfa_off = now.cfa_off;
	rest.cfa_off2 =
	    delta < UNWIND_STEPS_BYTES ? (int16_t)(uint16_t)((uint16_t)rest.cfa_off2 >> delta) : 0;
	return intern_rule(t, rest.cfa_off2 ? &rest : &now, rule);
}

static int emit(struct layout *l, uint64_t off, uint16_t rule)
{
	int r;

	if (l->n == 0)
		l->base = off;
	if (off - l->base > UINT32_MAX ||
	    l->n >= (size_t)UNWIND_TABLE_LINES_MAX * UNWIND_LINE_WORDS)
		return -EFBIG;
	if (l->n && l->offs[l->n - 1] == off - l->base)
		l->n--;
	/* A run of steps begins anew where its row stands. */
	if (l->n && l->rows[l->n - 1] >> 16 == rule && !is_run(&l->t->rules[rule]))
		return 0;
	r = array_reserve(&l->rows, &l->cap_rows, l->n + 1, sizeof(*l->rows));
	if (r == 0)
		r = array_reserve(&l->offs, &l->cap_offs, l->n + 1, sizeof(*l->offs));
	if (r < 0)
		return r;
	l->rows[l->n] = unwind_row(off, rule);
	l->offs[l->n++] = (uint32_t)(off - l->base);
	return 0;
}

/* Which of the active functions counts. */
static const struct function *winner(const struct layout *l)
{
	const struct function *best = NULL;

	for (size_t i = 0; i < l->n_active; i++) {
		const struct function *f = l->active[i];

		if (!best || f->source < best->source ||
		    (f->source == best->source && by_start(best, f) < 0))
			best = f;
	}
	return best;
}

/* The rows of F that hold in [START, END). */
static int emit_function(struct layout *l, const struct function *f, uint64_t start, uint64_t end)
{
	const struct row *rows = &l->t->rows[f->first_row];
	size_t lo = 0, hi = f->n_rows;
	uint16_t rule = 0;
	int r = 0;

	/* The last row at or before START. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->start + rows[mid].delta <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo) {
		rule = rows[lo - 1].rule;
		r = rest_of_rule(l->t, (uint32_t)(start - f->start) - rows[lo - 1].delta, &rule);
	}
	if (r == 0)
		r = emit(l, start + l->delta, rule);
	for (; lo < f->n_rows && f->start + rows[lo].delta < end && r == 0; lo++)
		r = emit(l, f->start + rows[lo].delta + l->delta, rows[lo].rule);
	return r;
}

/* Removes from the active functions those that end at or before POS; tells where the next ends. */
static uint64_t expire(struct layout *l, uint64_t pos)
{
	uint64_t next = UINT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < l->n_active; i++) {
		if (l->active[i]->end <= pos)
			continue;
		next = MIN(next, l->active[i]->end);
		l->active[n++] = l->active[i];
	}
	l->n_active = n;
	return next;
}

static size_t first_function_from(const struct unwind_table *t, uint64_t vaddr)
{
	size_t lo = 0, hi = t->n_functions;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->functions[mid].start < vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void activate(struct layout *l, const struct function *f)
{
	if (l->n_active < ACTIVE_MAX)
		l->active[l->n_active++] = f;
	else
		l->t->stats.n_dropped++;
}

/* Goes over [START, END) of one segment, from one start or end of a function to the next. */
static int emit_range(struct layout *l, uint64_t start, uint64_t end)
{
	const struct unwind_table *t = l->t;
	size_t next = first_function_from(t, start);
	uint64_t pos = start;
	int r = 0;

	l->n_active = 0;
	for (size_t i = next - MIN(next, LOOK_BACK_MAX); i < next; i++)
		if (t->functions[i].end > start)
			activate(l, &t->functions[i]);
	while (pos < end && r == 0) {
		uint64_t until;

		for (; next < t->n_functions && t->functions[next].start <= pos; next++) {
			expire(l, pos);
			activate(l, &t->functions[next]);
		}
		until = MIN(expire(l, pos), end);
		if (next < t->n_functions)
			until = MIN(until, t->functions[next].start);
		if (l->n_active)
			r = emit_function(l, winner(l), pos, until);
		else if (pos == start || until - pos >= PADDING_MAX || until == end)
			r = emit(l, pos + l->delta, 0);
		pos = until;
	}
	return r;
}

static int by_offset(const void *pa, const void *pb)
{
	const struct elf_segment *a = pa, *b = pb;

	return a->off < b->off ? -1 : a->off > b->off;
}

/* The segments of FILE whose addresses do not wrap around, in the order of the file. *RET is the
 * caller's. 0, -ENOMEM, or -ENOEXEC where there are none. */
static int sort_segments(const struct elf_file *file, struct elf_segment **ret, size_t *ret_n)
{
	size_t n, kept = 0;
	const struct elf_segment *given = elf_file__code(file, &n);
	struct elf_segment *segments = malloc(n * sizeof(*segments) + 1);

	if (!segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (given[i].n_bytes <= UINT64_MAX - MAX(given[i].off, given[i].vaddr))
			segments[kept++] = given[i];
	if (kept == 0) {
		free(segments);
		return -ENOEXEC;
	}
	qsort(segments, kept, sizeof(*segments), by_offset);
	*ret = segments;
	*ret_n = kept;
	return 0;
}

static int emit_segments(struct layout *l, const struct elf_file *file, uint64_t *ret_end)
{
	cleanup_free struct elf_segment *segments = NULL;
	size_t n = 0;
	uint64_t done = 0; /* file offset up to which there are rows */
	int r = sort_segments(file, &segments, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t skip = done > segments[i].off ? done - segments[i].off : 0;

		if (skip >= segments[i].n_bytes)
			continue;
		l->delta = segments[i].off - segments[i].vaddr;
		/* Row 0 lies at the start of the first bucket, so that a search always finds
		 * one. */
		if (l->n == 0)
			r = emit(l, segments[i].off & ~(uint64_t)0xffff, 0);
		if (r < 0)
			return r;
		done = segments[i].off + segments[i].n_bytes;
		r = emit_range(l, segments[i].vaddr + skip,
			       segments[i].vaddr + segments[i].n_bytes);
		if (r == 0)
			r = emit(l, done, 0);
	}
	*ret_end = done;
	return r;
}

static uint32_t lines_of(uint64_t n, uint32_t per_line)
{
	return (uint32_t)((n + per_line - 1) / per_line);
}

/* What callees keep, besides the frame pointer: rbx, r12 .. r15 (psABI 3.2.1), x19 .. x22 (of
 * UNWIND_SAVED_AARCH64). A number too many only makes walks dearer. */
#define KEPT_REGS (1u << 3 | 0xfu << 12 | 0xfu << 19)

/* The registers on whose values RULE builds, a bit each. */
static uint32_t regs_read(const struct unwind_rule *rule)
{
	uint32_t cfa_reg = 1u << (rule->cfa_reg & 31);

	switch (rule->cfa) {
	case UNWIND_CFA_REG:
		if (rule->flags & UNWIND_FLAG_SAVED_AT_REG)
			cfa_reg |= 1u << (rule->cfa_off2 & 31);
		return cfa_reg;
	case UNWIND_CFA_DEREF:
		return cfa_reg;
	case UNWIND_CFA_DEREF_INDEXED:
		return 1u << (rule->cfa_reg & 15) | 1u << (rule->cfa_reg >> 4);
	default:
		return 0;
	}
}

/* Whether a frame's address may hang on a register that only its callees keep. The frame pointer is
 * always restored. */
static bool needs_all_regs(const struct unwind_table *t)
{
	for (size_t i = 0; i < t->n_rules; i++)
		if (regs_read(&t->rules[i]) & KEPT_REGS)
			return true;
	return false;
}

/* Chooses the size of the buckets and where everything lies. */
static int plan(const struct layout *l, uint64_t end, struct unwind_table_head *head)
{
	uint64_t range, n_lines;

	*head = (struct unwind_table_head){
	    .start = l->base,
	    .shift = UNWIND_SHIFT_MIN,
	    .n_rows = (uint32_t)l->n,
	    .n_rules = (uint32_t)l->t->n_rules,
	    .all_regs = needs_all_regs(l->t),
	};
	range = end - head->start;
	while (head->shift < UNWIND_SHIFT_MAX && range >> head->shift > l->n / ROWS_PER_BUCKET)
		head->shift++;
	if (range >> head->shift >= (uint64_t)UNWIND_TABLE_LINES_MAX * UNWIND_LINE_WORDS)
		return -EFBIG;
	head->n_buckets = (uint32_t)((range + (1u << head->shift) - 1) >> head->shift);
	head->dir_line = 1;
	head->row_line = head->dir_line + lines_of(head->n_buckets + 1ull, UNWIND_LINE_WORDS);
	head->rule_line = head->row_line + lines_of(head->n_rows, UNWIND_LINE_WORDS);
	n_lines = head->rule_line + lines_of(head->n_rules, UNWIND_RULES_PER_LINE);
	if (n_lines > UNWIND_TABLE_LINES_MAX)
		return -EFBIG;
	head->n_lines = (uint32_t)n_lines;
	return 0;
}

static void fill(const struct layout *l, const struct unwind_table_head *head,
		 struct unwind_line *lines)
{
	uint32_t *dir = lines[head->dir_line].w;
	size_t row = 0;

	memcpy(lines, head, sizeof(*head));
	memcpy(&lines[head->row_line], l->rows, l->n * sizeof(*l->rows));
	memcpy(&lines[head->rule_line], l->t->rules, l->t->n_rules * sizeof(*l->t->rules));
	for (uint64_t b = 0; b <= head->n_buckets; b++) {
		uint64_t from = b << head->shift;

		while (row < l->n && l->offs[row] < from)
			row++;
		dir[b] = (uint32_t)row;
	}
}

static int lay_out(struct layout *l, const struct elf_file *file, struct unwind_line **ret,
		   size_t *ret_n)
{
	struct unwind_table_head head;
	struct unwind_line *lines;
	uint64_t end;
	int r;

	r = sort_functions(l->t);
	if (r == 0)
		r = emit_segments(l, file, &end);
	if (r < 0)
		return r;
	r = plan(l, end, &head);
	if (r < 0)
		return r;
	lines = calloc(head.n_lines, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	fill(l, &head, lines);
	*ret = lines;
	*ret_n = head.n_lines;
	return 0;
}

int unwind_table__layout(struct unwind_table *t, const struct elf_file *file,
			 struct unwind_line **ret, size_t *ret_n)
{
	struct layout l = {.t = t};
	int r = lay_out(&l, file, ret, ret_n);

	free(l.rows);
	free(l.offs);
	return r;
}
