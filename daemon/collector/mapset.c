/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/mapset.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"

int mapset__new(struct mapset **ret)
{
	struct mapset *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->n_refs = 1;
	*ret = set;
	return 0;
}

void mapset__ref(struct mapset *set)
{
	set->n_refs++;
}

void mapset__unref(struct mapset *set, struct objects *objects)
{
	if (!set)
		return;
	assert(set->n_refs > 0);
	if (--set->n_refs > 0)
		return;
	for (size_t i = 0; i < set->n; i++)
		mapping__unref(set->mappings[i], objects);
	free(set->mappings);
	free(set);
}

void mapping__ref(struct mapping *m)
{
	m->n_refs++;
}

void mapping__unref(struct mapping *m, struct objects *objects)
{
	assert(m->n_refs > 0);
	if (--m->n_refs > 0)
		return;
	objects__unref(objects, m->object);
	free(m);
}

static int mapping__new(struct mapping **ret, uint64_t start, uint64_t end, uint64_t off,
			struct object *object)
{
	struct mapping *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m =
	    (struct mapping){.start = start, .end = end, .off = off, .object = object, .n_refs = 1};
	objects__ref(object);
	*ret = m;
	return 0;
}

/* The number of mappings that end at or below ADDR: the place of the first that may hold it. */
static size_t lower_bound(const struct mapset *set, uint64_t addr)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->mappings[mid]->end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct mapping *mapset__find(const struct mapset *set, uint64_t addr)
{
	size_t i = lower_bound(set, addr);

	return i < set->n && set->mappings[i]->start <= addr ? set->mappings[i] : NULL;
}

/* Makes *SET our own, with room for two more mappings. */
static int make_writable(struct mapset **set, struct objects *objects)
{
	struct mapset *own;
	int r;

	if ((*set)->n_refs == 1)
		return array_reserve(&(*set)->mappings, &(*set)->cap, (*set)->n + 2,
				     sizeof(*own->mappings));
	r = mapset__new(&own);
	if (r < 0)
		return r;
	r = array_reserve(&own->mappings, &own->cap, (*set)->n + 2, sizeof(*own->mappings));
	if (r < 0) {
		mapset__unref(own, objects);
		return r;
	}
	own->exe = (*set)->exe;
	own->n = (*set)->n;
	if (own->n) /* an empty one has no array */
		memcpy(own->mappings, (*set)->mappings, own->n * sizeof(*own->mappings));
	for (size_t i = 0; i < own->n; i++)
		mapping__ref(own->mappings[i]);
	mapset__unref(*set, objects);
	*set = own;
	return 0;
}

static void insert_at(struct mapset *set, size_t i, struct mapping *m)
{
	memmove(&set->mappings[i + 1], &set->mappings[i], (set->n - i) * sizeof(*set->mappings));
	set->mappings[i] = m;
	set->n++;
}

/*
 * Takes [START, END) out of the set, which is ours alone and has room for one more. Parts of
 * mappings that stick out are new mappings: the old ones may be in use by windows. Returns the
 * place of what starts at END.
 */
static int clear_range(struct mapset *set, struct objects *objects, uint64_t start, uint64_t end,
		       size_t *ret_place)
{
	size_t i = lower_bound(set, start);

	while (i < set->n && set->mappings[i]->start < end) {
		struct mapping *old = set->mappings[i], *left = NULL, *right = NULL;
		int r = 0;

		if (old->start < start)
			r = mapping__new(&left, old->start, start, old->off, old->object);
		if (r == 0 && old->end > end)
			r = mapping__new(&right, end, old->end, old->off + (end - old->start),
					 old->object);
		if (r < 0) {
			if (left)
				mapping__unref(left, objects);
			return r;
		}
		if (set->exe == old)
			set->exe = left ? left : right;
		memmove(&set->mappings[i], &set->mappings[i + 1],
			(--set->n - i) * sizeof(*set->mappings));
		if (left)
			insert_at(set, i++, left);
		if (right)
			insert_at(set, i, right);
		mapping__unref(old, objects);
		if (right)
			break;
	}
	*ret_place = i;
	return 0;
}

/* Puts M in. Takes over the caller's reference, on failure too. */
static int put(struct mapset **set, struct objects *objects, struct mapping *m)
{
	size_t place;
	int r = make_writable(set, objects);

	if (r == 0)
		r = clear_range(*set, objects, m->start, m->end, &place);
	if (r < 0) {
		mapping__unref(m, objects);
		return r;
	}
	insert_at(*set, place, m);
	return 0;
}

int mapset__add(struct mapset **set, struct objects *objects, uint64_t start, uint64_t end,
		uint64_t off, struct object *object)
{
	struct mapping *m;
	int r;

	if (start >= end)
		return -EINVAL;
	if ((*set)->n >= MAPSET_MAX)
		return -E2BIG;
	m = mapset__find(*set, start);
	if (m && m->start == start && m->end == end && m->off == off && m->object == object)
		return 0; /* told twice: by the scan and by an event */
	r = mapping__new(&m, start, end, off, object);
	return r < 0 ? r : put(set, objects, m);
}

int mapset__share(struct mapset **set, struct objects *objects, struct mapping *mapping)
{
	if ((*set)->n >= MAPSET_MAX)
		return -E2BIG;
	mapping__ref(mapping);
	return put(set, objects, mapping);
}
