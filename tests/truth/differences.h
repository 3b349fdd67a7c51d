/* SPDX-License-Identifier: Apache-2.0 */
/* Compares two walks of the same stop, sorts the differences into classes, and counts those. */
#ifndef TRUTH_DIFFERENCES_H
#define TRUTH_DIFFERENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/truth/libdwfl.h"
#include "tests/truth/space.h"
#include "tests/truth/walk.h"

struct differences;

struct differences *differences__new(void);

/* Compares and counts. True where the walks are equal. */
bool differences__compare(struct differences *d, const struct spaces *spaces,
			  const struct space *space, const struct stop *stop,
			  const struct walk *ours, const struct walk *theirs, struct libdwfl *dwfl);

/*
 * Prints for PROGRAM, tab-separated: one line "total PROGRAM stops equal explained unexplained
 * roots frames", where the last two are of our walks, and for each class "class PROGRAM count
 * verdict text", then an example and, where it is known, why; for walks of ours without a root
 * "end PROGRAM count reason".
 */
void differences__print(const struct differences *d, const char *program);

#endif
