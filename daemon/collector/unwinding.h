/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sees to it that every stack is whole: gives the BPF walker the mappings and tables that it needs,
 * and finishes in user space the walks for which it did not have them yet.
 *
 * A sample whose walk needs a table that is still being made is parked until that is there, so the
 * first sample of a program is as good as the hundredth. No sample is ever dropped: at the limit of
 * memory or time a parked one is given out as far as it was walked. One thread.
 */
#ifndef COLLECTOR_UNWINDING_H
#define COLLECTOR_UNWINDING_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/processes.h"
#include "daemon/collector/sampler.h"
#include "daemon/collector/symbolizer_client.h"
#include "daemon/collector/unwind_tables.h"
#include "daemon/collector/window.h"

/*
 * Parked samples together: a second of samples of all CPUs, as a table takes some tenths of it at
 * the most, within these bounds.
 */
#define UNWINDING_PARKED_BYTES_MIN (8u << 20)
#define UNWINDING_PARKED_BYTES_MAX (64u << 20)

struct unwinding;

/* A sample that is as whole as it gets, to be counted in WINDOW. Borrowed for the call. 0 or
 * -errno, which ends what called it. */
typedef int (*unwinding_deliver_fn)(void *ctx, struct window *window, const struct process *process,
				    const struct sample_record *sample);

struct unwinding_options {
	struct sampler *sampler;       /* whose walker is served; NULL = none */
	struct objects *objects;       /* all are borrowed */
	uint64_t samples_per_second;   /* of all CPUs together, at most */
	const char *symbolizer;	       /* path of the program */
	const char *cache;	       /* directory for tables; NULL = none */
	symbolizer_started_fn started; /* called in a thread of this module */
	unwinding_deliver_fn deliver;
	void *ctx; /* of both */
};

/* 0 or -errno. */
int unwinding__new(struct unwinding **ret, const struct unwinding_options *options);
/* Takes NULL. What is parked is lost. Returns NULL. */
struct unwinding *unwinding__free(struct unwinding *u);

/*
 * Takes a sample of process P, whose mappings are those of its time, and delivers it to WINDOW, now
 * or later. 0 or -errno.
 */
int unwinding__add(struct unwinding *u, struct window *window, const struct process *p,
		   const struct sample_record *sample);

/* Takes the tables that were made and delivers what waited for them; tells the walker of what has
 * changed. To be called after each batch of samples and events. 0 or -errno. */
int unwinding__pump(struct unwinding *u, const struct processes *processes, uint64_t now_ns);

/* Delivers what is parked for WINDOW, as it is. 0 or -errno. */
int unwinding__flush(struct unwinding *u, const struct window *window);

/* Readable when a table has been made: pump. Borrowed. */
int unwinding__fd(const struct unwinding *u);

size_t unwinding__n_parked(const struct unwinding *u);

const struct unwind_tables_stats *unwinding__stats(const struct unwinding *u);

#endif
