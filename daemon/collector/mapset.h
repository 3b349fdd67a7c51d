/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executable mappings of one address space, sorted, without overlaps. Shared by a process and
 * the children it forked until one of them changes it (copy on write), and kept by windows whose
 * samples lie in them.
 *
 * A mapping never changes once it is made, so a window may refer to it after the process is gone.
 * One thread counts the references; reading is free for whoever holds one.
 */
#ifndef COLLECTOR_MAPSET_H
#define COLLECTOR_MAPSET_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/objects.h"

/* Mappings of one process that are kept; vm.max_map_count is 65,530 by default. */
#define MAPSET_MAX 65536

struct mapping {
	uint64_t start, end; /* runtime addresses [start, end) */
	uint64_t off;	     /* in the file, of start */
	struct object *object;
	uint32_t n_refs;
};

struct mapset {
	struct mapping **mappings; /* by start */
	size_t n, cap;
	struct mapping
	    *exe; /* the program's own first mapping; borrowed from mappings; may be NULL */
	uint32_t n_refs;
};

/* All take the table that owns the objects, since references to those move with the mappings. */
int mapset__new(struct mapset **ret);
void mapset__ref(struct mapset *set);
/* Takes NULL. */
void mapset__unref(struct mapset *set, struct objects *objects);

/*
 * Puts a mapping in, over whatever was there: what it covers goes, what it cuts is shortened or
 * split. *SET is replaced by a copy where others share it. Takes its own reference to OBJECT.
 * Returns 0, -ENOMEM, -EINVAL for an empty range, or -E2BIG at MAPSET_MAX.
 */
int mapset__add(struct mapset **set, struct objects *objects, uint64_t start, uint64_t end,
		uint64_t off, struct object *object);

/* The same with a mapping that another set has: both share it. */
int mapset__share(struct mapset **set, struct objects *objects, struct mapping *mapping);

/* The mapping that holds ADDR, borrowed, or NULL. */
struct mapping *mapset__find(const struct mapset *set, uint64_t addr);

void mapping__ref(struct mapping *m);
void mapping__unref(struct mapping *m, struct objects *objects);

#endif
