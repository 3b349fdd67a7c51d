/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/differences.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tests/truth/known.h"
#include "tests/truth/ours.h"

#define CLASSES_MAX 400
#define EXAMPLE_MAX 6000

struct difference {
	char text[512];
	const char *verdict, *why;
	uint64_t n;
	char example[EXAMPLE_MAX];
};

/* Our walks that did not end at a root, by reason and place. */
struct end {
	char text[256];
	uint64_t n;
};

struct differences {
	uint64_t n_stops, n_equal;
	uint64_t n_root, n_frames; /* of our walks */
	struct difference classes[CLASSES_MAX];
	size_t n_classes;
	struct end ends[CLASSES_MAX];
	size_t n_ends;
};

struct differences *differences__new(void)
{
	return calloc(1, sizeof(struct differences));
}

/* We name the instruction that a signal interrupted by the address after its first byte. */
static bool same_pc(const struct walk *ours, const struct walk *theirs, uint32_t i)
{
	return ours->pcs[i] == theirs->pcs[i] ||
	       (i && theirs->exact[i] && ours->pcs[i] == theirs->pcs[i] + 1);
}

static void place(const struct space *space, uint64_t pc, char *ret, size_t n)
{
	const struct area *a = space__find(space, pc);

	if (a)
		snprintf(ret, n, "%s+%" PRIx64, a->name, a->off + (pc - a->start));
	else
		snprintf(ret, n, "?");
}

/* The parts of a rule that tell classes apart: without numbers. */
static void short_rule(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++)
		if (!((*p == '+' || *p == '-') && p[1] >= '0' && p[1] <= '9') &&
		    !(*p >= '0' && *p <= '9' && p > text &&
		      (p[-1] == '+' || p[-1] == '-' || (p[-1] >= '0' && p[-1] <= '9'))))
			*to++ = *p;
	*to = '\0';
}

struct append {
	char *text;
	size_t n;
};

static __attribute__((format(printf, 2, 3))) void append(struct append *a, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(a->text + a->n, EXAMPLE_MAX - a->n, format, args);
	va_end(args);
	a->n += (size_t)n < EXAMPLE_MAX - a->n ? (size_t)n : EXAMPLE_MAX - a->n - 1;
}

static void write_example(struct difference *c, const struct spaces *spaces,
			  const struct space *space, const struct stop *stop,
			  const struct walk *ours, const struct walk *theirs, uint32_t at)
{
	static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	struct append a = {.text = c->example};
	uint32_t n = ours->n > theirs->n ? ours->n : theirs->n;
	char where[2][SPACE_NAME_MAX + 24], rule[128];

	for (int i = 0; i < 16; i++)
		append(&a, "%s %s %" PRIx64, i % 8 ? "" : "\n   ", names[i], stop->regs.r[i]);
	append(&a, "\n    ours %u frames, %s; theirs %u frames, %s\n", ours->n, ours->why,
	       theirs->n, theirs->why);
	for (uint32_t i = at > 4 ? at - 4 : 0; i < n && i < at + 4; i++) {
		place(space, i < ours->n ? ours->pcs[i] : 0, where[0], sizeof(where[0]));
		place(space, i < theirs->n ? theirs->pcs[i] : 0, where[1], sizeof(where[1]));
		rule[0] = '\0';
		if (i < ours->n)
			ours_rule_text(spaces, space, ours->pcs[i] - (i > 0), rule, sizeof(rule));
		append(&a, "    %s%3u %12" PRIx64 " %-40s | %12" PRIx64 " %-40s | %s\n",
		       i == at ? ">" : " ", i, i < ours->n ? ours->pcs[i] : 0, where[0],
		       i < theirs->n ? theirs->pcs[i] : 0, where[1], rule);
	}
}

static struct difference *find_class(struct differences *d, const char *text)
{
	const struct known *found;
	struct difference *c;

	for (size_t i = 0; i < d->n_classes; i++)
		if (!strcmp(d->classes[i].text, text))
			return &d->classes[i];
	if (d->n_classes == CLASSES_MAX)
		return &d->classes[CLASSES_MAX - 1];
	c = &d->classes[d->n_classes++];
	snprintf(c->text, sizeof(c->text), "%s", text);
	found = known_find(text);
	c->verdict = found ? found->verdict : "unexplained";
	c->why = found ? found->why : NULL;
	return c;
}

static void count_end(struct differences *d, const struct spaces *spaces, const struct space *space,
		      const struct walk *ours)
{
	uint64_t pc = ours->pcs[ours->n - 1] - (ours->n > 1);
	const struct area *a = space__find(space, pc);
	char text[256], rule[128];
	struct end *e = d->ends;

	if (ours->root)
		return;
	ours_rule_text(spaces, space, pc, rule, sizeof(rule));
	short_rule(rule);
	snprintf(text, sizeof(text), "%s | %s | %s", ours->why, a ? a->name : "?", rule);
	while (e < d->ends + d->n_ends && strcmp(e->text, text))
		e++;
	if (e == d->ends + CLASSES_MAX)
		return;
	if (e == d->ends + d->n_ends)
		d->n_ends++;
	memcpy(e->text, text, sizeof(text));
	e->n++;
}

/* A frame of theirs that a second libdwfl does not give, of the same stop, was none. */
static bool fresh_one_agrees(const struct stop *stop, const struct walk *ours)
{
	static struct walk again;
	struct libdwfl *l = libdwfl__new(stop->pid);
	bool equal;

	if (!l)
		return false;
	libdwfl__walk(l, stop->tid, &again);
	libdwfl__free(l);
	equal = again.n == ours->n && again.root == ours->root;
	for (uint32_t i = 0; equal && i < again.n; i++)
		equal = same_pc(ours, &again, i);
	return equal;
}

bool differences__compare(struct differences *d, const struct spaces *spaces,
			  const struct space *space, const struct stop *stop,
			  const struct walk *ours, const struct walk *theirs, struct libdwfl *dwfl)
{
	uint32_t at = 0, n = ours->n < theirs->n ? ours->n : theirs->n;
	char text[512], rule[128] = "", kind[160];
	const struct area *a;
	struct difference *c;

	d->n_stops++;
	d->n_root += ours->root;
	d->n_frames += ours->n;
	count_end(d, spaces, space, ours);
	while (at < n && same_pc(ours, theirs, at))
		at++;
	if (at == ours->n && at == theirs->n && ours->root == theirs->root &&
	    ours->depth == theirs->depth) {
		d->n_equal++;
		return true;
	}
	if (at == n && ours->n == theirs->n)
		snprintf(kind, sizeof(kind), "end: ours %s, theirs %s", ours->why, theirs->why);
	else if (at == ours->n && theirs->n == at + 1 && !space__find(space, theirs->pcs[at]))
		snprintf(kind, sizeof(kind), "theirs adds an address of no code, ours ends: %s",
			 ours->why);
	else if (at == ours->n)
		snprintf(kind, sizeof(kind), "ours ends: %s", ours->why);
	else if (at == theirs->n)
		snprintf(kind, sizeof(kind), "theirs ends: %s", theirs->why);
	else
		snprintf(kind, sizeof(kind), "other caller");
	/* The frame whose caller they differ about. */
	a = at ? space__find(space, ours->pcs[at - 1] - (at > 1)) : NULL;
	if (at)
		ours_rule_text(spaces, space, ours->pcs[at - 1] - (at > 1), rule, sizeof(rule));
	short_rule(rule);
	snprintf(text, sizeof(text), "%s%s | %s | %s%s%s",
		 fresh_one_agrees(stop, ours) ? "(a fresh libdwfl agrees with us) " : "", kind,
		 a ? a->name : "?", rule,
		 at && libdwfl__has_cfi(dwfl, ours->pcs[at - 1] - (at > 1)) ? "" : " | no CFI",
		 ours->root ? " | rooted" : "");
	c = find_class(d, text);
	if (c->n++ == 0)
		write_example(c, spaces, space, stop, ours, theirs, at);
	return false;
}

static bool is_explained(const struct difference *c)
{
	return !strcmp(c->verdict, "theirs") || !strcmp(c->verdict, "neither");
}

void differences__print(const struct differences *d, const char *program)
{
	uint64_t n_explained = 0, n_unexplained = 0;

	for (size_t i = 0; i < d->n_classes; i++) {
		if (is_explained(&d->classes[i]))
			n_explained += d->classes[i].n;
		else
			n_unexplained += d->classes[i].n;
	}
	printf("total\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
	       "\t%" PRIu64 "\n",
	       program, d->n_stops, d->n_equal, n_explained, n_unexplained, d->n_root, d->n_frames);
	for (size_t i = 0; i < d->n_classes; i++) {
		const struct difference *c = &d->classes[i];

		printf("class\t%s\t%" PRIu64 "\t%s\t%s\n", program, c->n, c->verdict, c->text);
		if (c->why)
			printf("    why: %s\n", c->why);
		printf("    example:%s", c->example);
	}
	for (size_t i = 0; i < d->n_ends; i++)
		printf("end\t%s\t%" PRIu64 "\t%s\n", program, d->ends[i].n, d->ends[i].text);
}
