/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind memory as the collector would fill it: the tables of all files that were met, made by
 * the symbolizer's own code, and the list of mappings of the process looked at. Grows only.
 */
#ifndef TRUTH_SPACE_H
#define TRUTH_SPACE_H

#include <stdint.h>
#include <sys/types.h>

#include "bpf/cprofd_abi.h"

#define SPACE_NAME_MAX 64

/* An executable mapping. */
struct area {
	uint64_t start, end, off;
	char name[SPACE_NAME_MAX]; /* the end of the path; "[anon]" */
	uint32_t code, table;	   /* as in struct unwind_mapping */
};

struct space {
	uint64_t hash; /* of the executable mappings: a change of it is a change of them */
	uint32_t line; /* of its struct unwind_space_head */
	struct area *areas;
	uint32_t n_areas;
};

struct spaces;

int spaces__new(struct spaces **ret);
const struct unwind_line *spaces__lines(const struct spaces *s, uint32_t *ret_n);

/* Brings SPACE, which the caller has zeroed first, up to date with what PID has mapped. 0 or
 * -errno. */
int spaces__update(struct spaces *s, pid_t pid, struct space *space);

/* The mapping that holds ADDR, or NULL. */
const struct area *space__find(const struct space *space, uint64_t addr);

#endif
