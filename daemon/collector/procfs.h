/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says about processes that are older than we are. Everything is a snapshot: the process
 * may be another one by the time it is used, so whoever asks compares start times
 * (base/procstat.h).
 */
#ifndef COLLECTOR_PROCFS_H
#define COLLECTOR_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/objects.h"

/* The thread group that thread TID belongs to. 0, -ENOENT where there is none, or -errno. */
int procfs_read_tgid(uint32_t tid, uint32_t *ret);

struct procfs_mapping {
	uint64_t start, end, off;
	struct object_id object; /* path borrowed for the call */
};

typedef int (*procfs_mapping_fn)(void *ctx, const struct procfs_mapping *mapping);

/* Calls FN for each executable mapping in TEXT, the writable text of /proc/PID/maps, in the
 * order of the addresses. 0, -EINVAL for a line that is none, or a negative error of FN. */
int procfs_parse_maps(char *text, procfs_mapping_fn fn, void *ctx);

/* The same for thread TID of a process. A kernel thread has none. */
int procfs_read_maps(uint32_t tgid, uint32_t tid, procfs_mapping_fn fn, void *ctx);

/* Where the memory at ADDR of a process ends, if it is anonymous: its stacks, not a file's pages.
 * 0, -ENOENT where it is not, or -errno. */
int procfs_find_anonymous(uint32_t tgid, uint64_t addr, uint64_t *ret_end);

/* How many threads the process has, one that has ended but was not the last included. 0 = none. */
size_t procfs_count_threads(uint32_t tgid);

/* The file that the process runs, as /proc/TGID/exe names it. 0 or -errno. */
int procfs_read_exe(uint32_t tgid, char *path, size_t size);

typedef int (*procfs_process_fn)(void *ctx, uint32_t tgid);

/* Calls FN for every process there is. 0, -errno or a negative error of FN. */
int procfs_each_process(procfs_process_fn fn, void *ctx);

#endif
