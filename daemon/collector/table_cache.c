/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/table_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"
#include "daemon/collector/disk_cache.h"

#define MAGIC 0x31626174646e7775ull /* "uwndtab1" */

/* What stands before the lines; the rest of its page is zero. */
struct cache_head {
	uint64_t magic;
	struct file_identity file, symbolizer;
	struct msg_unwind_table table;
	uint64_t hash; /* of the lines */
};

struct table_cache {
	struct disk_cache disk;
};

DEFINE_CLEANUP(struct table_cache *, table_cache__free);

void table_cache_locate(char *path, size_t size)
{
	disk_cache_locate(path, size, "unwind");
}

int table_cache__new(struct table_cache **ret, const char *path, const char *symbolizer)
{
	_cleanup_(table_cache__freep) struct table_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->disk.dirfd = -1;
	r = disk_cache__init(&c->disk, path, symbolizer, TABLE_CACHE_BYTES_MAX);
	if (r < 0)
		return r;
	*ret = steal_ptr(c);
	return 0;
}

struct table_cache *table_cache__free(struct table_cache *c)
{
	if (!c)
		return NULL;
	disk_cache__fini(&c->disk);
	free(c);
	return NULL;
}

static uint64_t lines_hash(const struct unwind_line *lines, uint32_t n)
{
	static const struct hash_key key = {5, 6};

	return hash_bytes(&key, lines, (size_t)n * sizeof(*lines));
}

/* Whether HEAD and the lines in the file FD of SIZE bytes are what was put there for ID. */
static int check(const struct table_cache *c, int fd, uint64_t size, const struct file_identity *id,
		 struct cache_head *head)
{
	const struct unwind_line *lines;
	size_t n_bytes;
	uint64_t hash;
	void *p;

	if (pread_full(fd, head, sizeof(*head), 0) != (int64_t)sizeof(*head) ||
	    head->magic != MAGIC || !file_identity_equal(&head->file, id) ||
	    !file_identity_equal(&head->symbolizer, &c->disk.maker) || !head->table.n_lines ||
	    head->table.build_id.size > BUILD_ID_MAX)
		return -ENOENT;
	n_bytes = (size_t)head->table.n_lines * sizeof(*lines);
	if (size != TABLE_CACHE_LINES_OFF + n_bytes)
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
	struct file_identity id;
	struct cache_head head;
	uint64_t size;
	int r = file_identity_of_named(fd, &id);

	if (r == 0)
		r = disk_cache__open(&c->disk, &id, &own, &size);
	if (r == 0)
		r = check(c, own, size, &id, &head);
	if (r < 0)
		return r;
	*ret = head.table;
	*ret_fd = steal_fd(&own);
	return 0;
}

int table_cache__put(struct table_cache *c, int fd, const struct msg_unwind_table *table,
		     const struct unwind_line *lines)
{
	struct cache_head head = {.magic = MAGIC, .symbolizer = c->disk.maker, .table = *table};
	size_t n_bytes = (size_t)table->n_lines * sizeof(*lines);
	char page[TABLE_CACHE_LINES_OFF] = {0};
	const struct iovec parts[2] = {{page, sizeof(page)}, {(void *)lines, n_bytes}};
	int r = file_identity_of_named(fd, &head.file);

	if (r < 0)
		return r;
	head.hash = lines_hash(lines, table->n_lines);
	memcpy(page, &head, sizeof(head));
	/* Not synced, a stack waits for it: what a crash leaves behind is found out by its hash. */
	return disk_cache__put(&c->disk, &head.file, parts, 2, false);
}
