/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is running: every process with its name, start and executable mappings, from one scan of
 * /proc and from the kernel's events afterwards, applied in the order of time.
 *
 * A process is (tgid, start time). A sample names both, so that a reused tgid is another process.
 * Processes stay for a moment after their end: their last samples may still be on the way. One
 * thread.
 */
#ifndef COLLECTOR_PROCESSES_H
#define COLLECTOR_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/mapset.h"
#include "daemon/collector/sideband.h"

struct process {
	uint32_t tgid;
	uint32_t parent_tgid;
	uint64_t start_ns;    /* boot time; 0 = not known yet */
	bool start_coarse;    /* start_ns comes from /proc, cut down to 10 ms */
	char comm[COMM_SIZE]; /* of the process: its first thread's */
	struct mapset *maps;  /* owned reference */
	uint32_t n_execs;     /* events of exec since it is known */
	uint64_t scanned_ns;  /* when /proc was read (CLOCK_MONOTONIC); 0 = never */
	bool leader_exited;   /* its first thread has ended; others may run on */
	uint64_t dead_ns;     /* since when it may be gone (CLOCK_MONOTONIC); 0 = runs */
};

struct processes;

int processes__new(struct processes **ret, struct objects *objects);
/* Takes NULL. Returns NULL. */
struct processes *processes__free(struct processes *ps);

/*
 * Reads one process from /proc, or all; one that ends meanwhile is no error. TID is a thread of it
 * that lives: the first one's memory is not shown once it has ended. 0 or -errno.
 */
int processes__scan(struct processes *ps, uint32_t tgid, uint32_t tid);
int processes__scan_all(struct processes *ps);

/* Applies one event. Events must come in the order of their time. 0 or -ENOMEM. */
int processes__apply(struct processes *ps, const struct sideband_event *event);

/*
 * The process of a sample, borrowed until the next call of another function here. One that no event
 * and no scan has told of (records were lost, or it started before us and was too quick for the
 * scan) is read from /proc, and if it is gone, stands there without mappings. 0 or -ENOMEM.
 */
int processes__of_sample(struct processes *ps, const struct sample_record *sample,
			 struct process **ret);

/* The process that has TGID now, borrowed, or NULL. */
struct process *processes__find(const struct processes *ps, uint32_t tgid);

/*
 * After the kernel lost events at NOW_NS: reads all processes again, and holds those that are not
 * there any more for ended. 0 or -errno.
 */
int processes__resync(struct processes *ps, uint64_t now_ns);

/* Forgets processes that ended more than a second before NOW_NS (CLOCK_MONOTONIC). */
void processes__reap(struct processes *ps, uint64_t now_ns);

size_t processes__count(const struct processes *ps);

#endif
