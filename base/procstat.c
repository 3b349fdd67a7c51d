/* SPDX-License-Identifier: Apache-2.0 */
#include "base/procstat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

int procstat_parse(const char *text, struct procstat *ret)
{
	/* The name may hold anything, so it ends at the last parenthesis. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct procstat st = {0};
	unsigned long long start_ticks;
	size_t n;

	if (!open || !close || close < open)
		return -EINVAL;
	n = MIN((size_t)(close - open - 1), sizeof(st.comm) - 1);
	memcpy(st.comm, open + 1, n);
	/* After the name: state ppid pgrp session tty tpgid flags, 4 faults, 4 times, priority nice
	 * threads itrealvalue starttime (fields 3 to 22). */
	if (sscanf(text, "%" SCNu32, &st.tgid) != 1 ||
	    sscanf(close + 1,
		   " %c %" SCNu32 " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		   "%*d %*d %llu",
		   &st.state, &st.parent_tgid, &start_ticks) != 3)
		return -EINVAL;
	st.start_ns = start_ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	*ret = st;
	return 0;
}

int procstat_read(uint32_t tgid, struct procstat *ret)
{
	cleanup_free char *text = NULL;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", tgid);
	r = read_text_file(AT_FDCWD, path, 4096, &text, NULL);
	return r < 0 ? r : procstat_parse(text, ret);
}
