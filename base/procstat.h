/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is: /proc/PID/stat (proc(5)). A snapshot; (tgid, start time) is what identifies
 * it. */
#ifndef BASE_PROCSTAT_H
#define BASE_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>

/* The grain of start_ns: the kernel prints clock ticks of 10 ms, cut down. */
#define PROCSTAT_TICK_NS 10000000ULL

struct procstat {
	uint32_t tgid;
	uint32_t parent_tgid;
	char state;	   /* 'Z' = a zombie */
	uint64_t start_ns; /* since boot */
	char comm[16];
};

/* Parses the text of the file. 0 or -EINVAL. */
int procstat_parse(const char *text, struct procstat *ret);

/* Reads that of a process. 0; -ENOENT or -ESRCH where there is no such process; or -errno. */
int procstat_read(uint32_t tgid, struct procstat *ret);

/* Whether a start time from /proc may be the exact one from elsewhere. */
static inline bool procstat_same_start(uint64_t coarse_ns, uint64_t exact_ns)
{
	return exact_ns + PROCSTAT_TICK_NS >= coarse_ns &&
	       exact_ns < coarse_ns + 2 * PROCSTAT_TICK_NS;
}

#endif
