/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's lists of CPUs, such as "0-3,8" in /sys/devices/system/cpu/online. */
#ifndef COLLECTOR_CPULIST_H
#define COLLECTOR_CPULIST_H

#include <stddef.h>

/* More CPUs than any kernel is built for (CONFIG_NR_CPUS is at most 8192). */
#define CPUS_MAX 8192

/* Parses TEXT into *RET, ascending as written, the caller's to free. 0, -EINVAL or -ENOMEM. */
int cpulist_parse(const char *text, unsigned **ret, size_t *ret_n);

/* The CPUs that are online now. 0 or -errno. */
int cpulist_online(unsigned **ret, size_t *ret_n);

#endif
