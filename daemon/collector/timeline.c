/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/timeline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct item {
	uint64_t time_ns;
	bool is_sample;
	uint32_t size;
	size_t at; /* of its bytes in the buffer */
};

struct timeline {
	struct item *items;
	size_t n, cap;
	char *bytes; /* samples and events, each 8-aligned; an event is followed by its path */
	size_t n_bytes, cap_bytes;
};

int timeline__new(struct timeline **ret)
{
	struct timeline *tl = calloc(1, sizeof(*tl));

	if (!tl)
		return -ENOMEM;
	*ret = tl;
	return 0;
}

struct timeline *timeline__free(struct timeline *tl)
{
	if (!tl)
		return NULL;
	free(tl->items);
	free(tl->bytes);
	free(tl);
	return NULL;
}

/* Appends A and then B as one item. */
static int append(struct timeline *tl, uint64_t time_ns, bool is_sample, const void *a, size_t n_a,
		  const void *b, size_t n_b)
{
	size_t size = (n_a + n_b + 7) & ~(size_t)7;
	int r = array_reserve(&tl->items, &tl->cap, tl->n + 1, sizeof(*tl->items));

	if (r == 0)
		r = array_reserve(&tl->bytes, &tl->cap_bytes, tl->n_bytes + size, 1);
	if (r < 0)
		return r;
	memcpy(tl->bytes + tl->n_bytes, a, n_a);
	if (n_b)
		memcpy(tl->bytes + tl->n_bytes + n_a, b, n_b);
	tl->items[tl->n++] = (struct item){
	    .time_ns = time_ns,
	    .is_sample = is_sample,
	    .size = (uint32_t)size,
	    .at = tl->n_bytes,
	};
	tl->n_bytes += size;
	return 0;
}

int timeline__add_sample(struct timeline *tl, const struct sample_record *record, size_t size)
{
	return append(tl, record->time_ns, true, record, size, NULL, 0);
}

int timeline__add_event(struct timeline *tl, const struct sideband_event *event)
{
	const char *path = event->object.path;

	return append(tl, event->time_ns, false, event, sizeof(*event), path,
		      path ? strlen(path) + 1 : 0);
}

static int by_time(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (a->is_sample != b->is_sample)
		return a->is_sample ? 1 : -1;
	return a->at < b->at ? -1 : 1;
}

/* Keeps the items from FIRST on, which are sorted by time, and moves their bytes together. */
static int keep_from(struct timeline *tl, size_t first)
{
	size_t n = tl->n - first, n_bytes = 0;
	char *bytes;

	if (n == 0) {
		tl->n = 0;
		tl->n_bytes = 0;
		return 0;
	}
	for (size_t i = first; i < tl->n; i++)
		n_bytes += tl->items[i].size;
	bytes = malloc(n_bytes);
	if (!bytes)
		return -ENOMEM;
	n_bytes = 0;
	for (size_t i = 0; i < n; i++) {
		struct item *item = &tl->items[i];

		*item = tl->items[first + i];
		memcpy(bytes + n_bytes, tl->bytes + item->at, item->size);
		item->at = n_bytes;
		n_bytes += item->size;
	}
	free(tl->bytes);
	tl->bytes = bytes;
	tl->n_bytes = tl->cap_bytes = n_bytes;
	tl->n = n;
	return 0;
}

int timeline__replay(struct timeline *tl, uint64_t until_ns, const struct timeline_ops *ops,
		     void *ctx)
{
	size_t i;
	int r = 0;

	if (tl->n)
		qsort(tl->items, tl->n, sizeof(*tl->items), by_time);
	for (i = 0; i < tl->n && tl->items[i].time_ns < until_ns && r >= 0; i++) {
		void *bytes = tl->bytes + tl->items[i].at;
		struct sideband_event *ev = bytes;

		if (tl->items[i].is_sample) {
			r = ops->on_sample(ctx, bytes);
			continue;
		}
		if (ev->object.path)
			ev->object.path = (char *)(ev + 1);
		r = ops->on_event(ctx, ev);
	}
	if (r < 0)
		return r;
	return keep_from(tl, i);
}
