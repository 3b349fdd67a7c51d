/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens files on behalf of those who may not: what a process has mapped, and separate debug files.
 * It never reads a byte of them, and hands out read-only descriptors of regular files only.
 *
 * Today a module of the collector; it becomes a process of its own behind the same calls.
 */
#ifndef OPENER_OPENER_H
#define OPENER_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"

enum opener_result {
	OPENER_OK = 0,
	OPENER_ABSENT = 1, /* no such file, or no such process any more */
	OPENER_REFUSED, /* there is something, but not a regular file, or not the one asked for */
};

/* "This mapping of (tgid, start time)." */
struct opener_mapping {
	uint32_t tgid;
	uint64_t start_ns;     /* of the process, since boot; 0 = it is known to be gone */
	uint64_t start, end;   /* the mapping's addresses */
	const char *path;      /* as the kernel names it */
	uint64_t dev, ino;     /* of the file, where the kernel told; else 0 */
	uint32_t has_build_id; /* 1 = the caller can check a file by its build id */
};

/*
 * Opens the mapped file: the very object, also when it is deleted, while the process lives;
 * otherwise what stands at its path, if that is the same file or the caller can check it. *RET_FD
 * is the caller's. Returns an enum opener_result or -errno.
 */
int opener_open_mapping(const struct opener_mapping *mapping, int *ret_fd);

/* Opens the memory of the process (tgid, start time) for reading. As above. */
int opener_open_memory(uint32_t tgid, uint64_t start_ns, int *ret_fd);

/* Opens the separate debug file of a build id under /usr/lib/debug/.build-id. As above. */
int opener_open_build_id(const struct msg_build_id *id, int *ret_fd);

/*
 * Opens the debug file NAME (a plain file name from .gnu_debuglink) of the object at OBJECT_PATH:
 * beside it, in .debug/ there, or under /usr/lib/debug. As above.
 */
int opener_open_debuglink(const char *object_path, const char *name, int *ret_fd);

/*
 * Opens the dwz file that PATH (from .gnu_debugaltlink) names: what follows /.dwz/ in it, under
 * /usr/lib/debug/.dwz, where distributions put them. As above.
 */
int opener_open_dwz(const char *path, int *ret_fd);

/* Whose files a process believes, and under which number it goes. Zero = not known. */
struct opener_runtime {
	uint32_t pid;	   /* its own, in the innermost of its namespaces; 0 = nothing is known */
	bool is_nested;	   /* that is not the number under which we know it */
	uint32_t uid;	   /* effective, as we see it */
	uint32_t root_uid; /* that of root in its user namespace, as we see it */
};

/*
 * Opens the perf map of the process (tgid, start time): /tmp/perf-PID.map, with PID as the process
 * itself sees it, in its own root. Refused unless it is a regular file of one name, owned by the
 * process's effective user or by root there, and changed since the process started: numbers of
 * processes come again. RUNTIME is filled while the process lives. When it is gone, that is what
 * the file is measured by, which is then looked for in our own root, unless the process was in a
 * PID namespace of its own; where RUNTIME knows nothing, the file must be root's.
 */
int opener_open_perf_map(uint32_t tgid, uint64_t start_ns, struct opener_runtime *runtime,
			 int *ret_fd);

#endif
