/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names the frames of a closed window: asks the symbolizer for the new addresses, file by file, the
 * kernel's symbol table for kernel addresses, and has a word for everything else, so that no frame
 * is nameless.
 *
 * Keeps what it learned about names and files for later windows. Used by the finisher's thread; of
 * the window and its objects it reads only what is fixed.
 */
#ifndef COLLECTOR_NAMING_H
#define COLLECTOR_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/kernel_namer.h"
#include "daemon/collector/names.h"
#include "daemon/collector/sideband.h"
#include "daemon/collector/symbolizer_client.h"
#include "daemon/collector/window.h"

/*
 * Time for naming one window: so much for the files that only root can have written, and so much
 * for all others, which cannot take it from the system's. The hottest files are asked about first,
 * but for those of users who had one that took long. What is left at the end keeps its numbers, and
 * is asked for in the next window.
 */
#define NAMING_BUDGET_NS (10 * 1000000000ULL)

struct naming;

/* SYMBOLIZER is the program's path (borrowed), CACHE the directory for names, NULL = none; STARTED
 * as in symbolizer_client.h. 0 or -errno. */
int naming__new(struct naming **ret, const char *symbolizer, const char *cache,
		symbolizer_started_fn started, void *ctx);
/* Takes NULL. Saves what was learned. Returns NULL. */
struct naming *naming__free(struct naming *n);

/* The kernel's symbols have changed: EVENT (SIDEBAND_KSYMBOL) tells how. They are read again before
 * the next window. Callable from any thread. 0 or -ENOMEM. */
int naming__kernel_changed(struct naming *n, const struct sideband_event *event);

/* The result for one window; borrowed until the next naming__window(). */
struct named_window {
	const struct names *names;
	const uint32_t *chains;	      /* by frame of the window */
	const uint32_t *kernel_range; /* by frame: index in kernel_ranges, for FRAME_KERNEL */
	const struct kernel_range *kernel_ranges; /* in the order of their first use */
	size_t n_kernel_ranges;
	uint64_t n_frames_by_source[NAME_SOURCE_MAX]; /* distinct frames */
	uint64_t n_asked;	   /* addresses that the symbolizer was asked for */
	uint64_t n_kept;	   /* and that earlier runs have left on disk instead */
	uint32_t n_restarts;	   /* of the symbolizer */
	uint32_t n_late_objects;   /* files for which there was no time left: in the next window */
	uint32_t n_cut_objects;	   /* too large for the symbolizer: only partly named */
	uint32_t n_bad_objects;	   /* files that a symbolizer died of */
	uint32_t n_absent_objects; /* files that could not be opened or were other ones by then */
	const char *kernel_hidden; /* why there are no kernel names, or NULL */
	const char *trouble;	   /* why a symbolizer did not get ready, or NULL */
};

/* Names all frames of W. Returns 0, or -errno for trouble of our own (memory, no process to be
 * had). */
int naming__window(struct naming *n, const struct window *w, struct named_window *ret);

/* Saves what was learned and is worth it, for later runs; when the profiles of a window are there,
 * since it waits for the disk. */
void naming__save(struct naming *n);

/* The build id of an object, as told by the kernel or read from the file; size 0 = none known. */
struct msg_build_id naming__build_id(const struct naming *n, const struct object *object);

/*
 * Whether a stack that ends at the function of CHAIN, which called that of CALLEE (NAMES_NONE = it
 * is the leaf), has reached a program's or thread's first function. What calls main() is one even
 * without a name: libc's is a local symbol, which a stripped libc does not have.
 */
bool naming_is_root(const struct names *names, uint32_t chain, uint32_t callee);

#endif
