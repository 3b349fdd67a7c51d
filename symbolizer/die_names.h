/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of functions from their DIEs, each DIE read once.
 *
 * A function's name often stands elsewhere: a call that was inlined refers to the function, which
 * refers to its declaration, perhaps in another unit or in the file that dwz shares. The chain may
 * be long or a circle in a hostile file; it is followed LIMIT_NAME_HOPS_MAX steps.
 */
#ifndef SYMBOLIZER_DIE_NAMES_H
#define SYMBOLIZER_DIE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/answer.h"
#include "symbolizer/die.h"

struct die_names;

struct die_name {
	uint32_t system_name; /* numbers of the answer's strings; 0 = no name */
	uint32_t name;
	uint32_t start_line;
	uint32_t decl_file;		    /* number in the file table of DECL_UNIT */
	bool has_linkage_name;		    /* or else both names are the bare name */
	const struct dwarf_unit *decl_unit; /* NULL where there is no decl_file */
};

/* Names become strings of ANSWER (borrowed for the object's life). 0 or -ENOMEM. */
int die_names__new(struct die_names **ret, struct answer *answer, struct limits *limits);
struct die_names *die_names__free(struct die_names *names);

/* What the function (or inlined call) DIE is called. 0 or -ENOMEM. */
int die_names__get(struct die_names *names, const struct die *die, struct die_name *ret);

#endif
