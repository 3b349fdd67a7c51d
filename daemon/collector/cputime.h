/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long each CPU was idle, or was taken away by the hypervisor, from /proc/stat (proc(5)). It
 * explains ticks that never came: counted in clock ticks of 10 ms, so good to one or two samples.
 */
#ifndef COLLECTOR_CPUTIME_H
#define COLLECTOR_CPUTIME_H

#include <stddef.h>
#include <stdint.h>

/* The grain of both. */
#define CPUTIME_GRAIN_NS 10000000ULL

struct cputime {
	uint64_t idle_ns;  /* idle, with or without outstanding I/O */
	uint64_t steal_ns; /* ready to run, but the host ran something else */
};

/*
 * Parses TEXT, that of /proc/stat, into TIMES by CPU number. CPUs from N on are passed over; what
 * TEXT does not name stays as it was. Returns 0, or -EINVAL for a line that is not understood.
 */
int cputime_parse(const char *text, struct cputime *times, size_t n);

/* The same, as it is now. 0 or -errno. */
int cputime_read(struct cputime *times, size_t n);

#endif
