/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/inlines.h"

#include <assert.h>
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/die.h"

struct inlines {
	struct inline_node *nodes;
	size_t n_nodes, cap_nodes;
	uint32_t *innermost; /* of each query */
	size_t n_queries;
	struct die_walk walk;
	uint32_t context
	    [LIMIT_DEPTH_MAX]; /* innermost node around the DIE at depth i, itself included */
};

/* What one walk is about. */
struct visit {
	const struct unit *unit;
	const uint64_t *vaddrs;
	struct limits *limits;
	bool enters_types; /* functions may stand in types */
	bool enters_all;   /* second walk: functions may stand anywhere */
	size_t n_left;	   /* addresses without a function */
	/* The depth of the outermost function around that holds an address; 0 = none. */
	unsigned int in_function;
};

DEFINE_CLEANUP(struct inlines *, inlines__free);

int inlines__new(struct inlines **ret, size_t n_queries)
{
	_cleanup_(inlines__freep) struct inlines *inlines = calloc(1, sizeof(*inlines));

	if (!inlines)
		return -ENOMEM;
	inlines->innermost = calloc(n_queries + 1, sizeof(*inlines->innermost));
	if (!inlines->innermost)
		return -ENOMEM;
	for (size_t i = 0; i < n_queries; i++)
		inlines->innermost[i] = INLINE_NODE_NONE;
	inlines->n_queries = n_queries;
	*ret = steal_ptr(inlines);
	return 0;
}

struct inlines *inlines__free(struct inlines *inlines)
{
	if (!inlines)
		return NULL;
	free(inlines->nodes);
	free(inlines->innermost);
	free(inlines);
	return NULL;
}

uint32_t inlines__innermost(const struct inlines *inlines, uint32_t query)
{
	assert(query < inlines->n_queries);
	return inlines->innermost[query];
}

struct inline_node *inlines__node(struct inlines *inlines, uint32_t node)
{
	assert(node < inlines->n_nodes);
	return &inlines->nodes[node];
}

/* The first of the unit's queries at or above LO. */
static size_t first_query(const struct visit *v, uint64_t lo)
{
	size_t a = 0, b = v->unit->n_queries;

	while (a < b) {
		size_t mid = a + (b - a) / 2;

		if (v->vaddrs[v->unit->queries[mid]] < lo)
			a = mid + 1;
		else
			b = mid;
	}
	return a;
}

static bool take_match(struct limits *limits)
{
	if (limits->matches_left == 0) {
		limits->hits[LIMIT_MATCHES]++;
		return false;
	}
	limits->matches_left--;
	return true;
}

static int add_node(struct inlines *inlines, const struct die *die, uint32_t parent)
{
	int r = array_reserve(&inlines->nodes, &inlines->cap_nodes, inlines->n_nodes + 1,
			      sizeof(*inlines->nodes));

	if (r == 0)
		inlines->nodes[inlines->n_nodes++] = (struct inline_node){*die, parent};
	return r;
}

/*
 * Moves the addresses inside of DIE that are so far placed in PARENT into a new node below it.
 * *RET_NODE becomes the node, or INLINE_NODE_NONE where there are no such addresses.
 */
static int place(struct inlines *inlines, struct visit *v, const struct die *die, uint32_t parent,
		 uint32_t *ret_node)
{
	struct die_ranges ranges;
	uint64_t lo, hi;

	*ret_node = INLINE_NODE_NONE;
	die_ranges__init(&ranges, die);
	while (die_ranges__next(&ranges, v->limits, &lo, &hi)) {
		for (size_t i = first_query(v, lo); i < v->unit->n_queries; i++) {
			uint32_t query = v->unit->queries[i];

			if (v->vaddrs[query] >= hi || !take_match(v->limits))
				break;
			if (inlines->innermost[query] != parent)
				continue;
			if (*ret_node == INLINE_NODE_NONE) {
				int r = add_node(inlines, die, parent);

				if (r < 0)
					return r;
				*ret_node = (uint32_t)(inlines->n_nodes - 1);
			}
			inlines->innermost[query] = *ret_node;
			v->n_left -= parent == INLINE_NODE_NONE;
		}
	}
	return 0;
}

/* True where the block DIE has no ranges of its own or one of them holds an address. */
static bool block_is_hit(const struct visit *v, const struct die *die)
{
	struct die_ranges ranges;
	bool has_ranges = false;
	uint64_t lo, hi;

	die_ranges__init(&ranges, die);
	while (die_ranges__next(&ranges, v->limits, &lo, &hi)) {
		size_t i = first_query(v, lo);

		has_ranges = true;
		if (i < v->unit->n_queries && v->vaddrs[v->unit->queries[i]] < hi)
			return true;
	}
	return !has_ranges;
}

/* Looks at the DIE at hand. *RET_DESCEND says whether its children matter. */
static int visit_die(struct inlines *inlines, struct visit *v, bool *ret_descend)
{
	unsigned int depth = inlines->walk.depth;
	const struct die *die = &inlines->walk.die;
	uint32_t around = inlines->context[depth - 1];
	uint32_t node = around;
	bool descend = v->enters_all;
	int r = 0;

	switch (die->abbrev->tag) {
	case DW_TAG_subprogram:
		r = place(inlines, v, die, INLINE_NODE_NONE, &node);
		descend |= node != INLINE_NODE_NONE;
		if (node != INLINE_NODE_NONE && !v->in_function)
			v->in_function = depth;
		break;
	case DW_TAG_inlined_subroutine:
		if (around == INLINE_NODE_NONE)
			break;
		r = place(inlines, v, die, around, &node);
		descend |= node != INLINE_NODE_NONE;
		break;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		descend |= around != INLINE_NODE_NONE && block_is_hit(v, die);
		break;
	case DW_TAG_namespace:
	case DW_TAG_module:
		node = INLINE_NODE_NONE;
		descend = true;
		break;
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_enumeration_type:
		node = INLINE_NODE_NONE;
		descend |= v->enters_types;
		break;
	default:
		descend = false;
	}
	inlines->context[depth] = node;
	*ret_descend = descend;
	return r;
}

static int walk_once(struct inlines *inlines, struct visit *v)
{
	bool descend = true, started;
	int r = die_walk__init(&inlines->walk, dwarf_unit__whole(v->unit->unit), &started);

	inlines->context[0] = INLINE_NODE_NONE;
	v->in_function = 0;
	while (r == 0 && started && die_walk__next(&inlines->walk, v->limits, descend)) {
		if (inlines->walk.depth <= v->in_function)
			v->in_function = 0;
		/* All have a function, and this is not in one of those. */
		if (!v->n_left && !v->in_function)
			break;
		r = visit_die(inlines, v, &descend);
	}
	return r;
}

static bool language_is_c(const struct dwarf_unit *unit)
{
	switch (unit->language) {
	case DW_LANG_C89:
	case DW_LANG_C:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Mips_Assembler:
		return true;
	default:
		return false;
	}
}

static size_t count_left(const struct inlines *inlines, const struct unit *unit)
{
	size_t n = 0;

	for (size_t i = 0; i < unit->n_queries; i++)
		n += inlines->innermost[unit->queries[i]] == INLINE_NODE_NONE;
	return n;
}

int inlines__walk(struct inlines *inlines, const struct unit *unit, const uint64_t *vaddrs,
		  struct limits *limits)
{
	struct visit v = {
	    .unit = unit,
	    .vaddrs = vaddrs,
	    .limits = limits,
	    .enters_types = !language_is_c(dwarf_unit__whole(unit->unit)),
	    .n_left = count_left(inlines, unit),
	};
	int r = walk_once(inlines, &v);

	if (r < 0 || !v.n_left)
		return r;
	v.enters_types = v.enters_all = true;
	return walk_once(inlines, &v);
}
