/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/cpulist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

int cpulist_parse(const char *text, unsigned **ret, size_t *ret_n)
{
	cleanup_free unsigned *cpus = NULL;
	size_t n = 0, cap = 0;

	for (const char *p = text; *p && *p != '\n';) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end == p)
			return -EINVAL;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p)
				return -EINVAL;
		}
		if (last < first || last >= CPUS_MAX || (*end && *end != ',' && *end != '\n'))
			return -EINVAL;
		if (array_reserve(&cpus, &cap, n + (last - first) + 1, sizeof(*cpus)) < 0)
			return -ENOMEM;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			cpus[n++] = (unsigned)cpu;
		p = *end == ',' ? end + 1 : end;
	}
	if (n == 0)
		return -EINVAL;
	*ret = steal_ptr(cpus);
	*ret_n = n;
	return 0;
}

int cpulist_online(unsigned **ret, size_t *ret_n)
{
	cleanup_free char *text = NULL;
	int r = read_text_file(AT_FDCWD, "/sys/devices/system/cpu/online", 65536, &text, NULL);

	return r < 0 ? r : cpulist_parse(text, ret, ret_n);
}
