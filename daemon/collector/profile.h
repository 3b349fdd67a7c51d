/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the samples of some processes of a named window into one profile: pprof or folded stacks.
 *
 * Every sample is written, whatever is not known about it. Used by the finisher's thread; what it
 * is given is borrowed.
 */
#ifndef COLLECTOR_PROFILE_H
#define COLLECTOR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/naming.h"
#include "daemon/collector/window.h"

/* The processes of one file, as places in the window; the first one's program is the profile's
 * main binary. */
struct profile_processes {
	const uint32_t *places;
	size_t n;
};

struct profile_writer;

/* Prepares to write files of W, which was named by NAMED and NAMING. 0 or -ENOMEM. */
int profile_writer__new(struct profile_writer **ret, const struct window *w,
			const struct named_window *named, const struct naming *naming);
/* Takes NULL. Returns NULL. */
struct profile_writer *profile_writer__free(struct profile_writer *pw);

/* Writes one file to FD. TIME_NS must be unique. Returns 0 or -errno. */
int profile_writer__pprof(struct profile_writer *pw, int fd, const struct profile_processes *ps,
			  uint64_t time_ns, const char *const *comments, size_t n_comments);

/* Folded stacks, "COMM;outermost;…;leaf COUNT" a line. As above. */
int profile_writer__folded(struct profile_writer *pw, int fd, const struct profile_processes *ps);

/*
 * How the stack whose leaf is NODE ends: STACK_END_ROOT where it reached the first function of its
 * program or thread, or is a kernel thread's; STACK_END_NOT where the window had no room for it;
 * else the reason that the frame at its root gives.
 */
enum stack_end profile_stack_end(const struct window *w, const struct named_window *named,
				 uint32_t node);

#endif
