/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/sweep.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/demangle.h"
#include "symbolizer/die.h"
#include "symbolizer/die_names.h"
#include "symbolizer/inlines.h"
#include "symbolizer/lines.h"
#include "symbolizer/units.h"

/* What is known of one node of the inline tree; read once however many addresses lie in it. */
struct node_text {
	bool is_read;
	struct die_name name;
	uint32_t call_file; /* where its caller called it; string of the answer, 0 = unknown */
	uint32_t call_line;
};

struct pass {
	const struct sweep *sweep;
	struct inlines *inlines;
	struct die_names *names;
	struct node_text *texts; /* by node */
	size_t cap_texts;
	struct lines *lines;   /* of the unit at hand */
	struct line_row *rows; /* of its addresses */
	size_t cap_rows;
};

DEFINE_CLEANUP(struct units *, units__free);

static void pass__fini(struct pass *pass)
{
	inlines__free(pass->inlines);
	die_names__free(pass->names);
	lines__free(pass->lines);
	free(pass->texts);
	free(pass->rows);
}

/* The answer's number of file INDEX of the unit at hand; 0 = unknown. */
static int intern_file(struct pass *pass, uint64_t index, uint32_t *ret)
{
	const char *path;
	int r = lines__path(pass->lines, index, &path);

	*ret = 0;
	if (r < 0 || !path)
		return r;
	return answer__string(pass->sweep->answer, path, strlen(path), ret);
}

static int reserve_text(struct pass *pass, uint32_t node)
{
	size_t cap = pass->cap_texts;
	int r =
	    array_reserve(&pass->texts, &pass->cap_texts, (size_t)node + 1, sizeof(*pass->texts));

	if (r == 0 && pass->cap_texts > cap)
		memset(pass->texts + cap, 0, (pass->cap_texts - cap) * sizeof(*pass->texts));
	return r;
}

/* Reads NODE, which is of the unit at hand. *RET is borrowed until the next call. */
static int read_node(struct pass *pass, uint32_t node, const struct node_text **ret)
{
	const struct die *die = &inlines__node(pass->inlines, node)->die;
	uint64_t file = 0, line = 0;
	struct node_text *text;
	int r = reserve_text(pass, node);

	if (r < 0)
		return r;
	text = &pass->texts[node];
	*ret = text;
	if (text->is_read)
		return 0;
	r = die_names__get(pass->names, die, &text->name);
	if (r == 0 && die_number(die, DW_AT_call_file, &file))
		r = intern_file(pass, file, &text->call_file);
	if (r < 0)
		return r;
	if (die_number(die, DW_AT_call_line, &line) && line <= UINT32_MAX)
		text->call_line = (uint32_t)line;
	text->is_read = true;
	return 0;
}

/*
 * Completes the outermost function's name with the ELF symbol: the whole name where the compiler
 * left out linkage names (-g1), and the suffix of a clone (".cold", ".isra.0") for the system name.
 */
static int complete_name(struct pass *pass, uint64_t vaddr, const struct die_name *name,
			 struct answer_function *function)
{
	struct answer *answer = pass->sweep->answer;
	const char *symbol = symtab__find(pass->sweep->symtab, vaddr, NULL), *have;
	uint32_t ignored;
	size_t n, n_have;

	if (!symbol)
		return 0;
	n = linkage_name_length(symbol, symbol_name_length(symbol));
	if (!name->name || (!name->has_linkage_name && name_is_mangled(symbol)))
		return answer__names(answer, symbol, n, &function->system_name, &function->name);
	/* What follows a point in Go is another function, not a copy of the same. */
	if (answer__has_raw_names(answer))
		return 0;
	have = answer__text(answer, function->system_name);
	n_have = strlen(have);
	if (n > n_have && symbol[n_have] == '.' && !memcmp(symbol, have, n_have))
		return answer__names(answer, symbol, n, &function->system_name, &ignored);
	return 0;
}

/* Names address QUERY of the unit at hand, which lies in function NODE at FILE:LINE. */
static int name_query(struct pass *pass, uint32_t query, uint32_t node, uint32_t file,
		      uint32_t line)
{
	const struct sweep *sweep = pass->sweep;
	struct answer_frame frames[LIMIT_DEPTH_MAX];
	size_t n = 0;

	while (node != INLINE_NODE_NONE && n < LIMIT_DEPTH_MAX) {
		struct inline_node *inl = inlines__node(pass->inlines, node);
		struct answer_frame *frame = &frames[n];
		const struct node_text *text;
		int r = read_node(pass, node, &text);

		if (r < 0)
			return r;
		*frame = (struct answer_frame){
		    .function = {text->name.system_name, text->name.name, file,
				 text->name.start_line},
		    .line = line,
		};
		if (!file && text->name.decl_unit == inl->die.unit)
			r = intern_file(pass, text->name.decl_file, &frame->function.filename);
		if (r == 0 && inl->parent == INLINE_NODE_NONE)
			r = complete_name(pass, sweep->vaddrs[query], &text->name,
					  &frame->function);
		if (r < 0)
			return r;
		file = text->call_file;
		line = text->call_line;
		node = inl->parent;
		/* A call whose function's name is in a file that is missing is left out; its
		 * caller then stands at the place of the call. */
		n += frame->function.name != 0;
	}
	if (n == 0)
		return 0;
	return answer__set_frames(sweep->answer, sweep->addrs[query], SYMBOL_SOURCE_DWARF, frames,
				  n);
}

/* Finds the lines of the unit's addresses. */
static int read_lines(struct pass *pass, const struct unit *unit)
{
	const struct sweep *sweep = pass->sweep;
	int r = array_reserve(&pass->rows, &pass->cap_rows, unit->n_queries, sizeof(*pass->rows));

	if (r == 0)
		r = lines__load(pass->lines, unit->unit, sweep->limits);
	if (r < 0)
		return r;
	memset(pass->rows, 0, unit->n_queries * sizeof(*pass->rows));
	lines__run(pass->lines, sweep->vaddrs, unit->queries, unit->n_queries, pass->rows,
		   sweep->limits);
	return 0;
}

static int sweep_unit(struct pass *pass, const struct unit *unit)
{
	const struct sweep *sweep = pass->sweep;
	int r = inlines__walk(pass->inlines, unit, sweep->vaddrs, sweep->limits);

	if (r == 0)
		r = read_lines(pass, unit);
	for (size_t i = 0; r == 0 && i < unit->n_queries; i++) {
		uint32_t query = unit->queries[i];
		uint32_t node = inlines__innermost(pass->inlines, query);
		const struct line_row *row = &pass->rows[i];
		uint32_t file = 0;

		if (answer__is_named(sweep->answer, sweep->addrs[query]))
			continue;
		if (row->is_known)
			r = intern_file(pass, row->file, &file);
		if (r == 0 && node != INLINE_NODE_NONE)
			r = name_query(pass, query, node, file, row->line);
		if (row->line)
			sweep->lines[query] = (struct sweep_line){file, row->line};
	}
	return r;
}

int sweep_run(const struct sweep *sweep)
{
	_cleanup_(pass__fini) struct pass pass = {.sweep = sweep};
	_cleanup_(units__freep) struct units *units = NULL;
	int r;

	r = units__new(&units, sweep->dwarf, sweep->vaddrs, sweep->n, sweep->limits);
	if (r == 0)
		r = inlines__new(&pass.inlines, sweep->n);
	if (r == 0)
		r = die_names__new(&pass.names, sweep->answer, sweep->limits);
	if (r == 0)
		r = lines__new(&pass.lines);
	for (size_t i = 0; r == 0 && i < units__count(units); i++) {
		struct unit unit = units__get(units, i);

		r = sweep_unit(&pass, &unit);
	}
	return r;
}
