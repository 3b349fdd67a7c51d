/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/opener/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "base/util.h"

#define DEBUG_ROOT "/usr/lib/debug"

/* /proc/PID/status is 1.5 KB, and more for one with thousands of groups. */
#define STATUS_BYTES_MAX (1u << 20)

/* By how much the clock that stamps files is allowed to be behind. */
#define STAMP_SLACK_NS NSEC_PER_SEC

/* What of an errno is an answer about one file, and what is trouble of our own. */
static int classify(int error)
{
	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return -error;
	case EACCES:
	case EPERM:
		return OPENER_REFUSED;
	default:
		return OPENER_ABSENT;
	}
}

/* Opens for reading what the O_PATH descriptor PROBE stands for, a regular file. */
static int reopen(int probe, int *ret_fd)
{
	char self[64];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", probe);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return classify(errno);
	*ret_fd = fd;
	return OPENER_OK;
}

/*
 * Opens PATH for reading if it is a regular file. It is looked at before it is opened: opening a
 * FIFO or a device can block or do something.
 */
static int open_regular(const char *path, struct stat *ret_st, int *ret_fd)
{
	cleanup_close int probe = open(path, O_PATH | O_CLOEXEC);

	if (probe < 0)
		return classify(errno);
	if (fstat(probe, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return OPENER_REFUSED;
	return reopen(probe, ret_fd);
}

/* Whether the process that has the tgid now is still the one that was meant. */
static bool still_there(uint32_t tgid, uint64_t start_ns)
{
	struct procstat st;

	return start_ns && procstat_read(tgid, &st) == 0 &&
	       procstat_same_start(st.start_ns, start_ns);
}

int opener_open_mapping(const struct opener_mapping *m, int *ret_fd)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	if (m->start_ns) {
		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64,
			 m->tgid, m->start, m->end);
		r = open_regular(path, &st, &fd);
		if (r < 0)
			return r;
		if (r == OPENER_OK && still_there(m->tgid, m->start_ns)) {
			*ret_fd = steal_fd(&fd);
			return OPENER_OK;
		}
		fd = close_fd(fd);
	}
	r = open_regular(m->path, &st, &fd);
	if (r != OPENER_OK)
		return r;
	if (!m->has_build_id && (st.st_dev != m->dev || st.st_ino != m->ino))
		return OPENER_REFUSED;
	*ret_fd = steal_fd(&fd);
	return OPENER_OK;
}

int opener_open_memory(uint32_t tgid, uint64_t start_ns, int *ret_fd)
{
	cleanup_close int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/mem", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return classify(errno);
	if (!still_there(tgid, start_ns))
		return OPENER_ABSENT;
	*ret_fd = steal_fd(&fd);
	return OPENER_OK;
}

int opener_open_build_id(const struct msg_build_id *id, int *ret_fd)
{
	char path[sizeof(DEBUG_ROOT) + 32 + 2 * BUILD_ID_MAX];
	struct stat st;
	int n;

	if (id->size < 2 || id->size > BUILD_ID_MAX)
		return OPENER_ABSENT;
	n = snprintf(path, sizeof(path), DEBUG_ROOT "/.build-id/%02x/", id->bytes[0]);
	for (uint32_t i = 1; i < id->size; i++)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "%02x", id->bytes[i]);
	snprintf(path + n, sizeof(path) - (size_t)n, ".debug");
	return open_regular(path, &st, ret_fd);
}

int opener_open_debuglink(const char *object_path, const char *name, int *ret_fd)
{
	const char *slash = strrchr(object_path, '/');
	int dir_len = slash ? (int)(slash - object_path) : 0;
	static const struct {
		const char *before, *after; /* of the object's directory */
	} places[] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_ROOT, "/"}};
	char path[PATH_MAX];
	struct stat st;

	if (object_path[0] != '/' || !name[0] || strchr(name, '/') || !strcmp(name, ".."))
		return OPENER_REFUSED;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int n = snprintf(path, sizeof(path), "%s%.*s%s%s", places[i].before, dir_len,
				 object_path, places[i].after, name);
		int r;

		if (n < 0 || (size_t)n >= sizeof(path) || !strcmp(path, object_path))
			continue;
		r = open_regular(path, &st, ret_fd);
		if (r <= OPENER_OK)
			return r;
	}
	return OPENER_ABSENT;
}

int opener_open_dwz(const char *path, int *ret_fd)
{
	const char *dwz = strstr(path, "/.dwz/");
	char full[PATH_MAX];
	struct stat st;

	if (!dwz || strstr(dwz, "/../"))
		return OPENER_REFUSED;
	if (snprintf(full, sizeof(full), DEBUG_ROOT "%s", dwz) >= (int)sizeof(full))
		return OPENER_ABSENT;
	return open_regular(full, &st, ret_fd);
}

/* ---- files of runtimes ----------------------------------------------------------------------- */

/* The line of KEY in the text of /proc/PID/status, after the key; NULL where there is none. */
static const char *status_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, n))
			return line + n;
	}
	return NULL;
}

/* The user that is root in the user namespace of the process; ours where it has none. */
static uint32_t read_root_uid(int proc)
{
	cleanup_free char *text = NULL;
	uint32_t inside, outside, count;

	if (read_text_file(proc, "uid_map", STATUS_BYTES_MAX, &text, NULL) < 0)
		return 0;
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &count) ==
			3 &&
		    inside == 0)
			return outside;
	}
	return 0;
}

/* PROC: /proc/PID. */
static int read_runtime(int proc, struct opener_runtime *ret)
{
	struct opener_runtime out = {0};
	cleanup_free char *text = NULL;
	int r = read_text_file(proc, "status", STATUS_BYTES_MAX, &text, NULL);
	const char *uids, *pids;
	unsigned n = 0;

	if (r < 0)
		return r;
	uids = status_line(text, "Uid:");
	pids = status_line(text, "NSpid:");
	if (!uids || !pids || sscanf(uids, "%*u %" SCNu32, &out.uid) != 1)
		return -EINVAL;
	for (int used; sscanf(pids, "%" SCNu32 "%n", &out.pid, &used) == 1; pids += used) {
		n++;
		if (pids[used] == '\n')
			break;
	}
	if (n == 0)
		return -EINVAL;
	out.is_nested = n > 1;
	out.root_uid = read_root_uid(proc);
	*ret = out;
	return 0;
}

/* When the process started, by the clock that stamps files, and a little earlier. */
static int64_t earliest_stamp(uint64_t start_ns)
{
	uint64_t age = clock_ns(CLOCK_BOOTTIME) - start_ns;

	return (int64_t)(clock_ns(CLOCK_REALTIME) - age - STAMP_SLACK_NS);
}

static int open_map_in(int root, const struct opener_runtime *who, uint64_t start_ns, int *ret_fd)
{
	struct open_how how = {
	    .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int probe = -1;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "tmp/perf-%" PRIu32 ".map", who->pid);
	probe = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (probe < 0)
		return classify(errno);
	if (fstat(probe, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    (st.st_uid != who->uid && st.st_uid != who->root_uid && st.st_uid != 0))
		return OPENER_REFUSED;
	if (st.st_mtim.tv_sec * (int64_t)NSEC_PER_SEC + st.st_mtim.tv_nsec <
	    earliest_stamp(start_ns))
		return OPENER_REFUSED;
	return reopen(probe, ret_fd);
}

int opener_open_perf_map(uint32_t tgid, uint64_t start_ns, struct opener_runtime *runtime,
			 int *ret_fd)
{
	cleanup_close int proc = -1, root = -1;
	struct opener_runtime who = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32, tgid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc >= 0 && read_runtime(proc, &who) == 0)
		root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (who.pid && still_there(tgid, start_ns))
		*runtime = who;
	else
		root = close_fd(root);
	who = *runtime;
	if (!who.pid)
		who.pid = tgid;
	/* A zombie has no root any more. */
	if (root < 0 && !who.is_nested)
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return OPENER_ABSENT;
	return open_map_in(root, &who, start_ns, ret_fd);
}
