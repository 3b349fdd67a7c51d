/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side: loads the BPF program, opens one perf event per online CPU, drains the ring
 * buffers and keeps the account of every tick. Used by the collector's main thread.
 *
 * It needs no kprobes, no tracefs, no kernel headers and no raised memlock limit. Nothing is
 * pinned: what it put into the kernel goes when its descriptors are closed, also by kill -9.
 */
#ifndef COLLECTOR_SAMPLER_H
#define COLLECTOR_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/owner.h"

enum sampler_event {
	SAMPLER_EVENT_CPU_CLOCK, /* a timer per CPU: everywhere */
	SAMPLER_EVENT_CYCLES,	 /* the hardware's counter: not in most virtual machines */
};

/* Lists of mappings and unwind tables: 12 MiB, what about 600 MiB of programs and libraries
 * need. */
#define SAMPLER_UNWIND_LINES ((12u << 20) / sizeof(struct unwind_line))

/* Processes of our own that FILTER_TREE leaves out. */
enum sampler_helper {
	SAMPLER_HELPER_NAMES,					  /* the finisher's symbolizers */
	SAMPLER_HELPER_TABLES = SAMPLER_HELPER_NAMES + OWNER_MAX, /* the table builder's */
	SAMPLER_HELPER_MAX = SAMPLER_HELPER_TABLES + OWNER_MAX
};

struct sampler_options {
	uint32_t frequency_hz;
	enum sampler_event event;
	bool kernel_stacks;
	enum filter_mode filter;
	const uint32_t *targets; /* tgids for FILTER_TARGETS, at most TARGETS_MAX */
	size_t n_targets;
	uint32_t tree_tgid; /* for FILTER_TREE */
};

/*
 * What became of the ticks of one CPU since sampler__start(). expected is what the time for
 * which the event was enabled says, so that ticks that never reached the program show too:
 * expected = kept + idle + filtered + lost[…] + missed.
 *
 * Ticks that did not come while the CPU was idle, as some kernels do not deliver them then, are
 * counted as idle. Those of time that the hypervisor took away are not expected: nothing of this
 * host ran; they are told apart as stolen. The rest is missed: the program was blocked, or the
 * timer was late.
 */
struct sampler_ticks {
	uint64_t expected;
	uint64_t kept;
	uint64_t idle;
	uint64_t filtered;
	uint64_t lost[LOST_MAX];
	uint64_t stolen;
	uint64_t missed;
};

struct sampler;

/*
 * Loads and opens everything; samples nothing yet. On failure returns -errno and writes to WHY
 * (WHY_SIZE bytes) one line that says what is missing on this host and what would help.
 */
int sampler__new(struct sampler **ret, const struct sampler_options *options, char *why,
		 size_t why_size);

/* Takes NULL. Stops and unloads. Returns NULL. */
struct sampler *sampler__free(struct sampler *s);

/* Starts and stops the ticks on all CPUs. 0 or -errno. */
int sampler__start(struct sampler *s);
int sampler__stop(struct sampler *s);

/* Becomes readable when a ring has filled to its mark; to be polled only after a drain.
 * Borrowed. */
int sampler__fd(const struct sampler *s);

/* Names a process that FILTER_TREE leaves out; its tgid changes when it is restarted. */
void sampler__set_helper(struct sampler *s, enum sampler_helper helper, uint32_t tgid);

/* Whether stacks are walked by our own walker; else by the kernel's, which knows frame pointers
 * only. */
bool sampler__own_walker(const struct sampler *s);

/* The BPF arrays that the walker reads, for struct unwind_memory and struct spaces. Borrowed. */
int sampler__unwind_memory_fd(const struct sampler *s);
int sampler__processes_fd(const struct sampler *s);

/* Takes TGID out of FILTER_TARGETS. */
void sampler__forget_target(struct sampler *s, uint32_t tgid);

/* The frames of RECORD, which sampler__drain() has checked, as all that follows them. */
static inline const uint64_t *sample_frames(const struct sample_record *record)
{
	return (const uint64_t *)(record + 1);
}

/* RECORD and its frames are borrowed for the call. A negative return ends the drain. */
typedef int (*sampler_sample_fn)(void *ctx, const struct sample_record *record, size_t size);

/* Hands over all samples in the rings. Returns their number or a negative error of FN. */
int sampler__drain(struct sampler *s, sampler_sample_fn fn, void *ctx);

/* The CPUs that are sampled, numbered 0 .. n-1 here; sampler__cpu() gives the kernel's number. */
unsigned sampler__n_cpus(const struct sampler *s);
unsigned sampler__cpu(const struct sampler *s, unsigned i);

/* One more than the largest CPU number that a record can carry. */
unsigned sampler__n_possible_cpus(const struct sampler *s);

/* Nanoseconds of CPU time that one sample stands for. */
uint64_t sampler__period_ns(const struct sampler *s);

/* Samples of all CPUs that could not be sent since the start. */
uint64_t sampler__n_lost(const struct sampler *s);

/* Frames of all CPUs since the start whose rule the walker had in its cache, and others. */
void sampler__read_cache(const struct sampler *s, uint64_t *ret_hits, uint64_t *ret_misses);

/* Reads the account of every CPU sampled. Values only grow from call to call. 0 or -errno. */
int sampler__read_ticks(struct sampler *s, struct sampler_ticks *ret);

#endif
