/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/go_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Of one table; the largest functions of kubelet have a few thousand. */
#define RUNS_MAX (256u << 10)

/* Of one function; more are read again and again. */
#define FILES_MAX 16

#define TEXT_BYTES 4096

/* A table of values, read: value V up to END, from the end of the run before on. */
struct runs {
	struct {
		uint64_t end;
		int32_t value;
	} * v;
	size_t n, cap;
};

/* The function at hand, and what was read of it. */
struct pass {
	const struct go_names *names;
	size_t number;
	bool is_usable;
	struct gopclntab_function f;
	struct gopclntab_source source;
	struct runs files, lines, inlines;
	uint32_t name; /* string of the answer; 0 = not read yet */
	struct {
		int32_t number;
		uint32_t string;
	} file[FILES_MAX];
	size_t n_files;
	char text[TEXT_BYTES];
};

/* What is broken or cannot be read costs its names only. */
static int only_enomem(int r)
{
	return r == -ENOMEM ? r : 0;
}

/* Takes one step off the budget. */
static bool may_go_on(struct limits *limits)
{
	if (!limits->matches_left) {
		limits->hits[LIMIT_MATCHES]++;
		return false;
	}
	limits->matches_left--;
	return true;
}

/* Reads table OFF of the function at hand; empty where there is none, cut where it is broken. */
static int load_runs(struct pass *pass, uint32_t off, struct runs *runs)
{
	struct gopclntab_values it;
	struct gopclntab_run run;
	int r;

	runs->n = 0;
	if (!off)
		return 0;
	gopclntab__values(pass->names->tab, &pass->f, off, &it);
	while (runs->n < RUNS_MAX && may_go_on(pass->names->limits)) {
		r = gopclntab_values__next(&it, &run);
		if (r)
			return only_enomem(r);
		r = array_reserve(&runs->v, &runs->cap, runs->n + 1, sizeof(*runs->v));
		if (r < 0)
			return r;
		runs->v[runs->n].end = run.end;
		runs->v[runs->n++].value = run.value;
	}
	return 0;
}

/* The value at VADDR, not before the function's start. False where there is none. */
static bool find_run(const struct runs *runs, uint64_t vaddr, int32_t *ret)
{
	size_t lo = 0, hi = runs->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (runs->v[mid].end <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == runs->n)
		return false;
	*ret = runs->v[lo].value;
	return true;
}

/* Makes the function that may hold VADDR the one at hand. */
static int load_function(struct pass *pass, uint64_t vaddr)
{
	struct gopclntab *tab = pass->names->tab;
	int r;

	pass->is_usable = false;
	pass->name = 0;
	pass->n_files = 0;
	pass->f = (struct gopclntab_function){0};
	r = gopclntab__find(tab, vaddr, &pass->number);
	if (r == 0)
		r = gopclntab__function(tab, pass->number, &pass->f);
	if (r == 0)
		r = gopclntab__source(tab, pass->number, &pass->source);
	if (r || vaddr < pass->f.start || vaddr >= pass->f.end)
		return only_enomem(r);
	r = load_runs(pass, pass->source.files, &pass->files);
	if (r == 0)
		r = load_runs(pass, pass->source.lines, &pass->lines);
	if (r == 0)
		r = load_runs(pass, pass->source.inline_index, &pass->inlines);
	pass->is_usable = r == 0 && pass->lines.n;
	return r;
}

/* Reads the name of F into the answer; 0 where it is broken. */
static int intern_name(struct pass *pass, const struct gopclntab_function *f, uint32_t *ret)
{
	int r = gopclntab__name(pass->names->tab, f, pass->text, sizeof(pass->text));

	*ret = 0;
	if (r)
		return only_enomem(r);
	return answer__string(pass->names->answer, pass->text, strlen(pass->text), ret);
}

static int intern_file(struct pass *pass, int32_t number, uint32_t *ret)
{
	int r;

	*ret = 0;
	for (size_t i = 0; i < pass->n_files; i++) {
		if (pass->file[i].number == number) {
			*ret = pass->file[i].string;
			return 0;
		}
	}
	r = gopclntab__file(pass->names->tab, &pass->source, number, pass->text,
			    sizeof(pass->text));
	if (r)
		return only_enomem(r);
	r = answer__string(pass->names->answer, pass->text, strlen(pass->text), ret);
	if (r == 0 && pass->n_files < FILES_MAX) {
		pass->file[pass->n_files].number = number;
		pass->file[pass->n_files++].string = *ret;
	}
	return r;
}

/* File and line at VADDR. */
static int place(struct pass *pass, uint64_t vaddr, struct answer_frame *frame)
{
	int32_t file, line;

	*frame = (struct answer_frame){0};
	if (find_run(&pass->lines, vaddr, &line) && line > 0)
		frame->line = (uint32_t)line;
	if (!find_run(&pass->files, vaddr, &file))
		return 0;
	return intern_file(pass, file, &frame->function.filename);
}

/*
 * The call inlined at VADDR, if there is one that can be read. LIMIT is the number of the call
 * inside of it: callers have smaller ones, so chains end.
 */
static int find_inlined(struct pass *pass, uint64_t vaddr, int32_t *limit,
			struct gopclntab_inlined *ret, bool *ret_found)
{
	int32_t index;
	int r;

	*ret_found = false;
	if (!find_run(&pass->inlines, vaddr, &index) || index < 0 || index >= *limit ||
	    !may_go_on(pass->names->limits))
		return 0;
	r = gopclntab__inlined(pass->names->tab, &pass->source, index, ret);
	if (r)
		return only_enomem(r);
	*limit = index;
	*ret_found = ret->parent_pc < pass->f.end - pass->f.start;
	return 0;
}

/* Adds the function at hand as the outermost frame of VADDR. */
static int outermost(struct pass *pass, struct answer_frame *frame)
{
	int r = 0;

	if (!pass->name)
		r = intern_name(pass, &pass->f, &pass->name);
	frame->function.name = frame->function.system_name = pass->name;
	frame->function.start_line = pass->source.start_line;
	return r;
}

static int name_query(struct pass *pass, size_t query)
{
	const struct go_names *names = pass->names;
	struct answer_frame frames[LIMIT_DEPTH_MAX];
	uint64_t pc = names->vaddrs[query];
	int32_t limit = INT32_MAX, unused;
	size_t n = 0;

	/* Behind the end of the function: padding, or something that is not Go's. */
	if (!find_run(&pass->lines, pc, &unused))
		return 0;
	for (;;) {
		struct answer_frame *frame = &frames[n];
		struct gopclntab_inlined inl;
		bool found = false;
		int r = place(pass, pc, frame);

		if (r == 0 && n + 1 < LIMIT_DEPTH_MAX)
			r = find_inlined(pass, pc, &limit, &inl, &found);
		if (r == 0 && !found)
			r = outermost(pass, frame);
		else if (r == 0)
			r = intern_name(pass, &inl.function, &frame->function.name);
		if (r < 0)
			return r;
		n++;
		if (!found)
			break;
		frame->function.system_name = frame->function.name;
		frame->function.start_line = inl.start_line;
		pc = pass->f.start + inl.parent_pc;
	}
	return answer__set_frames(names->answer, names->addrs[query], SYMBOL_SOURCE_GO, frames, n);
}

int go_names_run(const struct go_names *names)
{
	struct pass *pass = calloc(1, sizeof(*pass));
	int r = 0;

	if (!pass)
		return -ENOMEM;
	pass->names = names;
	for (size_t i = 0; r == 0 && i < names->n; i++) {
		uint64_t vaddr = names->vaddrs[i];

		if (answer__is_named(names->answer, names->addrs[i]))
			continue;
		if (vaddr < pass->f.start || vaddr >= pass->f.end)
			r = load_function(pass, vaddr);
		if (r == 0 && pass->is_usable)
			r = name_query(pass, i);
	}
	free(pass->files.v);
	free(pass->lines.v);
	free(pass->inlines.v);
	free(pass);
	return r;
}
