/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names the frames of a window that lie in code which a runtime has made, process by process, from
 * the files in which the runtime tells of it (jit_files.h). Those files grow and take back what
 * they said, so each window asks about all of its frames anew, the busiest processes first. Used by
 * the finisher's thread.
 */
#ifndef COLLECTOR_JIT_NAMER_H
#define COLLECTOR_JIT_NAMER_H

#include <stdint.h>

#include "daemon/collector/names.h"
#include "daemon/collector/symbolizer_client.h"
#include "daemon/collector/window.h"

/* Files remembered as bad; the oldest is tried again when there are more. */
#define JIT_NAMER_BAD_MAX 64

/* A question takes 10 ms, and 100 with the largest map there may be: many of those are made to
 * keep us busy. */
#define JIT_NAMER_BUDGET_NS (2 * NSEC_PER_SEC)

/* Zero = nothing is known yet. */
struct jit_namer {
	uint64_t bad[JIT_NAMER_BAD_MAX]; /* serials of objects that the symbolizer cannot use */
	uint32_t n_bad;			 /* ever */
};

struct jit_namer_counts {
	uint32_t n_late; /* processes for which there was no time left */
	uint32_t n_bad;	 /* processes whose files the symbolizer died of */
	uint32_t n_cut;	 /* processes whose files are too large */
};

/*
 * Gives those frames of W their chains that have files and have not got a name from elsewhere:
 * CHAINS, by frame, holds what they are called now. DEADLINE_NS is of CLOCK_MONOTONIC. 0 or
 * -ENOMEM.
 */
int jit_namer__window(struct jit_namer *jn, struct symbolizer_client *client, struct names *names,
		      const struct window *w, uint64_t deadline_ns, uint32_t *chains,
		      struct jit_namer_counts *ret);

#endif
