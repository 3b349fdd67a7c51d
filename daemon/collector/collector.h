/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the parts together: drains samples and events, brings them into the order of time, places
 * each sample in its process and window, and passes closed windows to the finisher.
 *
 * Guarantees that every sample the kernel kept is in exactly one window, and that a window's
 * account adds up. One thread; who runs it polls collector__fds() and calls collector__pump().
 */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/finisher.h"
#include "daemon/collector/sampler.h"

/* How often the rings are drained when nothing fills up. */
#define COLLECTOR_DRAIN_NS 100000000ULL

struct collector;

/* Loads everything; samples nothing yet. Returns 0, or -errno with WHY as sampler__new(). */
int collector__new(struct collector **ret, const struct sampler_options *sampling,
		   const struct finisher_options *finishing, char *why, size_t why_size);

/* Takes NULL. Stops; windows that are not finished are lost. Returns NULL. */
struct collector *collector__free(struct collector *c);

/*
 * Starts the first window and the ticks, and reads the processes TGIDS from /proc, or all where
 * N_TGIDS is 0. 0 or -errno.
 */
int collector__start(struct collector *c, const uint32_t *tgids, size_t n_tgids);

/* Takes TGID, which has ended, out of FILTER_TARGETS: its number may come again. */
void collector__forget_target(struct collector *c, uint32_t tgid);

/* Descriptors to poll for reading, borrowed; any readable means: pump. Returns their number. */
#define COLLECTOR_FDS 4
size_t collector__fds(const struct collector *c, int fds[COLLECTOR_FDS]);

/* How long to wait for the descriptors until the next pump at the latest: COLLECTOR_DRAIN_NS, or
 * less where a process waits to be told to the walker. */
uint64_t collector__wait_ns(const struct collector *c);

/* Drains and counts what has arrived. 0 or -errno. */
int collector__pump(struct collector *c);

/* Whether a window may end now: not while the finisher is still at work on two earlier ones. */
bool collector__ready(const struct collector *c);

/*
 * Ends the current window and starts the next at START_NS (CLOCK_REALTIME); the window goes to the
 * finisher when its last sample has been drained. False where it is not ready: the window goes on.
 * *RET_ERROR is 0 or -errno.
 */
bool collector__rotate(struct collector *c, uint64_t start_ns, int *ret_error);

/*
 * Stops the ticks, ends the last window and hands it to the finisher. To be called when ready.
 * WRITE_EMPTY: a profile without samples is worth a file. 0 or -errno.
 */
int collector__stop(struct collector *c, bool write_empty);

/* Takes a finished window's report, which the caller releases with report__fini(). */
bool collector__take_report(struct collector *c, struct report *ret);

/* Whether windows are still being finished. */
bool collector__finishing(const struct collector *c);

/* Samples in the current window, and samples that found no room since the start. */
uint64_t collector__n_samples(const struct collector *c);
uint64_t collector__n_lost(const struct collector *c);

#endif
