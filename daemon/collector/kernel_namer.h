/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names kernel addresses: from /proc/kallsyms, which is read again when BPF programs or modules
 * have come or gone, and from the side band for BPF programs that are gone. Used by the finisher's
 * thread.
 */
#ifndef COLLECTOR_KERNEL_NAMER_H
#define COLLECTOR_KERNEL_NAMER_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/names.h"
#include "daemon/collector/sideband.h"

/* A range of kernel code with a name of its own in the profile: the kernel, a module, "bpf". */
struct kernel_range {
	uint64_t start, end;
	char name[64]; /* "[kernel.kallsyms]", "[MODULE]" */
};

struct kernel_namer;

/* Names go to NAMES, borrowed. 0 or -ENOMEM. */
int kernel_namer__new(struct kernel_namer **ret, struct names *names);
/* Takes NULL. Returns NULL. */
struct kernel_namer *kernel_namer__free(struct kernel_namer *k);

/* The kernel's symbols have changed: EVENT (SIDEBAND_KSYMBOL) tells how. They are read again before
 * the next window. Callable from any thread. 0 or -ENOMEM. */
int kernel_namer__changed(struct kernel_namer *k, const struct sideband_event *event);

/* Starts a window: no ranges are in use, and the symbols are those of now. 0 or -ENOMEM. */
int kernel_namer__begin(struct kernel_namer *k);

/* The chain of ADDR, and the number of the range that it lies in. 0 or -ENOMEM. */
int kernel_namer__name(struct kernel_namer *k, uint64_t addr, uint32_t *ret_chain,
		       uint32_t *ret_range);

/* The ranges of this window in the order of their first use; borrowed until the next call. */
const struct kernel_range *kernel_namer__ranges(const struct kernel_namer *k, size_t *ret_n);

/* Why there are no kernel names, or NULL. */
const char *kernel_namer__hidden(const struct kernel_namer *k);

#endif
