/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/procstat.h"
#include "base/util.h"
#include "daemon/collector/collector.h"
#include "daemon/collector/command.h"
#include "daemon/collector/output.h"
#include "daemon/collector/procfs.h"
#include "daemon/collector/summary.h"

/* Processes with fewer samples than this share a file in a run over the whole host, as in the
 * daemon. */
#define ALL_MIN_SAMPLES 5

/* What a profile that is being written is given when Ctrl-C is pressed once more. */
#define LAST_WAIT_MS 3000

struct once {
	const struct options *o;
	struct output output;
	struct command command;
	int *pidfds; /* of --pid: readable when the process has ended; -1 once it has */
	size_t n_alive;
	int signal_fd;
	struct collector *collector;
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC; end 0 = open */
	uint64_t progress_ns;
	bool interrupted;
	bool released; /* the command runs, or has run */
};

static void once__fini(struct once *run)
{
	collector__free(run->collector);
	command__fini(&run->command);
	output__fini(&run->output);
	for (size_t i = 0; run->pidfds && i < run->o->n_pids; i++)
		close_fd(run->pidfds[i]);
	free(run->pidfds);
	close_fd(run->signal_fd);
}

/* ---- before anything starts ------------------------------------------------------------------ */

/* Opens the targets. Returns 0, EXIT_NO_TARGET or EXIT_USAGE, having said why. */
static int find_targets(struct once *run, char comm[COMM_SIZE])
{
	const struct options *o = run->o;

	run->pidfds = malloc((o->n_pids + 1) * sizeof(*run->pidfds));
	if (!run->pidfds)
		return EXIT_FAILED;
	for (size_t i = 0; i < o->n_pids; i++)
		run->pidfds[i] = -1;
	for (size_t i = 0; i < o->n_pids; i++) {
		uint32_t tgid = o->pids[i];
		struct procstat st;

		/* A zombie with more threads than one lives on without its first. */
		if (procstat_read(o->pids[i], &st) < 0 ||
		    (st.state == 'Z' && procfs_count_threads(o->pids[i]) <= 1) ||
		    procfs_read_tgid(o->pids[i], &tgid) < 0) {
			log_error("--pid %" PRIu32 ": there is no such process", o->pids[i]);
			return EXIT_NO_TARGET;
		}
		if (tgid != o->pids[i]) {
			log_error("--pid %" PRIu32 ": a thread of process %" PRIu32
				  "; profile that one",
				  o->pids[i], tgid);
			return EXIT_USAGE;
		}
		run->pidfds[i] = (int)syscall(SYS_pidfd_open, o->pids[i], 0);
		if (run->pidfds[i] < 0) {
			log_error("--pid %" PRIu32 ": %s", o->pids[i], strerror(errno));
			return EXIT_NO_TARGET;
		}
		if (i == 0)
			memcpy(comm, st.comm, COMM_SIZE);
	}
	run->n_alive = o->n_pids;
	return 0;
}

static int prepare_command(struct once *run, char comm[COMM_SIZE])
{
	const char *slash = strrchr(run->o->command[0], '/');
	int r = command__prepare(&run->command, run->o->command);

	if (r < 0) {
		log_error("%s: cannot be started: %s", run->o->command[0], strerror(-r));
		return EXIT_FAILED;
	}
	snprintf(comm, COMM_SIZE, "%s", slash ? slash + 1 : run->o->command[0]);
	return 0;
}

static int block_signals(struct once *run)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? -errno : 0;
}

static struct sampler_options sampling(const struct once *run)
{
	const struct options *o = run->o;
	struct sampler_options s = {
	    .frequency_hz = o->frequency_hz ? o->frequency_hz : OPTIONS_ONESHOT_HZ,
	    .event = o->event,
	    .kernel_stacks = o->kernel_stacks,
	    .targets = o->pids,
	    .n_targets = o->n_pids,
	};

	if (o->mode == MODE_PIDS)
		s.filter = FILTER_TARGETS;
	if (o->mode == MODE_COMMAND) {
		s.filter = FILTER_TREE;
		s.tree_tgid = (uint32_t)getpid();
	}
	return s;
}

/* Returns 0 or an exit status, having said why. */
static int load(struct once *run)
{
	struct sampler_options s = sampling(run);
	struct finisher_options f = {
	    .output = run->output.kind,
	    .format = run->o->format,
	    .dirfd = run->output.dirfd,
	    .dir = run->output.path,
	    .file = run->output.path,
	    .min_samples = run->o->mode == MODE_ALL ? ALL_MIN_SAMPLES : 0,
	    .main_tgid = (uint32_t)run->command.pid,
	    .frequency_hz = s.frequency_hz,
	    .event = s.event == SAMPLER_EVENT_CYCLES ? "cycles" : "cpu-clock",
	};

	return run_load(&run->collector, &s, &f);
}

/* ---- while it runs --------------------------------------------------------------------------- */

/* Handles the signals that have come. Returns the number of those that ask us to end. */
static unsigned take_signals(struct once *run)
{
	struct signalfd_siginfo si;
	unsigned n = 0;

	while (read(run->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			command__reap(&run->command);
			continue;
		}
		run->interrupted = true;
		n++;
		/* The terminal sends ^C to the command too; what was sent to us alone is passed on.
		 */
		if (run->released && !run->command.ended && si.ssi_code != SI_KERNEL)
			kill(run->command.pid, (int)si.ssi_signo);
	}
	return n;
}

static void print_progress(struct once *run, uint64_t now)
{
	uint64_t n = collector__n_samples(run->collector), lost = collector__n_lost(run->collector);

	if (run->end_ns)
		fprintf(stderr,
			"\r\033[Kcprofd: %.0f s left, %" PRIu64 " samples, %" PRIu64 " lost",
			(double)(run->end_ns > now ? run->end_ns - now : 0) / 1e9, n, lost);
	else
		fprintf(stderr,
			"\r\033[Kcprofd: %.0f s, %" PRIu64 " samples, %" PRIu64
			" lost, Ctrl-C ends",
			(double)(now - run->begin_ns) / 1e9, n, lost);
}

/* Fills FDS with what to wait for; returns the number. The last n_pids are the targets. */
static size_t poll_set(const struct once *run, struct pollfd *fds)
{
	int parts[COLLECTOR_FDS];
	size_t n = collector__fds(run->collector, parts);

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = parts[i], .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = run->signal_fd, .events = POLLIN};
	for (size_t i = 0; i < run->o->n_pids; i++)
		fds[n++] = (struct pollfd){.fd = run->pidfds[i], .events = POLLIN};
	return n;
}

static void note_ended_targets(struct once *run, const struct pollfd *fds)
{
	for (size_t i = 0; i < run->o->n_pids; i++) {
		if (run->pidfds[i] < 0 || !fds[i].revents)
			continue;
		run->pidfds[i] = close_fd(run->pidfds[i]);
		run->n_alive--;
		collector__forget_target(run->collector, run->o->pids[i]);
	}
}

static bool finished(const struct once *run, uint64_t now)
{
	return run->interrupted || run->command.ended || (run->end_ns && now >= run->end_ns) ||
	       (run->o->mode == MODE_PIDS && run->n_alive == 0);
}

static int sample(struct once *run)
{
	cleanup_free struct pollfd *fds = calloc(COLLECTOR_FDS + 1 + run->o->n_pids, sizeof(*fds));
	bool progress = !run->o->quiet && isatty(STDERR_FILENO);
	uint64_t now;
	int r = fds ? 0 : -ENOMEM;

	while (r == 0 && (now = clock_ns(CLOCK_MONOTONIC), !finished(run, now))) {
		uint64_t wait = collector__wait_ns(run->collector);
		size_t n = poll_set(run, fds);
		struct timespec ts;

		if (run->end_ns)
			wait = MIN(wait, run->end_ns - now);
		ts = (struct timespec){.tv_nsec = (long)wait};
		if (ppoll(fds, n, &ts, NULL) > 0) {
			take_signals(run);
			note_ended_targets(run, fds + n - run->o->n_pids);
		}
		r = collector__pump(run->collector);
		if (progress && now >= run->progress_ns) {
			print_progress(run, now);
			run->progress_ns = now + NSEC_PER_SEC;
		}
	}
	if (progress)
		fprintf(stderr, "\r\033[K");
	return r;
}

/*
 * Waits for the profiles to be written. A disk that hangs is not waited for when the user insists:
 * then there is no file.
 */
static int await_report(struct once *run, struct report *ret)
{
	bool ended = run->o->mode == MODE_PIDS && run->n_alive == 0;
	int r = collector__stop(run->collector, !ended);

	while (r == 0 && !collector__take_report(run->collector, ret)) {
		struct pollfd fds[2];
		int parts[COLLECTOR_FDS];

		/* Not the rings: they may hold what came after the end. */
		collector__fds(run->collector, parts);
		fds[0] = (struct pollfd){.fd = parts[2], .events = POLLIN};
		fds[1] = (struct pollfd){.fd = run->signal_fd, .events = POLLIN};
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (!fds[0].revents && take_signals(run)) {
			struct pollfd last = {.fd = parts[2], .events = POLLIN};

			if (poll(&last, 1, LAST_WAIT_MS) > 0)
				continue;
			log_error("interrupted: the profile has not been written");
			_exit(EXIT_FAILED);
		}
	}
	return r;
}

/* ---- afterwards ------------------------------------------------------------------------------ */

static int say_report(const struct once *run, const struct report *report)
{
	const struct options *o = run->o;

	if (report->n_failed) {
		log_error("%s: cannot be written: %s", report->failed_path,
			  strerror(-report->error));
		if (report->n_failed > 1)
			log_error("%u more profiles could not be written", report->n_failed - 1);
		return EXIT_FAILED;
	}
	if (!report->n_samples && o->mode == MODE_PIDS && run->n_alive == 0) {
		log_error("the process ended before one sample");
		return EXIT_NO_TARGET;
	}
	if (!o->quiet)
		summary_print(report, o->format == STORE_FOLDED,
			      run->output.kind == FINISHER_STDOUT);
	if (!report->n_samples && !o->quiet)
		log_info("no samples: the processes used no CPU in this time");
	return EXIT_DONE;
}

/* Waits for the command's end, passing signals on. Returns its exit status. */
static int end_command(struct once *run)
{
	struct pollfd pfd = {.fd = run->signal_fd, .events = POLLIN};

	command__reap(&run->command);
	while (!run->command.ended) {
		poll(&pfd, 1, -1);
		take_signals(run);
	}
	return run->command.exit_status;
}

/* Lets the command go. Returns 0 or an exit status, having said why. */
static int release_command(struct once *run)
{
	int r = command__release(&run->command);

	run->released = true;
	if (r == 0)
		return 0;
	log_error("%s: cannot be run: %s", run->o->command[0], strerror(-r));
	return r == -ENOENT ? EXIT_CANNOT_RUN : EXIT_CANNOT_RUN - 1;
}

static int run_prepared(struct once *run)
{
	const struct options *o = run->o;
	uint32_t command = (uint32_t)run->command.pid;
	struct report report = {0};
	int r, status;

	if (o->mode == MODE_COMMAND)
		r = collector__start(run->collector, &command, 1);
	else
		r = collector__start(run->collector, o->pids, o->n_pids);
	run->begin_ns = clock_ns(CLOCK_MONOTONIC);
	if (o->duration_ns)
		run->end_ns = run->begin_ns + o->duration_ns;
	if (r == 0 && o->mode == MODE_COMMAND) {
		status = release_command(run);
		if (status)
			return status;
	}
	if (r == 0)
		r = sample(run);
	if (r == 0)
		r = await_report(run, &report);
	if (r < 0) {
		log_error("sampling failed: %s", strerror(-r));
		status = EXIT_FAILED;
	} else {
		status = say_report(run, &report);
	}
	report__fini(&report);
	if (run->released) {
		int own = end_command(run);

		return status == EXIT_DONE ? own : status;
	}
	return status;
}

int run_once(const struct options *o)
{
	_cleanup_(once__fini) struct once run = {
	    .o = o, .output = OUTPUT_INIT, .command = COMMAND_INIT, .signal_fd = -1};
	char comm[COMM_SIZE] = "all", err[OPTIONS_ERROR_SIZE];
	int r = block_signals(&run), status = 0;

	if (r < 0) {
		log_error("%s", strerror(-r));
		return EXIT_FAILED;
	}
	if (o->mode == MODE_PIDS)
		status = find_targets(&run, comm);
	else if (o->mode == MODE_COMMAND)
		status = prepare_command(&run, comm);
	if (status)
		return status;
	if (output__choose(&run.output, o, comm, o->n_pids ? o->pids[0] : (uint32_t)run.command.pid,
			   err) < 0) {
		struct sampler_options s = sampling(&run);

		return run_refuse_output(err, &s);
	}
	status = load(&run);
	if (!status)
		status = run_prepared(&run);
	output__discard(&run.output);
	return status;
}
