/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/collector.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/collector/jit_files.h"
#include "daemon/collector/objects.h"
#include "daemon/collector/pin.h"
#include "daemon/collector/processes.h"
#include "daemon/collector/sideband.h"
#include "daemon/collector/table_cache.h"
#include "daemon/collector/timeline.h"
#include "daemon/collector/unwinding.h"
#include "daemon/collector/window.h"

/* A sample that was kept but is not here so long after its window's end will never come. */
#define STRAGGLER_NS (2 * NSEC_PER_SEC)

/* How long the end waits for tables that are still being made. */
#define TABLES_NS (5 * NSEC_PER_SEC)

/* Reading all of /proc takes time in which events may be lost again: not more often than this. */
#define RESYNC_NS (5 * NSEC_PER_SEC)

/*
 * The collector sleeps nearly always, but where it has to wait for the programs that it measures,
 * their stacks wait in the rings, and those that it has to finish go without their copies.
 */
#define COLLECTOR_NICE (-10)

struct collector {
	struct sampler *sampler;
	struct sideband *sideband;
	struct timeline *timeline;
	struct objects *objects;
	struct processes *processes;
	struct unwinding *unwinding;
	struct finisher *finisher;

	struct window *current;
	struct window *closing; /* ended, but some of its samples are still on the way; or NULL */
	uint64_t started_ns;	/* CLOCK_MONOTONIC, of the current window */
	uint64_t cut_ns;	/* when the closing one ended */
	uint32_t *cut_seq;	/* by CPU: first sample of the current window */
	struct sampler_ticks *ticks;	 /* by index of CPU: at the start of the current window */
	struct window_unwinding unwound; /* at the start of the current window */
	size_t n_submitted;		 /* windows at the finisher */
	uint64_t unknown_ns; /* time of the last sample drained that the walker could not finish */
	uint64_t reaped_ns;
	bool resync; /* events were lost */
	uint64_t resynced_ns;
};

DEFINE_CLEANUP(struct collector *, collector__free);

static void on_namer_started(void *ctx, enum owner owner, uint32_t tgid)
{
	struct collector *c = ctx;

	sampler__set_helper(c->sampler, SAMPLER_HELPER_NAMES + owner, tgid);
}

static void on_table_maker_started(void *ctx, enum owner owner, uint32_t tgid)
{
	struct collector *c = ctx;

	sampler__set_helper(c->sampler, SAMPLER_HELPER_TABLES + owner, tgid);
}

static int new_parts(struct collector *c)
{
	int r = timeline__new(&c->timeline);

	if (r == 0)
		r = objects__new(&c->objects);
	if (r == 0)
		r = processes__new(&c->processes, c->objects);
	if (r < 0)
		return r;
	c->cut_seq = calloc(sampler__n_possible_cpus(c->sampler), sizeof(*c->cut_seq));
	c->ticks = calloc(sampler__n_cpus(c->sampler), sizeof(*c->ticks));
	return c->cut_seq && c->ticks ? 0 : -ENOMEM;
}

static int count_sample(void *ctx, struct window *w, const struct process *p,
			const struct sample_record *s);

static int open_sideband(struct collector *c, char *why, size_t why_size)
{
	unsigned n = sampler__n_cpus(c->sampler);
	cleanup_free unsigned *cpus = calloc(n, sizeof(*cpus));

	if (!cpus)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		cpus[i] = sampler__cpu(c->sampler, i);
	return sideband__new(&c->sideband, cpus, n, why, why_size);
}

static int start_helpers(struct collector *c, const struct finisher_options *finishing)
{
	char cache[PATH_MAX];
	const struct unwinding_options unwinding = {
	    .sampler = c->sampler,
	    .objects = c->objects,
	    .samples_per_second =
		sampler__n_cpus(c->sampler) * NSEC_PER_SEC / MAX(sampler__period_ns(c->sampler), 1),
	    .symbolizer = finishing->symbolizer,
	    .cache = cache,
	    .started = on_table_maker_started,
	    .deliver = count_sample,
	    .ctx = c,
	};
	int r;

	table_cache_locate(cache, sizeof(cache));
	r = unwinding__new(&c->unwinding, &unwinding);
	return r < 0 ? r : finisher__new(&c->finisher, finishing, on_namer_started, c);
}

int collector__new(struct collector **ret, const struct sampler_options *sampling,
		   const struct finisher_options *finishing, char *why, size_t why_size)
{
	_cleanup_(collector__freep) struct collector *c = calloc(1, sizeof(*c));
	int r;

	snprintf(why, why_size, "out of memory, or of open files (ulimit -n)");
	if (!c)
		return -ENOMEM;
	r = sampler__new(&c->sampler, sampling, why, why_size);
	if (r == 0)
		r = new_parts(c);
	if (r == 0)
		r = open_sideband(c, why, why_size);
	if (r < 0)
		return r;
	r = start_helpers(c, finishing);
	if (r < 0) {
		snprintf(why, why_size, "starting %s: %s", finishing->symbolizer, strerror(-r));
		return r;
	}
	*ret = steal_ptr(c);
	return 0;
}

struct collector *collector__free(struct collector *c)
{
	if (!c)
		return NULL;
	finisher__free(c->finisher);
	unwinding__free(c->unwinding);
	window__free(c->current);
	window__free(c->closing);
	sampler__free(c->sampler);
	sideband__free(c->sideband);
	processes__free(c->processes);
	objects__free(c->objects);
	timeline__free(c->timeline);
	free(c->cut_seq);
	free(c->ticks);
	free(c);
	return NULL;
}

static int new_window(struct collector *c, uint64_t start_ns)
{
	c->started_ns = clock_ns(CLOCK_MONOTONIC);
	return window__new(&c->current, c->objects, start_ns, sampler__period_ns(c->sampler));
}

/* Of this thread alone, the finisher and what it starts have theirs. */
static void go_ahead_of_others(void)
{
	if (getpriority(PRIO_PROCESS, 0) > COLLECTOR_NICE &&
	    setpriority(PRIO_PROCESS, 0, COLLECTOR_NICE) < 0)
		log_debug("no priority over other programs: %s", strerror(errno));
}

int collector__start(struct collector *c, const uint32_t *tgids, size_t n_tgids)
{
	/* Events are on already and ticks come before the scan: what happens during the scan is
	 * told by events, and the first samples wait in the rings. */
	int r = new_window(c, clock_ns(CLOCK_REALTIME));

	go_ahead_of_others();
	if (r == 0)
		r = sampler__start(c->sampler);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_tgids && r == 0; i++)
		r = processes__scan(c->processes, tgids[i], tgids[i]);
	return r < 0 || n_tgids ? r : processes__scan_all(c->processes);
}

void collector__forget_target(struct collector *c, uint32_t tgid)
{
	sampler__forget_target(c->sampler, tgid);
}

size_t collector__fds(const struct collector *c, int fds[COLLECTOR_FDS])
{
	fds[0] = sampler__fd(c->sampler);
	fds[1] = sideband__fd(c->sideband);
	fds[2] = finisher__fd(c->finisher);
	fds[3] = unwinding__fd(c->unwinding);
	return COLLECTOR_FDS;
}

/* ---- samples and events ---------------------------------------------------------------------- */

/* Counts a sample whose stack is as whole as it gets. */
static int count_sample(void *ctx, struct window *w, const struct process *p,
			const struct sample_record *s)
{
	struct collector *c = ctx;
	size_t known = w->n_frames;
	int r = window__add(w, p, s);

	for (; r == 0 && known < w->n_frames; known++) {
		const struct window_frame *f = &w->frames[known];

		if (f->mapping)
			pin_object(c->objects, p, f->mapping);
		if (f->process != WINDOW_NO_PROCESS)
			jit_files__look(&w->processes[f->process].jit, c->objects, p,
					clock_ns(CLOCK_MONOTONIC));
	}
	return r;
}

static int on_sample(void *ctx, const struct sample_record *s)
{
	struct collector *c = ctx;
	struct window *w = c->current;
	struct process *p;
	int r;

	if ((int32_t)(s->seq - c->cut_seq[s->cpu]) < 0) {
		if (c->closing) {
			w = c->closing;
		} else {
			/* Its window has been closed without it and has counted it as missed. */
			w->ticks.kept++;
			w->ticks.expected++;
		}
	}
	r = processes__of_sample(c->processes, s, &p);
	return r < 0 ? r : unwinding__add(c->unwinding, w, p, s);
}

static int on_event(void *ctx, const struct sideband_event *ev)
{
	struct collector *c = ctx;

	switch (ev->type) {
	case SIDEBAND_LOST:
		c->resync = true;
		return 0;
	default:
		return processes__apply(c->processes, ev);
	}
}

static int take_sample(void *ctx, const struct sample_record *record, size_t size)
{
	struct collector *c = ctx;

	if (record->cpu >= sampler__n_possible_cpus(c->sampler))
		return -EBADMSG;
	if (record->user_end == STACK_END_UNKNOWN)
		c->unknown_ns = MAX(c->unknown_ns, record->time_ns);
	return timeline__add_sample(c->timeline, record, size);
}

static int take_event(void *ctx, const struct sideband_event *event)
{
	struct collector *c = ctx;

	/* Nothing else depends on when it was. */
	if (event->type == SIDEBAND_KSYMBOL)
		return finisher__kernel_changed(c->finisher, event);
	return timeline__add_event(c->timeline, event);
}

/* Drains the rings and counts everything that is older than UNTIL_NS. */
static int drain(struct collector *c, uint64_t until_ns)
{
	static const struct timeline_ops ops = {.on_sample = on_sample, .on_event = on_event};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r = sampler__drain(c->sampler, take_sample, c);

	if (r >= 0)
		r = sideband__drain(c->sideband, take_event, c);
	if (r >= 0)
		r = timeline__replay(c->timeline, until_ns, &ops, c);
	if (r >= 0 && c->resync && now > c->resynced_ns + RESYNC_NS) {
		c->resync = false;
		r = processes__resync(c->processes, now);
		c->resynced_ns = clock_ns(CLOCK_MONOTONIC);
	}
	/* Not NOW: what tables leave behind rests for a second from when they really went. */
	return r < 0 ? r : unwinding__pump(c->unwinding, c->processes, clock_ns(CLOCK_MONOTONIC));
}

/* ---- windows --------------------------------------------------------------------------------- */

static void add_ticks(struct sampler_ticks *sum, const struct sampler_ticks *from,
		      const struct sampler_ticks *to)
{
	sum->expected += to->expected - from->expected;
	sum->kept += to->kept - from->kept;
	sum->idle += to->idle - from->idle;
	sum->filtered += to->filtered - from->filtered;
	sum->stolen += to->stolen - from->stolen;
	sum->missed += to->missed - from->missed;
	for (unsigned i = 0; i < LOST_MAX; i++)
		sum->lost[i] += to->lost[i] - from->lost[i];
}

/* Says in W how the unwinding went since the last window. */
static void report_unwinding(struct collector *c, struct window *w)
{
	const struct unwind_tables_stats *stats = unwinding__stats(c->unwinding);
	struct window_unwinding now = {
	    .n_tables = stats->n_tables,
	    .n_table_bytes = stats->n_lines * sizeof(struct unwind_line),
	    .n_built = stats->n_built,
	    .n_failed = stats->n_failed,
	    .n_evicted = stats->n_evicted,
	    .n_refused = stats->n_refused,
	};
	const struct window_unwinding *then = &c->unwound;

	sampler__read_cache(c->sampler, &now.cache_hits, &now.cache_misses);
	w->unwinding = now;
	w->unwinding.n_built -= then->n_built;
	w->unwinding.n_failed -= then->n_failed;
	w->unwinding.n_evicted -= then->n_evicted;
	w->unwinding.n_refused -= then->n_refused;
	w->unwinding.cache_hits -= then->cache_hits;
	w->unwinding.cache_misses -= then->cache_misses;
	c->unwound = now;
}

/*
 * Ends the current window here and now: each CPU's count of samples says which of those that are
 * still on the way belong to it, so that its account is exact.
 */
static int cut(struct collector *c)
{
	unsigned n = sampler__n_cpus(c->sampler);
	cleanup_free struct sampler_ticks *now = calloc(n, sizeof(*now));
	int r = now ? sampler__read_ticks(c->sampler, now) : -ENOMEM;

	if (r < 0)
		return r;
	c->cut_ns = clock_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		c->cut_seq[sampler__cpu(c->sampler, i)] = (uint32_t)now[i].kept;
		add_ticks(&c->current->ticks, &c->ticks[i], &now[i]);
		c->ticks[i] = now[i];
	}
	c->closing = steal_ptr(c->current);
	c->closing->duration_ns = c->cut_ns - c->started_ns;
	return 0;
}

/* Hands the closing window over once it has all its samples. */
static int settle(struct collector *c, uint64_t now_ns)
{
	struct window *w = c->closing;
	int r;

	if (!w || (w->n_samples < w->ticks.kept && now_ns < c->cut_ns + STRAGGLER_NS))
		return 0;
	r = unwinding__flush(c->unwinding, w);
	if (r < 0)
		return r;
	if (w->n_samples < w->ticks.kept) {
		w->ticks.missed += w->ticks.kept - w->n_samples;
		w->ticks.kept = w->n_samples;
	}
	report_unwinding(c, w);
	for (size_t i = 0; i < w->n_processes; i++)
		jit_files__look_again(&w->processes[i].jit, c->objects, w->processes[i].tgid,
				      w->processes[i].start_ns);
	r = window__close(w, w->duration_ns);
	if (r < 0)
		return r;
	finisher__submit(c->finisher, steal_ptr(c->closing));
	c->n_submitted++;
	return 0;
}

uint64_t collector__wait_ns(const struct collector *c)
{
	uint64_t replayed = clock_ns(CLOCK_MONOTONIC) - TIMELINE_SLACK_NS;

	return c->unknown_ns < replayed
		   ? COLLECTOR_DRAIN_NS
		   : MIN(c->unknown_ns - replayed + NSEC_PER_MSEC, COLLECTOR_DRAIN_NS);
}

int collector__pump(struct collector *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r = drain(c, now - TIMELINE_SLACK_NS);

	if (r == 0)
		r = settle(c, now);
	if (r == 0 && now - c->reaped_ns > NSEC_PER_SEC) {
		processes__reap(c->processes, now);
		c->reaped_ns = now;
	}
	return r;
}

bool collector__ready(const struct collector *c)
{
	return !c->closing && finisher__ready(c->finisher);
}

bool collector__rotate(struct collector *c, uint64_t start_ns, int *ret_error)
{
	*ret_error = 0;
	if (!collector__ready(c))
		return false;
	*ret_error = cut(c);
	if (*ret_error == 0)
		*ret_error = new_window(c, start_ns);
	return *ret_error == 0;
}

/* Waits for the tables that the last samples need. */
static int await_tables(struct collector *c)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + TABLES_NS, now;
	struct pollfd pfd = {.fd = unwinding__fd(c->unwinding), .events = POLLIN};
	int r = 0;

	while (r == 0 && unwinding__n_parked(c->unwinding) &&
	       (now = clock_ns(CLOCK_MONOTONIC)) < until) {
		poll(&pfd, 1, (int)(MIN(until - now, COLLECTOR_DRAIN_NS) / NSEC_PER_MSEC) + 1);
		r = unwinding__pump(c->unwinding, c->processes, clock_ns(CLOCK_MONOTONIC));
	}
	return r;
}

int collector__stop(struct collector *c, bool write_empty)
{
	int r = sampler__stop(c->sampler);

	assert(collector__ready(c));
	if (r == 0)
		r = cut(c);
	if (r == 0)
		c->closing->write_empty = write_empty;
	/* The events are off, so everything there is can be read at once. */
	if (r == 0)
		r = drain(c, UINT64_MAX);
	if (r == 0)
		r = await_tables(c);
	return r < 0 ? r : settle(c, UINT64_MAX);
}

bool collector__take_report(struct collector *c, struct report *ret)
{
	struct window *w;

	if (!finisher__take(c->finisher, &w, ret))
		return false;
	window__free(w);
	c->n_submitted--;
	return true;
}

bool collector__finishing(const struct collector *c)
{
	return c->n_submitted > 0;
}

uint64_t collector__n_samples(const struct collector *c)
{
	return c->current ? c->current->n_samples : 0;
}

uint64_t collector__n_lost(const struct collector *c)
{
	return sampler__n_lost(c->sampler);
}
