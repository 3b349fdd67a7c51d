/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each address: the function that holds it and the functions inlined there, from one unit's
 * DIEs.
 *
 * One walk over the unit answers all of its addresses. Subtrees without any of them are passed
 * over. Functions may also stand inside of functions that do not hold the address (a lambda's body,
 * methods of a local class, nested functions); these are looked for in a second walk, made only
 * while addresses are left without a function.
 */
#ifndef SYMBOLIZER_INLINES_H
#define SYMBOLIZER_INLINES_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/die.h"
#include "symbolizer/units.h"

struct inlines;

#define INLINE_NODE_NONE UINT32_MAX

/* A function, or a call of a function that was inlined. */
struct inline_node {
	struct die die; /* borrowed while the unit is at hand */
	uint32_t
	    parent; /* node that it was inlined into; INLINE_NODE_NONE for a function of its own */
};

/* For a request of N_QUERIES addresses. 0 or -ENOMEM. */
int inlines__new(struct inlines **ret, size_t n_queries);
struct inlines *inlines__free(struct inlines *inlines);

/*
 * Walks UNIT, whose queries index VADDRS. An address that an earlier unit has placed keeps its
 * place. 0 or -ENOMEM; at a limit what was found until then stays.
 */
int inlines__walk(struct inlines *inlines, const struct unit *unit, const uint64_t *vaddrs,
		  struct limits *limits);

/* The innermost node of an address, or INLINE_NODE_NONE. */
uint32_t inlines__innermost(const struct inlines *inlines, uint32_t query);

/* A node, borrowed until the next inlines__walk(). */
struct inline_node *inlines__node(struct inlines *inlines, uint32_t node);

#endif
