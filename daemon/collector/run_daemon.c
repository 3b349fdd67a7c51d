/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: windows aligned to the wall clock, a file per process and window, until SIGTERM or
 * SIGINT.
 *
 * A window ends when the wall clock passes a multiple of its length, or when it has lasted that
 * long by the monotonic clock: a clock that is set back does not stretch it. A disk that is full
 * stops writing, not sampling.
 */
#include "daemon/collector/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/collector/collector.h"
#include "daemon/collector/comments.h"
#include "daemon/collector/config.h"

struct service {
	struct config config;
	int dirfd;
	int signal_fd;
	bool stopping;
	struct collector *collector;
	uint64_t boundary_ns; /* CLOCK_REALTIME at which the window ends */
	uint64_t begun_ns;    /* CLOCK_MONOTONIC of its start */
	int write_error;      /* of the last window that failed; 0 = writing works */
	uint64_t n_unwritten; /* profiles lost since then */
	char trouble[128];    /* with the symbolizer, as it was said last */
};

static void service__fini(struct service *s)
{
	collector__free(s->collector);
	close_fd(s->dirfd);
	close_fd(s->signal_fd);
}

static int block_signals(struct service *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -errno : 0;
}

static struct sampler_options sampling(const struct service *s)
{
	return (struct sampler_options){
	    .frequency_hz = s->config.frequency_hz,
	    .event = s->config.event,
	    .kernel_stacks = s->config.kernel,
	};
}

/* Reads and checks everything that can be wrong. Returns 0 or an exit status, having said why. */
static int configure(struct service *s, const char *path)
{
	char err[CONFIG_ERROR_SIZE];
	int r;

	r = config__load(&s->config, path ? path : OPTIONS_DEFAULT_CONFIG, err, sizeof(err));
	if (r == -ENOENT && !path) {
		/* Nobody asked for this file: the defaults do. */
		s->config = (struct config)CONFIG_DEFAULTS;
	} else if (r < 0) {
		log_error("%s", err);
		return EXIT_USAGE;
	}
	r = store_check_dir(s->config.directory, &s->dirfd);
	if (r < 0) {
		struct sampler_options options = sampling(s);

		snprintf(err, sizeof(err),
			 "%s: profiles cannot be written there: %s; change [output] directory",
			 s->config.directory, strerror(-r));
		return run_refuse_output(err, &options);
	}
	return 0;
}

static int load(struct service *s)
{
	const struct config *c = &s->config;
	struct sampler_options options = sampling(s);
	struct finisher_options finishing = {
	    .output = FINISHER_WINDOWS,
	    .dirfd = s->dirfd,
	    .dir = c->directory,
	    .min_samples = c->min_samples,
	    .frequency_hz = c->frequency_hz,
	    .event = c->event == SAMPLER_EVENT_CYCLES ? "cycles" : "cpu-clock",
	};

	return run_load(&s->collector, &options, &finishing);
}

/* The first multiple of the window's length after NOW. */
static uint64_t next_boundary(const struct service *s, uint64_t now)
{
	return (now / s->config.window_ns + 1) * s->config.window_ns;
}

static int rotate_if_due(struct service *s)
{
	uint64_t wall = clock_ns(CLOCK_REALTIME), now = clock_ns(CLOCK_MONOTONIC);
	uint64_t start = wall - wall % s->config.window_ns;
	int r;

	if (wall < s->boundary_ns && now - s->begun_ns < s->config.window_ns + NSEC_PER_SEC)
		return 0;
	/* Within a drain of the boundary the window starts on it; after a jump of the clock,
	 * now. */
	if (wall - start > NSEC_PER_SEC)
		start = wall;
	if (collector__rotate(s->collector, start, &r)) {
		s->boundary_ns = next_boundary(s, wall);
		s->begun_ns = now;
	}
	return r;
}

/* Says once that writing fails, and once that it works again. */
static void note_report(struct service *s, const struct report *r)
{
	s->n_unwritten += r->n_failed;
	if (r->error && r->error != s->write_error)
		log_error("%s: profiles cannot be written: %s; sampling goes on", r->failed_path,
			  strerror(-r->error));
	if (!r->error && s->write_error) {
		log_info("profiles are written again; %" PRIu64 " were lost", s->n_unwritten);
		s->n_unwritten = 0;
	}
	s->write_error = r->error;
	if (strcmp(r->trouble, s->trouble)) {
		if (r->trouble[0])
			log_error("the symbolizer: %s; files have no names", r->trouble);
		snprintf(s->trouble, sizeof(s->trouble), "%s", r->trouble);
	}
	if (r->n_restarts)
		log_warn("the symbolizer had to be started %u times again; %u files have no names",
			 r->n_restarts, r->n_bad_objects);
}

static void take_reports(struct service *s)
{
	struct report report;

	while (collector__take_report(s->collector, &report)) {
		note_report(s, &report);
		report__fini(&report);
	}
}

static uint64_t time_to_wait(const struct service *s)
{
	uint64_t wall = clock_ns(CLOCK_REALTIME);

	uint64_t wait = collector__wait_ns(s->collector);

	return wall >= s->boundary_ns ? wait : MIN(wait, s->boundary_ns - wall);
}

/* One round: waits, drains, rotates. */
static int serve(struct service *s)
{
	struct signalfd_siginfo si;
	struct pollfd fds[COLLECTOR_FDS + 1];
	struct timespec ts;
	int parts[COLLECTOR_FDS], r;

	collector__fds(s->collector, parts);
	for (size_t i = 0; i < COLLECTOR_FDS; i++)
		fds[i] = (struct pollfd){.fd = parts[i], .events = POLLIN};
	fds[COLLECTOR_FDS] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
	ts = (struct timespec){.tv_nsec = (long)time_to_wait(s)};
	if (ppoll(fds, COLLECTOR_FDS + 1, &ts, NULL) < 0 && errno != EINTR)
		return -errno;
	if (read(s->signal_fd, &si, sizeof(si)) == sizeof(si))
		s->stopping = true;
	r = collector__pump(s->collector);
	take_reports(s);
	return r < 0 ? r : rotate_if_due(s);
}

/* Writes what there is. */
static int finish(struct service *s)
{
	int r = 0;

	while (r == 0 && !collector__ready(s->collector))
		r = serve(s);
	if (r == 0)
		r = collector__stop(s->collector, false);
	while (r == 0 && collector__finishing(s->collector)) {
		struct pollfd pfd = {.events = POLLIN};
		int parts[COLLECTOR_FDS];

		collector__fds(s->collector, parts);
		pfd.fd = parts[2];
		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			r = -errno;
		take_reports(s);
	}
	return r;
}

int run_daemon(const struct options *o)
{
	_cleanup_(service__fini) struct service s = {.dirfd = -1, .signal_fd = -1};
	int r = block_signals(&s), status;
	unsigned n_stale = 0;

	if (r < 0) {
		log_error("%s", strerror(-r));
		return EXIT_FAILED;
	}
	status = configure(&s, o->config);
	if (!status)
		status = load(&s);
	if (status)
		return status;
	s.boundary_ns = next_boundary(&s, clock_ns(CLOCK_REALTIME));
	s.begun_ns = clock_ns(CLOCK_MONOTONIC);
	r = collector__start(s.collector, NULL, 0);
	if (r == 0 && !o->quiet)
		log_info("sampling at %" PRIu32 " Hz, a window every %g s, profiles in %s",
			 s.config.frequency_hz, (double)s.config.window_ns / 1e9,
			 s.config.directory);
	if (r == 0 && store_remove_stale(s.dirfd, &n_stale) == 0 && n_stale)
		log_info("removed %u unfinished files of an earlier run", n_stale);
	while (r == 0 && !s.stopping)
		r = serve(&s);
	if (r == 0)
		r = finish(&s);
	if (r < 0)
		log_error("sampling failed: %s", strerror(-r));
	return r < 0 || s.write_error ? EXIT_FAILED : EXIT_DONE;
}
