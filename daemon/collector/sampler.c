/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/sampler.h"

#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/cpulist.h"
#include "daemon/collector/cputime.h"
#include "daemon/collector/perf_error.h"

#include "sampler.skel.h"

/*
 * A ring holds what its CPUs can write in half a second when all stacks are as deep as they get:
 * the collector drains five times as often. All rings together stay within a fixed budget.
 */
#define RING_SECONDS_PART 2
#define RING_BYTES_MIN (256u << 10)
#define RINGS_BYTES_MAX (4u << 20)
#define SAMPLE_BYTES_MAX (sizeof(struct sample_record) + SAMPLE_FRAMES_MAX * sizeof(uint64_t))

/* Ticks of one CPU that its program has not seen, by what they were. */
struct unseen {
	uint64_t idle, stolen, missed;
};

struct sampler {
	struct sampler_bpf *skel;
	struct ring_buffer *rings;
	int ring_fds[RINGS_MAX];
	unsigned n_rings;
	unsigned *cpus;
	int *event_fds;
	size_t n_cpus;
	unsigned n_possible;
	const struct cpu_counters *counters; /* shared with the program, by CPU number */
	size_t counters_bytes;
	uint64_t period_ns;
	struct unseen *unseen;		     /* by index of cpus */
	struct cputime *times, *start_times; /* by CPU number */
	enum sampler_event event;
	sampler_sample_fn fn; /* of the drain under way */
	void *fn_ctx;
};

DEFINE_CLEANUP(struct sampler *, sampler__free);

/* libbpf would print to stderr by itself; what it returns is enough to say what is missing. */
static int no_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* Whether RECORD, of which REST bytes follow its header, is what it says. */
static bool record_valid(const struct sample_record *record, size_t rest)
{
	size_t frames = ((size_t)record->n_kernel + record->n_user) * sizeof(uint64_t);

	if (record->n_kernel > KERNEL_FRAMES_MAX || record->n_user > USER_FRAMES_MAX ||
	    record->user_end >= STACK_END_MAX)
		return false;
	if (record->user_end != STACK_END_UNKNOWN)
		return !record->stack_bytes && !record->other_bytes && rest == frames;
	/* The registers are those of the last frame, so there must be one. */
	return record->n_user && record->stack_bytes <= STACK_COPY_MAX &&
	       record->other_bytes <= OTHER_COPY_MAX &&
	       rest ==
		   frames + sizeof(struct unwind_regs) + record->stack_bytes + record->other_bytes;
}

static int on_ring_record(void *ctx, void *bytes, size_t size)
{
	struct sampler *s = ctx;
	const struct sample_record *record = bytes;

	/* The kernel rounds nothing up here, so a size that does not fit is our own mistake. */
	if (size < sizeof(*record) || !record_valid(record, size - sizeof(*record)))
		return -EBADMSG;
	return s->fn(s->fn_ctx, record, size);
}

static uint32_t pow2_at_most(uint64_t v)
{
	return v ? 1u << (63 - __builtin_clzll(v)) : 1;
}

static uint32_t ring_bytes(const struct sampler *s, unsigned n_rings, uint32_t frequency_hz)
{
	uint64_t n_cpus = (s->n_cpus + n_rings - 1) / n_rings;
	uint64_t wanted = n_cpus * frequency_hz * SAMPLE_BYTES_MAX / RING_SECONDS_PART;

	return pow2_at_most(MIN(MAX(2 * wanted - 1, RING_BYTES_MIN), RINGS_BYTES_MAX / n_rings));
}

/* As many rings as CPUs, a power of two, up to the maximum. */
static int create_rings(struct sampler *s, uint32_t frequency_hz)
{
	unsigned n = pow2_at_most(MIN(s->n_possible, (unsigned)RINGS_MAX));
	uint32_t bytes = ring_bytes(s, n, frequency_hz);

	for (unsigned i = 0; i < n; i++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "samples", 0, 0, bytes, NULL);

		if (fd < 0)
			return fd;
		s->ring_fds[s->n_rings++] = fd;
	}
	s->skel->rodata->knobs.ring_mask = n - 1;
	s->skel->rodata->knobs.wake_bytes = bytes / 4;
	return 0;
}

static int publish_rings(struct sampler *s)
{
	for (uint32_t i = 0; i < s->n_rings; i++) {
		int fd = s->ring_fds[i];
		int r = bpf_map__update_elem(s->skel->maps.rings, &i, sizeof(i), &fd, sizeof(fd),
					     BPF_ANY);

		if (r < 0)
			return r;
		if (i == 0) {
			s->rings = ring_buffer__new(fd, on_ring_record, s, NULL);
			if (!s->rings)
				return -errno;
		} else {
			r = ring_buffer__add(s->rings, fd, on_ring_record, s);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int publish_targets(struct sampler *s, const struct sampler_options *o)
{
	const uint8_t yes = 1;

	for (size_t i = 0; i < o->n_targets; i++) {
		int r = bpf_map__update_elem(s->skel->maps.targets, &o->targets[i],
					     sizeof(uint32_t), &yes, sizeof(yes), BPF_ANY);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, helper, NULL) == 1;
}

static int load_program(struct sampler *s, const struct sampler_options *o)
{
	struct sampler_knobs *knobs;
	int r;

	s->skel = sampler_bpf__open();
	if (!s->skel)
		return -errno;
	knobs = &s->skel->rodata->knobs;
	knobs->filter = o->filter;
	knobs->tree_tgid = o->tree_tgid;
	knobs->kernel_stacks = o->kernel_stacks;
	knobs->own_unwinder = has_helper(BPF_FUNC_loop) && has_helper(BPF_FUNC_task_pt_regs);
	r = create_rings(s, o->frequency_hz);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(s->skel->maps.counters, s->n_possible);
	if (r == 0)
		r = bpf_map__set_max_entries(s->skel->maps.scratch, s->n_possible);
	if (r == 0)
		r = bpf_map__set_max_entries(s->skel->maps.unwind_caches, s->n_possible);
	if (r == 0)
		r = bpf_map__set_max_entries(s->skel->maps.unwind_memory, SAMPLER_UNWIND_LINES);
	if (r < 0)
		return r;
	return sampler_bpf__load(s->skel);
}

static int map_counters(struct sampler *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	s->counters_bytes = (s->n_possible * sizeof(*s->counters) + page - 1) & ~(page - 1);
	p = mmap(NULL, s->counters_bytes, PROT_READ, MAP_SHARED,
		 bpf_map__fd(s->skel->maps.counters), 0);
	if (p == MAP_FAILED)
		return -errno;
	s->counters = p;
	return 0;
}

static int open_event(const struct sampler *s, unsigned cpu, uint32_t frequency_hz)
{
	struct perf_event_attr attr = {
	    .size = sizeof(attr),
	    .type = PERF_TYPE_SOFTWARE,
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = s->period_ns,
	    .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
	    .disabled = 1,
	};
	long fd;

	if (s->event == SAMPLER_EVENT_CYCLES) {
		attr.type = PERF_TYPE_HARDWARE;
		attr.config = PERF_COUNT_HW_CPU_CYCLES;
		attr.sample_freq = frequency_hz;
		attr.freq = 1;
	}
	fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static int open_events(struct sampler *s, uint32_t frequency_hz)
{
	int prog_fd = bpf_program__fd(s->skel->progs.on_sample);

	for (size_t i = 0; i < s->n_cpus; i++) {
		int fd = open_event(s, s->cpus[i], frequency_hz);

		if (fd < 0)
			return fd;
		s->event_fds[i] = fd;
		if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0)
			return -errno;
	}
	return 0;
}

static int list_cpus(struct sampler *s)
{
	int n = libbpf_num_possible_cpus(), r;

	if (n < 0)
		return n;
	s->n_possible = (unsigned)n;
	r = cpulist_online(&s->cpus, &s->n_cpus);
	if (r < 0)
		return r;
	s->event_fds = malloc(s->n_cpus * sizeof(*s->event_fds));
	s->unseen = calloc(s->n_cpus, sizeof(*s->unseen));
	s->times = calloc(s->n_possible, sizeof(*s->times));
	s->start_times = calloc(s->n_possible, sizeof(*s->start_times));
	if (!s->event_fds || !s->unseen || !s->times || !s->start_times)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_cpus; i++)
		s->event_fds[i] = -1;
	return 0;
}

int sampler__new(struct sampler **ret, const struct sampler_options *o, char *why, size_t why_size)
{
	_cleanup_(sampler__freep) struct sampler *s = calloc(1, sizeof(*s));
	const char *step = "reading the list of CPUs";
	int r;

	if (!s)
		return -ENOMEM;
	libbpf_set_print(no_print);
	s->event = o->event;
	s->period_ns = (NSEC_PER_SEC + o->frequency_hz / 2) / o->frequency_hz;
	r = list_cpus(s);
	if (r == 0) {
		step = "loading the BPF program";
		r = load_program(s, o);
	}
	if (r == 0) {
		step = "setting up the BPF maps";
		r = map_counters(s);
	}
	if (r == 0)
		r = publish_rings(s);
	if (r == 0)
		r = publish_targets(s, o);
	if (r == 0) {
		step = o->event == SAMPLER_EVENT_CYCLES ? "opening the cycles event"
							: "opening the cpu-clock event";
		r = open_events(s, o->frequency_hz);
	}
	if (r < 0) {
		perf_error_explain(why, why_size, step, r, o->event == SAMPLER_EVENT_CYCLES);
		return r;
	}
	*ret = steal_ptr(s);
	return 0;
}

struct sampler *sampler__free(struct sampler *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; s->event_fds && i < s->n_cpus; i++)
		close_fd(s->event_fds[i]);
	ring_buffer__free(s->rings);
	for (unsigned i = 0; i < s->n_rings; i++)
		close_fd(s->ring_fds[i]);
	if (s->counters)
		munmap((void *)s->counters, s->counters_bytes);
	sampler_bpf__destroy(s->skel);
	free(s->event_fds);
	free(s->unseen);
	free(s->times);
	free(s->start_times);
	free(s->cpus);
	free(s);
	return NULL;
}

static int all_events(struct sampler *s, unsigned long request)
{
	for (size_t i = 0; i < s->n_cpus; i++)
		if (ioctl(s->event_fds[i], request, 0) < 0)
			return -errno;
	return 0;
}

int sampler__start(struct sampler *s)
{
	int r = cputime_read(s->start_times, s->n_possible);

	return r < 0 ? r : all_events(s, PERF_EVENT_IOC_ENABLE);
}

int sampler__stop(struct sampler *s)
{
	return all_events(s, PERF_EVENT_IOC_DISABLE);
}

int sampler__fd(const struct sampler *s)
{
	return ring_buffer__epoll_fd(s->rings);
}

static_assert(SAMPLER_HELPER_MAX <= SAMPLER_HELPERS_MAX, "the program knows all helpers");

void sampler__set_helper(struct sampler *s, enum sampler_helper helper, uint32_t tgid)
{
	s->skel->bss->helper_tgids[helper] = tgid;
}

bool sampler__own_walker(const struct sampler *s)
{
	return s->skel->rodata->knobs.own_unwinder;
}

int sampler__unwind_memory_fd(const struct sampler *s)
{
	return bpf_map__fd(s->skel->maps.unwind_memory);
}

int sampler__processes_fd(const struct sampler *s)
{
	return bpf_map__fd(s->skel->maps.unwind_processes);
}

void sampler__forget_target(struct sampler *s, uint32_t tgid)
{
	/* That it is not there is what is wanted, so there is nothing to report. */
	(void)!bpf_map__delete_elem(s->skel->maps.targets, &tgid, sizeof(tgid), 0);
}

int sampler__drain(struct sampler *s, sampler_sample_fn fn, void *ctx)
{
	s->fn = fn;
	s->fn_ctx = ctx;
	return ring_buffer__consume(s->rings);
}

unsigned sampler__n_cpus(const struct sampler *s)
{
	return (unsigned)s->n_cpus;
}

unsigned sampler__cpu(const struct sampler *s, unsigned i)
{
	return s->cpus[i];
}

unsigned sampler__n_possible_cpus(const struct sampler *s)
{
	return s->n_possible;
}

uint64_t sampler__period_ns(const struct sampler *s)
{
	return s->period_ns;
}

uint64_t sampler__n_lost(const struct sampler *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n_cpus; i++)
		for (unsigned k = 0; k < LOST_MAX; k++)
			n +=
			    ((const volatile struct cpu_counters *)s->counters)[s->cpus[i]].lost[k];
	return n;
}

void sampler__read_cache(const struct sampler *s, uint64_t *ret_hits, uint64_t *ret_misses)
{
	*ret_hits = *ret_misses = 0;
	for (size_t i = 0; i < s->n_cpus; i++) {
		const volatile struct cpu_counters *c = &s->counters[s->cpus[i]];

		*ret_hits += c->cache_hits;
		*ret_misses += c->cache_misses;
	}
}

/*
 * How many ticks CPU I should have had since the start: the time for which its event was enabled,
 * in periods. The event's count would not do: it stands still while the kernel throttles the event.
 */
static int read_expected(const struct sampler *s, size_t i, uint64_t *ret)
{
	struct {
		uint64_t count, enabled_ns; /* PERF_FORMAT_TOTAL_TIME_ENABLED */
	} value;

	if (read(s->event_fds[i], &value, sizeof(value)) != sizeof(value))
		return errno ? -errno : -EIO;
	*ret = value.enabled_ns / s->period_ns;
	return 0;
}

/* Ticks that TIME_NS explains: what began in one grain of /proc/stat may be counted in the next. */
static uint64_t whole_ticks(const struct sampler *s, uint64_t time_ns)
{
	return time_ns ? (time_ns + CPUTIME_GRAIN_NS) / s->period_ns : 0;
}

/* The kernel's idle times may go back a little (proc(5)). */
static uint64_t grown(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* Says what the ticks were that CPU I should have had and that its program has not SEEN. */
static void explain_unseen(struct sampler *s, size_t i, uint64_t n_unseen,
			   struct sampler_ticks *ticks)
{
	const struct cputime *now = &s->times[s->cpus[i]], *then = &s->start_times[s->cpus[i]];
	struct unseen *u = &s->unseen[i];
	uint64_t n_idle = whole_ticks(s, grown(then->idle_ns, now->idle_ns));
	uint64_t n_stolen = whole_ticks(s, grown(then->steal_ns, now->steal_ns));
	uint64_t n_new;

	/* Only what is new is shared out, so that no part ever shrinks. */
	n_unseen = MAX(n_unseen, u->idle + u->stolen + u->missed);
	n_new = n_unseen - (u->idle + u->stolen + u->missed);
	if (n_idle > ticks->idle + u->idle) {
		uint64_t n = MIN(n_new, n_idle - ticks->idle - u->idle);

		u->idle += n;
		n_new -= n;
	}
	if (n_stolen > u->stolen) {
		uint64_t n = MIN(n_new, n_stolen - u->stolen);

		u->stolen += n;
		n_new -= n;
	}
	u->missed += n_new;
	ticks->idle += u->idle;
	ticks->stolen = u->stolen;
	ticks->missed = u->missed;
}

int sampler__read_ticks(struct sampler *s, struct sampler_ticks *ret)
{
	int r = cputime_read(s->times, s->n_possible);

	for (size_t i = 0; i < s->n_cpus && r == 0; i++) {
		const volatile struct cpu_counters *c = &s->counters[s->cpus[i]];
		struct sampler_ticks *t = &ret[i];
		uint64_t expected = 0, seen;

		*t = (struct sampler_ticks){
		    .kept = c->kept, .idle = c->idle, .filtered = c->filtered};
		seen = t->kept + t->idle + t->filtered;
		for (unsigned k = 0; k < LOST_MAX; k++) {
			t->lost[k] = c->lost[k];
			seen += t->lost[k];
		}
		/* The frequency of `cycles` is adjusted by the kernel as it goes: there is
		 * nothing to compare with. */
		if (s->event == SAMPLER_EVENT_CPU_CLOCK)
			r = read_expected(s, i, &expected);
		explain_unseen(s, i, expected > seen ? expected - seen : 0, t);
		t->expected = seen + s->unseen[i].idle + t->missed;
	}
	return r;
}
