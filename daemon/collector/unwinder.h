/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes on with a walk that the BPF walker could not finish: the same walker, compiled natively,
 * over the registers and the piece of stack that came with the sample and the mappings of that
 * moment.
 */
#ifndef COLLECTOR_UNWINDER_H
#define COLLECTOR_UNWINDER_H

#include "bpf/cprofd_abi.h"
#include "daemon/collector/mapset.h"
#include "daemon/collector/unwind_memory.h"

/* A sample with all its frames and nothing after them. */
struct walked_sample {
	struct sample_record record;
	uint64_t frames[SAMPLE_FRAMES_MAX];
};

/*
 * Finishes the walk of SAMPLE (STACK_END_UNKNOWN, checked by sampler__drain()) into *RET, over
 * tables that lie in MEMORY. Returns NULL, or the mapping in which the walk would go on if the
 * table of its file were there: then *RET is the sample as it came, and ends with
 * STACK_END_NO_INFO.
 */
const struct mapping *unwinder_finish(const struct unwind_memory *memory, const struct mapset *maps,
				      const struct sample_record *sample,
				      struct walked_sample *ret);

#endif
