/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rules from the instructions themselves, for the code of a file that has no unwind
 * information: hand-written assembler, the snapshots of virtual machines, the first instructions of
 * a program.
 *
 * Works on x86-64 only and adds nothing elsewhere. To be called once everything that knows better
 * has filled the table: only what is left over is looked at. What comes out is a guess, and marked
 * so, but for the frames that the kernel made (signals) and the outermost ones.
 */
#ifndef SYMBOLIZER_CODE_FLOW_H
#define SYMBOLIZER_CODE_FLOW_H

#include <stdint.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_table.h"

/* node has 2 MB of such code, the static programs of musl all of theirs. */
#define CODE_FLOW_BYTES_MAX (8u << 20)

/* Instructions looked at, 0.4 us each: the 8 MiB of libx265 take 1.6 million. */
#define CODE_FLOW_STEPS_MAX (6u << 20)

struct code_flow_stats {
	uint64_t n_rule_bytes;	  /* with a rule */
	uint64_t n_frame_bytes;	  /* left to the frame pointer */
	uint64_t n_skipped_bytes; /* neither, and no padding: constants, or not understood */
	uint64_t n_conflicts;	  /* ways to one instruction that disagree */
	uint64_t n_cut;		  /* bytes or paths left out: over a limit */
};

/*
 * Adds to T what can be derived from the code of FILE that T does not hold. RET_STATS may be NULL.
 * 0, -ENOMEM, or -errno of reading the file.
 */
int code_flow_read(const struct elf_file *file, struct unwind_table *t,
		   struct code_flow_stats *ret_stats);

#endif
