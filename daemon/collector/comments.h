/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comment lines of a profile: what was sampled, how much was lost and why, how much reached a
 * root, and where the names come from (design 2.3). One text per line.
 */
#ifndef COLLECTOR_COMMENTS_H
#define COLLECTOR_COMMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/naming.h"
#include "daemon/collector/window.h"

#define COMMENTS_MAX 13

struct comments {
	char lines[COMMENTS_MAX][512];
	const char *pointers[COMMENTS_MAX]; /* of lines, as pprof_writer.h wants them */
	size_t n;
};

/* "expected=… kept=… idle=… filtered=… lost=… lost.REASON=…", the reasons that are not zero.
 * Returns OUT. */
char *comments_ticks(char *out, size_t size, const struct sampler_ticks *ticks);

/* The lines for all files of one window. N_ENDS: of its samples, by how their stacks end. */
void comments__init(struct comments *c, const struct window *w, const struct named_window *named,
		    const uint64_t n_ends[STACK_END_MAX], uint32_t frequency_hz, const char *event);

#endif
