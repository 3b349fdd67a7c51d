/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells about processes while we sample: starts, ends, execs, names, mappings and
 * loaded BPF programs, from the side-band records of a dummy perf event per CPU
 * (linux/perf_event.h).
 *
 * The records carry the clock of the samples (CLOCK_MONOTONIC), so that both can be put in one
 * order. Read through a shared mapping. A full ring loses records: that is told as SIDEBAND_LOST.
 */
#ifndef COLLECTOR_SIDEBAND_H
#define COLLECTOR_SIDEBAND_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/objects.h"

enum sideband_type {
	SIDEBAND_FORK,	  /* a process (tid == tgid) or a thread started */
	SIDEBAND_EXIT,	  /* a thread ended */
	SIDEBAND_COMM,	  /* a thread has a new name */
	SIDEBAND_EXEC,	  /* a process runs a new program: its mappings are gone */
	SIDEBAND_MMAP,	  /* an executable mapping was made */
	SIDEBAND_KSYMBOL, /* code of the kernel that is in no file came or went */
	SIDEBAND_LOST,	  /* the kernel had no room for some records */
};

struct sideband_event {
	uint64_t time_ns;
	enum sideband_type type;
	uint32_t tgid, tid;
	uint32_t parent_tgid; /* SIDEBAND_FORK */
	char comm[COMM_SIZE]; /* SIDEBAND_COMM, SIDEBAND_EXEC; NUL-terminated */
	/* SIDEBAND_MMAP: address, bytes, offset in the file; SIDEBAND_KSYMBOL: the first two */
	uint64_t start, len, off;
	const char *bpf_program; /* SIDEBAND_KSYMBOL: borrowed for the call; NULL = it is no BPF */
	struct object_id object; /* SIDEBAND_MMAP; its path is borrowed for the call */
	uint64_t n_lost;	 /* SIDEBAND_LOST */
};

struct sideband;

/* Opens one event per CPU of CPUS and starts it. Returns 0 or -errno, with WHY as
 * sampler__new(). */
int sideband__new(struct sideband **ret, const unsigned *cpus, size_t n_cpus, char *why,
		  size_t why_size);

/* Takes NULL. Returns NULL. */
struct sideband *sideband__free(struct sideband *sb);

/* Becomes readable when a ring is a quarter full. Borrowed. */
int sideband__fd(const struct sideband *sb);

/* EVENT is borrowed for the call. A negative return ends the drain. */
typedef int (*sideband_event_fn)(void *ctx, const struct sideband_event *event);

/* Hands over all records, CPU by CPU, so not in the order of time. 0 or a negative error of FN. */
int sideband__drain(struct sideband *sb, sideband_event_fn fn, void *ctx);

#endif
