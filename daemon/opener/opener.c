/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/opener/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "base/util.h"

#define DEBUG_ROOT "/usr/lib/debug"

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

/*
 * Opens PATH for reading if it is a regular file. It is looked at before it is opened: opening a
 * FIFO or a device can block or do something.
 */
static int open_regular(const char *path, struct stat *ret_st, int *ret_fd)
{
	cleanup_close int probe = open(path, O_PATH | O_CLOEXEC);
	char self[64];
	int fd;

	if (probe < 0)
		return classify(errno);
	if (fstat(probe, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return OPENER_REFUSED;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", probe);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return classify(errno);
	*ret_fd = fd;
	return OPENER_OK;
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
