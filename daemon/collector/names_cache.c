/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/names_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"

/* Saved when there is this much of what was kept. */
#define GROWTH(n_kept) ((n_kept) / 4)

/* One answer that is not written yet. */
struct waiting {
	struct names_sources sources;
	uint32_t n_kept;
	struct names_batch batch; /* in bytes */
	size_t n_bytes;
	void *bytes; /* owned; NULL = written */
};

struct names_cache {
	struct disk_cache disk;
	struct waiting *waiting; /* in the order in which they came */
	size_t n_waiting, cap_waiting;
	size_t n_bytes; /* of all that wait */
};

DEFINE_CLEANUP(struct names_cache *, names_cache__free);

void names_cache_locate(char *path, size_t size)
{
	disk_cache_locate(path, size, "names");
}

int names_cache__new(struct names_cache **ret, const char *path, const char *symbolizer)
{
	_cleanup_(names_cache__freep) struct names_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->disk.dirfd = -1;
	r = disk_cache__init(&c->disk, path, symbolizer, NAMES_CACHE_BYTES_MAX);
	if (r < 0)
		return r;
	*ret = steal_ptr(c);
	return 0;
}

int names_cache__find(struct names_cache *c, const struct file_identity *file,
		      struct names_file *ret)
{
	cleanup_free void *bytes = NULL;
	cleanup_close int fd = -1;
	uint64_t size;
	int64_t n;
	int r = disk_cache__open(&c->disk, file, &fd, &size);

	if (r < 0)
		return r;
	if (size > NAMES_CACHE_FILE_MAX)
		return -ENOENT;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	/* Read and not mapped: what has been checked is what is used, whatever happens on disk. */
	n = pread_full(fd, bytes, size, 0);
	if (n < 0)
		return (int)n;
	r = names_file__init(ret, steal_ptr(bytes), (size_t)n, file, &c->disk.maker);
	return r == -EBADMSG ? -ENOENT : r;
}

/* ---- what waits ------------------------------------------------------------------------------ */

int names_cache__add(struct names_cache *c, const struct names_sources *sources, uint32_t n_kept,
		     const uint64_t *offs, const struct symbols_view *v)
{
	size_t n_offs = v->header->n_addrs * sizeof(*offs);
	size_t n_answer = symbols_layout(v->header).end;
	struct waiting w = {
	    .sources = *sources, .n_kept = n_kept, .n_bytes = sizeof(w) + n_offs + n_answer};
	int r = array_reserve(&c->waiting, &c->cap_waiting, c->n_waiting + 1, sizeof(w));

	if (r < 0)
		return r;
	w.bytes = malloc(n_offs + n_answer);
	if (!w.bytes)
		return -ENOMEM;
	memcpy(w.bytes, offs, n_offs);
	memcpy((char *)w.bytes + n_offs, v->header, n_answer);
	w.batch.offs = w.bytes;
	/* It has been checked before; this sets the pointers. */
	r = symbols_view__init(&w.batch.view, (char *)w.bytes + n_offs, n_answer,
			       v->header->n_addrs);
	if (r < 0) {
		free(w.bytes);
		return r;
	}
	c->waiting[c->n_waiting++] = w;
	c->n_bytes += w.n_bytes;
	return 0;
}

/* The batches that wait for the file of the last of the first N, and its own sources, newest first;
 * they are released afterwards. */
struct group {
	const struct names_sources *sources;
	struct names_batch *batches; /* owned; room for one more */
	size_t n;
	uint64_t n_new;
	uint32_t n_kept; /* that were there when the first of them was added, at least */
};

static int collect(const struct names_cache *c, size_t n, struct group *ret)
{
	const struct names_sources *sources = &c->waiting[n - 1].sources;
	struct group g = {.sources = sources, .batches = calloc(n + 1, sizeof(*g.batches))};

	if (!g.batches)
		return -ENOMEM;
	for (size_t i = n; i-- > 0;) {
		const struct waiting *w = &c->waiting[i];

		if (!w->bytes || !names_sources_equal(&w->sources, sources))
			continue;
		g.batches[g.n++] = w->batch;
		g.n_new += w->batch.view.header->n_addrs;
		g.n_kept = MAX(g.n_kept, w->n_kept);
	}
	*ret = g;
	return 0;
}

/* Writes G together with what is there from the same sources. */
static int write_group(struct names_cache *c, struct group *g)
{
	_cleanup_(names_file__fini) struct names_file old = {0};
	cleanup_free void *bytes = NULL;
	struct iovec part;
	size_t n = g->n;
	int r = names_cache__find(c, &g->sources->file, &old);

	if (r == 0 && names_sources_equal(old.sources, g->sources))
		g->batches[n++] = (struct names_batch){old.offs, old.view};
	r = names_file_make(g->sources, &c->disk.maker, g->batches, n, NAMES_CACHE_FILE_MAX, &bytes,
			    &part.iov_len);
	if (r == -EFBIG && n > g->n)
		r = names_file_make(g->sources, &c->disk.maker, g->batches, g->n,
				    NAMES_CACHE_FILE_MAX, &bytes, &part.iov_len);
	if (r < 0)
		return r;
	part.iov_base = bytes;
	return disk_cache__put(&c->disk, &g->sources->file, &part, 1, true);
}

/* Releases what waits for FILE among the first N, written or void. */
static void drop(struct names_cache *c, size_t n, const struct file_identity *file)
{
	for (size_t i = 0; i < n; i++) {
		struct waiting *w = &c->waiting[i];

		if (!w->bytes || !file_identity_equal(&w->sources.file, file))
			continue;
		c->n_bytes -= w->n_bytes;
		free(w->bytes);
		w->bytes = NULL;
	}
}

/* Saves those files that are worth it, or ALL of them. */
static void save(struct names_cache *c, bool all)
{
	size_t n = 0;

	for (size_t i = c->n_waiting; i > 0; i--) {
		struct file_identity file = c->waiting[i - 1].sources.file;
		struct group g;

		if (!c->waiting[i - 1].bytes || collect(c, i, &g) < 0)
			continue;
		if (all || g.n_new > GROWTH(g.n_kept)) {
			(void)!write_group(c, &g);
			drop(c, i, &file);
		}
		free(g.batches);
	}
	for (size_t i = 0; i < c->n_waiting; i++)
		if (c->waiting[i].bytes)
			c->waiting[n++] = c->waiting[i];
	c->n_waiting = n;
}

void names_cache__save(struct names_cache *c)
{
	save(c, false);
	if (c->n_bytes > NAMES_CACHE_WAITING_MAX)
		save(c, true);
}

struct names_cache *names_cache__free(struct names_cache *c)
{
	if (!c)
		return NULL;
	save(c, true);
	for (size_t i = 0; i < c->n_waiting; i++)
		free(c->waiting[i].bytes);
	free(c->waiting);
	disk_cache__fini(&c->disk);
	free(c);
	return NULL;
}
