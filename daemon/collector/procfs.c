/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

/* 65,530 mappings (vm.max_map_count) with long paths. */
#define MAPS_BYTES_MAX (64u << 20)

static int read_proc(uint32_t pid, const char *name, size_t max, char **ret)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, name);
	return read_text_file(AT_FDCWD, path, max, ret, NULL);
}

int procfs_read_tgid(uint32_t tid, uint32_t *ret)
{
	cleanup_free char *text = NULL;
	const char *line;
	int r = read_proc(tid, "status", 65536, &text);

	if (r < 0)
		return r;
	line = strstr(text, "\nTgid:");
	return line && sscanf(line, "\nTgid: %" SCNu32, ret) == 1 ? 0 : -EINVAL;
}

/* Undoes the escapes of a path in maps: the kernel writes newlines as \012 (show_map_vma). */
static void unescape(char *path)
{
	char *out = path;

	for (const char *in = path; *in; out++) {
		if (!strncmp(in, "\\012", 4)) {
			*out = '\n';
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static int parse_maps_line(char *line, procfs_mapping_fn fn, void *ctx)
{
	struct procfs_mapping m = {0};
	unsigned maj, min;
	char perms[8] = "";
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n", &m.start,
		   &m.end, perms, &m.off, &maj, &min, &m.object.ino, &path_at) != 7 ||
	    m.end <= m.start)
		return -EINVAL;
	if (!strchr(perms, 'x'))
		return 0;
	m.object.is_shared = perms[3] == 's';
	m.object.dev = makedev(maj, min);
	m.object.path = line[path_at] ? line + path_at : "//anon";
	if (!strcmp(m.object.path, "[vsyscall]"))
		return 0; /* one page of the kernel, the same in all processes */
	unescape(line + path_at);
	return fn(ctx, &m);
}

int procfs_parse_maps(char *text, procfs_mapping_fn fn, void *ctx)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = parse_maps_line(line, fn, ctx);

		if (r < 0)
			return r;
	}
	return 0;
}

int procfs_read_maps(uint32_t tgid, uint32_t tid, procfs_mapping_fn fn, void *ctx)
{
	cleanup_free char *text = NULL;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "task/%" PRIu32 "/maps", tid);
	r = read_proc(tgid, name, MAPS_BYTES_MAX, &text);
	return r < 0 ? r : procfs_parse_maps(text, fn, ctx);
}

int procfs_find_anonymous(uint32_t tgid, uint64_t addr, uint64_t *ret_end)
{
	cleanup_free char *text = NULL;
	char *save = NULL;
	int r = read_proc(tgid, "maps", MAPS_BYTES_MAX, &text);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t start, end, ino;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &start, &end,
			   &ino) != 3)
			return -EINVAL;
		if (addr < start || addr >= end)
			continue;
		*ret_end = end;
		return ino ? -ENOENT : 0;
	}
	return -ENOENT;
}

int procfs_read_exe(uint32_t tgid, char *path, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%" PRIu32 "/exe", tgid);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	return 0;
}

int procfs_each_process(procfs_process_fn fn, void *ctx)
{
	cleanup_closedir DIR *dir = opendir("/proc");
	const struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);
		int r;

		if (*end || pid == 0 || pid > UINT32_MAX)
			continue;
		r = fn(ctx, (uint32_t)pid);
		if (r < 0)
			return r;
	}
	return 0;
}

size_t procfs_count_threads(uint32_t tgid)
{
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *e;
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", tgid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}
