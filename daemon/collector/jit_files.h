/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files in which the runtime of a process tells of the code that it makes: perf-PID.map in the
 * /tmp of the process, and a jitdump, which the runtime itself maps as code to be found (perf's
 * convention). Opened while the process lives, at its first sample in such code, so that they can
 * be read when it is gone. Used by the collector's thread.
 */
#ifndef COLLECTOR_JIT_FILES_H
#define COLLECTOR_JIT_FILES_H

#include <stdint.h>

#include "base/util.h"
#include "daemon/collector/objects.h"
#include "daemon/opener/opener.h"

struct process;

/* A file that is not there is looked for again, but not more often than this. */
#define JIT_FILES_RETRY_NS NSEC_PER_SEC

/* Zero = not looked for yet. */
struct jit_files {
	struct object *map, *dump;     /* references, with a descriptor; NULL = none so far */
	struct opener_runtime runtime; /* whose they are, known while the process lives */
	uint64_t tried_ns;	       /* when they were looked for last */
};

/* Looks for what P has of them at NOW_NS (CLOCK_MONOTONIC). What cannot be had is no error. */
void jit_files__look(struct jit_files *files, struct objects *objects, const struct process *p,
		     uint64_t now_ns);

/*
 * Looks for the map once more, if it was looked for before: some runtimes write it when they end.
 * (TGID, START_NS) is the process, which may be gone.
 */
void jit_files__look_again(struct jit_files *files, struct objects *objects, uint32_t tgid,
			   uint64_t start_ns);

void jit_files__fini(struct jit_files *files, struct objects *objects);

#endif
