/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts samples and process events, which come from different rings, into the order of their time.
 *
 * A record becomes visible a little after the time it carries, so the newest are held back:
 * whatever is older than TIMELINE_SLACK_NS has arrived. One thread.
 */
#ifndef COLLECTOR_TIMELINE_H
#define COLLECTOR_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/sideband.h"

/* Between taking the time and publishing the record lie microseconds, unless the host takes the
 * CPU away. */
#define TIMELINE_SLACK_NS 20000000ULL

struct timeline;

int timeline__new(struct timeline **ret);
/* Takes NULL. Returns NULL. */
struct timeline *timeline__free(struct timeline *tl);

/* Copy what is given. 0 or -ENOMEM. */
int timeline__add_sample(struct timeline *tl, const struct sample_record *record, size_t size);
int timeline__add_event(struct timeline *tl, const struct sideband_event *event);

struct timeline_ops {
	int (*on_sample)(void *ctx, const struct sample_record *record);
	int (*on_event)(void *ctx, const struct sideband_event *event);
};

/*
 * Hands over everything older than UNTIL_NS in the order of time (events before samples of the same
 * time) and forgets it. What is handed over is borrowed for the call. 0, -ENOMEM or a negative
 * error of OPS.
 */
int timeline__replay(struct timeline *tl, uint64_t until_ns, const struct timeline_ops *ops,
		     void *ctx);

#endif
