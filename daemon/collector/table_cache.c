/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/table_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"
#include "daemon/collector/file_identity.h"

#define MAGIC 0x31626174646e7775ull /* "uwndtab1" */

/* Names are 32 digits; unfinished files have this before. */
#define TEMPORARY "tmp-"

/* The cache is looked through for what is too much when so many bytes have been added. */
#define TRIM_EVERY_BYTES (TABLE_CACHE_BYTES_MAX / 16)

/* What stands before the lines; the rest of its page is zero. */
struct cache_head {
	uint64_t magic;
	struct file_identity file, symbolizer;
	struct msg_unwind_table table;
	uint64_t hash; /* of the lines */
};

struct table_cache {
	int dirfd;
	struct file_identity symbolizer;
	uint64_t added_bytes; /* since it was last looked through */
};

DEFINE_CLEANUP(struct table_cache *, table_cache__free);

void table_cache_locate(char *path, size_t size)
{
	const char *base = getenv("CACHE_DIRECTORY");

	snprintf(path, size, "%s/unwind", base && base[0] == '/' ? base : "/var/cache/cprofd");
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

int table_cache__new(struct table_cache **ret, const char *path, const char *symbolizer)
{
	_cleanup_(table_cache__freep) struct table_cache *c = calloc(1, sizeof(*c));
	cleanup_close int program = open(symbolizer, O_PATH | O_CLOEXEC);
	struct stat st;
	int r;

	if (!c)
		return -ENOMEM;
	c->dirfd = -1;
	if (program < 0)
		return -errno;
	r = file_identity_of(program, &c->symbolizer);
	if (r == 0)
		r = make_directory(path);
	if (r < 0)
		return r;
	c->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dirfd < 0 || fstat(c->dirfd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return -EPERM;
	c->added_bytes = TRIM_EVERY_BYTES; /* whoever was here before may have left too much */
	*ret = steal_ptr(c);
	return 0;
}

struct table_cache *table_cache__free(struct table_cache *c)
{
	if (!c)
		return NULL;
	close_fd(c->dirfd);
	free(c);
	return NULL;
}

/* Fixed keys: names must be the same in every run, and only root makes up identities. */
static void name_of(const struct file_identity *id, char name[33])
{
	static const struct hash_key keys[2] = {{1, 2}, {3, 4}};

	snprintf(name, 33, "%016" PRIx64 "%016" PRIx64, hash_bytes(&keys[0], id, sizeof(*id)),
		 hash_bytes(&keys[1], id, sizeof(*id)));
}

static uint64_t lines_hash(const struct unwind_line *lines, uint32_t n)
{
	static const struct hash_key key = {5, 6};

	return hash_bytes(&key, lines, (size_t)n * sizeof(*lines));
}

/* The identity of the file behind FD. One that has no name any more will not be met again. */
static int identify(int fd, struct file_identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -ENOENT;
	return file_identity_of(fd, ret);
}

/* Whether HEAD and the lines in the file FD are what was put there for ID. */
static int check(const struct table_cache *c, int fd, const struct file_identity *id,
		 struct cache_head *head)
{
	const struct unwind_line *lines;
	struct stat st;
	size_t n_bytes;
	uint64_t hash;
	void *p;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    pread_full(fd, head, sizeof(*head), 0) != (int64_t)sizeof(*head) ||
	    head->magic != MAGIC || memcmp(&head->file, id, sizeof(*id)) ||
	    memcmp(&head->symbolizer, &c->symbolizer, sizeof(c->symbolizer)) ||
	    !head->table.n_lines || head->table.build_id.size > BUILD_ID_MAX)
		return -ENOENT;
	n_bytes = (size_t)head->table.n_lines * sizeof(*lines);
	if ((uint64_t)st.st_size != TABLE_CACHE_LINES_OFF + n_bytes)
		return -ENOENT;
	/* Nobody else can write to it, so it may be mapped: it will not shrink meanwhile. */
	p = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, fd, TABLE_CACHE_LINES_OFF);
	if (p == MAP_FAILED)
		return -errno;
	hash = lines_hash(p, head->table.n_lines);
	munmap(p, n_bytes);
	return hash == head->hash ? 0 : -ENOENT;
}

int table_cache__find(struct table_cache *c, int fd, int *ret_fd, struct msg_unwind_table *ret)
{
	cleanup_close int own = -1;
	struct cache_head head;
	struct file_identity id;
	char name[33];
	int r = identify(fd, &id);

	if (r < 0)
		return r;
	name_of(&id, name);
	own = openat(c->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (own < 0)
		return -errno;
	r = check(c, own, &id, &head);
	if (r < 0)
		return r;
	futimens(own, NULL); /* used lately; where that fails it only looks older */
	*ret = head.table;
	*ret_fd = steal_fd(&own);
	return 0;
}

struct entry {
	char name[33];
	uint64_t size;
	int64_t used_s;
};

static int by_use(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	return a->used_s < b->used_s ? -1 : a->used_s > b->used_s;
}

/* Lists the tables; leftovers of a run that was killed go. */
static int list(const struct table_cache *c, struct entry **ret, size_t *ret_n, uint64_t *ret_sum)
{
	cleanup_close int own = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *e;
	size_t cap = 0;

	if (!dir)
		return -errno;
	own = -1; /* the stream's now */
	while ((e = readdir(dir))) {
		struct stat st;

		if (!strncmp(e->d_name, TEMPORARY, sizeof(TEMPORARY) - 1))
			unlinkat(c->dirfd, e->d_name, 0);
		if (strlen(e->d_name) != 32 ||
		    fstatat(c->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (array_reserve(ret, &cap, *ret_n + 1, sizeof(**ret)) < 0)
			return -ENOMEM;
		memcpy((*ret)[*ret_n].name, e->d_name, 33);
		(*ret)[*ret_n].size = (uint64_t)st.st_size;
		(*ret)[(*ret_n)++].used_s = st.st_mtim.tv_sec;
		*ret_sum += (uint64_t)st.st_size;
	}
	return 0;
}

/* Removes tables, the longest unused first, until they are within the limit. */
static int trim(struct table_cache *c)
{
	cleanup_free struct entry *entries = NULL;
	uint64_t sum = 0;
	size_t n = 0;
	int r;

	if (c->added_bytes < TRIM_EVERY_BYTES)
		return 0;
	c->added_bytes = 0;
	r = list(c, &entries, &n, &sum);
	if (r < 0)
		return r;
	if (n)
		qsort(entries, n, sizeof(*entries), by_use);
	for (size_t i = 0; i < n && sum > TABLE_CACHE_BYTES_MAX - TRIM_EVERY_BYTES; i++)
		if (unlinkat(c->dirfd, entries[i].name, 0) == 0)
			sum -= entries[i].size;
	return 0;
}

static int write_table(int fd, const struct cache_head *head, const struct unwind_line *lines)
{
	size_t n_bytes = (size_t)head->table.n_lines * sizeof(*lines);
	char page[TABLE_CACHE_LINES_OFF] = {0};
	int64_t n;

	memcpy(page, head, sizeof(*head));
	n = write_full(fd, page, sizeof(page));
	if (n == (int64_t)sizeof(page))
		n = write_full(fd, lines, n_bytes);
	return n < 0 ? (int)n : 0;
}

int table_cache__put(struct table_cache *c, int fd, const struct msg_unwind_table *table,
		     const struct unwind_line *lines)
{
	struct cache_head head = {.magic = MAGIC, .symbolizer = c->symbolizer, .table = *table};
	char name[33], temporary[sizeof(TEMPORARY) + 33];
	cleanup_close int own = -1;
	int r = identify(fd, &head.file);

	if (r == 0)
		r = trim(c);
	if (r < 0)
		return r;
	head.hash = lines_hash(lines, table->n_lines);
	name_of(&head.file, name);
	snprintf(temporary, sizeof(temporary), TEMPORARY "%s", name);
	own = openat(c->dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (own < 0)
		return -errno;
	r = write_table(own, &head, lines);
	/* Not synced: what a crash leaves behind is found out by its hash. */
	if (r == 0 && renameat(c->dirfd, temporary, c->dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(c->dirfd, temporary, 0);
	c->added_bytes += TABLE_CACHE_LINES_OFF + table->n_lines * sizeof(*lines);
	return r;
}
