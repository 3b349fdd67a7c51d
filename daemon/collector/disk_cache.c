/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/disk_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"

/* Names are 32 digits; unfinished files have this before, and the number of their writer behind. */
#define NAME_SIZE 33
#define TEMPORARY "tmp-"

/* An unfinished file that is older was left by a run that was killed. */
#define TEMPORARY_S 60

/* The cache is looked through for what is too much when this part of it has been added. */
#define TRIM_PARTS 16

void disk_cache_locate(char *path, size_t size, const char *name)
{
	const char *base = getenv("CACHE_DIRECTORY");

	snprintf(path, size, "%s/%s", base && base[0] == '/' ? base : "/var/cache/cprofd", name);
}

/* Makes the directory PATH and the one above. */
static int make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX];

	if (slash && slash != path) {
		snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
		if (mkdir(above, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int disk_cache__init(struct disk_cache *ret, const char *path, const char *maker,
		     uint64_t bytes_max)
{
	/* Whoever was here before may have left too much. */
	struct disk_cache c = {.dirfd = -1, .bytes_max = bytes_max, .added_bytes = bytes_max};
	cleanup_close int dirfd = -1, program = open(maker, O_PATH | O_CLOEXEC);
	struct stat st;
	int r = program < 0 ? -errno : file_identity_of(program, &c.maker);

	if (r == 0)
		r = make_directory(path);
	if (r < 0)
		return r;
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return -EPERM;
	c.dirfd = steal_fd(&dirfd);
	*ret = c;
	return 0;
}

void disk_cache__fini(struct disk_cache *c)
{
	close_fd(c->dirfd);
	*c = (struct disk_cache){.dirfd = -1};
}

/* Fixed keys: names must be the same in every run. Two of one name only replace each other. */
static void name_of(const struct file_identity *id, char name[NAME_SIZE])
{
	static const struct hash_key keys[2] = {{1, 2}, {3, 4}};

	snprintf(name, NAME_SIZE, "%016" PRIx64 "%016" PRIx64,
		 hash_bytes(&keys[0], id, sizeof(*id)), hash_bytes(&keys[1], id, sizeof(*id)));
}

int disk_cache__open(const struct disk_cache *c, const struct file_identity *id, int *ret_fd,
		     uint64_t *ret_size)
{
	cleanup_close int fd = -1;
	char name[NAME_SIZE];
	struct stat st;

	name_of(id, name);
	fd = openat(c->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -ENOENT;
	futimens(fd, NULL); /* used lately; where that fails it only looks older */
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = steal_fd(&fd);
	return 0;
}

struct entry {
	char name[NAME_SIZE];
	uint64_t size;
	int64_t used_s;
};

static int by_use(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	return a->used_s < b->used_s ? -1 : a->used_s > b->used_s;
}

static bool is_temporary(const char *name)
{
	return !strncmp(name, TEMPORARY, sizeof(TEMPORARY) - 1);
}

/* Lists what is kept; leftovers go. */
static int list(const struct disk_cache *c, struct entry **ret, size_t *ret_n, uint64_t *ret_sum)
{
	cleanup_close int own = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = own < 0 ? NULL : fdopendir(own);
	int64_t now_s = (int64_t)(clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC);
	const struct dirent *e;
	size_t cap = 0;

	if (!dir)
		return -errno;
	own = -1; /* the stream's now */
	while ((e = readdir(dir))) {
		struct stat st;

		if (fstatat(c->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_temporary(e->d_name) && st.st_mtim.tv_sec < now_s - TEMPORARY_S)
			unlinkat(c->dirfd, e->d_name, 0);
		if (strlen(e->d_name) != NAME_SIZE - 1)
			continue;
		if (array_reserve(ret, &cap, *ret_n + 1, sizeof(**ret)) < 0)
			return -ENOMEM;
		memcpy((*ret)[*ret_n].name, e->d_name, NAME_SIZE);
		(*ret)[*ret_n].size = (uint64_t)st.st_size;
		(*ret)[(*ret_n)++].used_s = st.st_mtim.tv_sec;
		*ret_sum += (uint64_t)st.st_size;
	}
	return 0;
}

/* Removes files, the longest unused first, until they are within the limit. */
static int trim(struct disk_cache *c)
{
	cleanup_free struct entry *entries = NULL;
	uint64_t sum = 0, part = c->bytes_max / TRIM_PARTS;
	size_t n = 0;
	int r;

	if (c->added_bytes < part)
		return 0;
	c->added_bytes = 0;
	r = list(c, &entries, &n, &sum);
	if (r < 0)
		return r;
	if (n)
		qsort(entries, n, sizeof(*entries), by_use);
	for (size_t i = 0; i < n && sum > c->bytes_max - part; i++)
		if (unlinkat(c->dirfd, entries[i].name, 0) == 0)
			sum -= entries[i].size;
	return 0;
}

static int write_parts(int fd, const struct iovec *parts, int n_parts, bool sync)
{
	for (int i = 0; i < n_parts; i++) {
		int64_t n = write_full(fd, parts[i].iov_base, parts[i].iov_len);

		if (n < 0)
			return (int)n;
	}
	return sync && fsync(fd) < 0 ? -errno : 0;
}

int disk_cache__put(struct disk_cache *c, const struct file_identity *id, const struct iovec *parts,
		    int n_parts, bool sync)
{
	char name[NAME_SIZE], temporary[NAME_SIZE + 32];
	cleanup_close int fd = -1;
	int r = trim(c);

	if (r < 0)
		return r;
	name_of(id, name);
	/* A name of our own: another run may be at work on the same file. */
	snprintf(temporary, sizeof(temporary), TEMPORARY "%s.%d", name, (int)getpid());
	unlinkat(c->dirfd, temporary, 0);
	fd =
	    openat(c->dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_parts(fd, parts, n_parts, sync);
	if (r == 0 && renameat(c->dirfd, temporary, c->dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(c->dirfd, temporary, 0);
	for (int i = 0; i < n_parts; i++)
		c->added_bytes += parts[i].iov_len;
	return r;
}
