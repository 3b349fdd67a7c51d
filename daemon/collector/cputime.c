/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/cputime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

/* 8,192 CPUs at 100 bytes, and a line of interrupt counts. */
#define STAT_BYTES_MAX (4u << 20)

int cputime_parse(const char *text, struct cputime *times, size_t n)
{
	uint64_t tick_ns = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	/* The lines of CPUs come first: "cpu  …" for all together, then "cpu0 …", "cpu1 …". */
	for (const char *line = text, *end; !strncmp(line, "cpu", 3); line = end + 1) {
		unsigned long long idle, iowait, steal;
		unsigned cpu;

		end = strchr(line, '\n');
		if (!end)
			return -EINVAL;
		if (line[3] == ' ')
			continue;
		if (sscanf(line, "cpu%u %*u %*u %*u %llu %llu %*u %*u %llu", &cpu, &idle, &iowait,
			   &steal) != 4)
			return -EINVAL;
		if (cpu < n)
			times[cpu] = (struct cputime){.idle_ns = (idle + iowait) * tick_ns,
						      .steal_ns = steal * tick_ns};
	}
	return 0;
}

int cputime_read(struct cputime *times, size_t n)
{
	cleanup_free char *text = NULL;
	int r = read_text_file(AT_FDCWD, "/proc/stat", STAT_BYTES_MAX, &text, NULL);

	return r < 0 ? r : cputime_parse(text, times, n);
}
