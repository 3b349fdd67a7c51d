/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/perf_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

static long read_sysctl(const char *path, long absent)
{
	cleanup_free char *text = NULL;

	if (read_text_file(AT_FDCWD, path, 64, &text, NULL) < 0)
		return absent;
	return strtol(text, NULL, 10);
}

void perf_error_explain(char *out, size_t size, const char *step, int error, bool cycles)
{
	const char *remedy = "";
	char text[160];

	if (error == -EPERM || error == -EACCES) {
		long paranoid = read_sysctl("/proc/sys/kernel/perf_event_paranoid", 2);

		if (geteuid() == 0)
			remedy =
			    "; root lacks a capability here: CAP_BPF and CAP_PERFMON are needed";
		else if (paranoid >= 3)
			remedy = "; run as root (kernel.perf_event_paranoid is 3 or more, so "
				 "CAP_PERFMON is not enough)";
		else
			remedy = "; run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and "
				 "CAP_SYSLOG";
	} else if (cycles && (error == -ENOENT || error == -EOPNOTSUPP || error == -ENODEV)) {
		remedy = "; this host has no hardware cycle counter, as most virtual machines: use "
			 "--event cpu-clock";
	} else if (error == -EINVAL || error == -ESRCH || error == -ENOENT) {
		snprintf(text, sizeof(text),
			 "; the kernel must be 5.10 or newer with BTF (/sys/kernel/btf/vmlinux), "
			 "and the "
			 "frequency at most %ld Hz (kernel.perf_event_max_sample_rate)",
			 read_sysctl("/proc/sys/kernel/perf_event_max_sample_rate", 100000));
		remedy = text;
	} else if (error == -ENOSYS) {
		remedy = "; the kernel is built without perf events or BPF";
	} else if (error == -ENOMEM || error == -E2BIG) {
		remedy = "; the memory limit of this cgroup leaves no room for the BPF maps";
	} else if (error == -EMFILE) {
		remedy = "; the limit on open files is too low: raise it with ulimit -n";
	}
	snprintf(out, size, "%s: %s%s", step, strerror(-error), remedy);
}
