/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of Go's code from its own table (gopclntab.h): functions, files, lines, start lines and
 * the calls inlined at an address, as the runtime itself writes them into a panic. Stripping leaves
 * all of that.
 */
#ifndef SYMBOLIZER_GO_NAMES_H
#define SYMBOLIZER_GO_NAMES_H

#include "symbolizer/answer.h"
#include "symbolizer/gopclntab.h"

struct go_names {
	struct gopclntab *tab;
	const uint64_t *vaddrs; /* sorted ascending */
	const uint32_t *addrs;	/* number of each in the answer */
	size_t n;
	struct answer *answer;
	struct limits *limits;
};

/*
 * Names the addresses that have no name yet and lie in code that Go's compiler or assembler made:
 * what the table lists without lines is C's. All pointers stay the caller's. Tables of one function
 * that are broken leave its addresses unnamed. 0 or -ENOMEM.
 */
int go_names_run(const struct go_names *names);

#endif
