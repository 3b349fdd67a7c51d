/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hindex.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* The low half of the hash is the tag and gives the place as well, so that growing needs no
 * access to the entries. Tables stay below 2^32 slots. */
static size_t home(const struct hindex *ix, uint32_t tag)
{
	return tag & (ix->n_slots - 1);
}

static void insert(struct hindex *ix, struct hindex_slot slot)
{
	size_t pos = home(ix, slot.tag);

	while (ix->slots[pos].entry)
		pos = (pos + 1) & (ix->n_slots - 1);
	ix->slots[pos] = slot;
}

static int grow(struct hindex *ix)
{
	struct hindex bigger = {.n_slots = ix->n_slots ? ix->n_slots * 2 : 16, .n = ix->n};

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < ix->n_slots; i++)
		if (ix->slots[i].entry)
			insert(&bigger, ix->slots[i]);
	free(ix->slots);
	*ix = bigger;
	return 0;
}

struct hindex_iter hindex__find(const struct hindex *ix, uint64_t hash)
{
	return (struct hindex_iter){
	    .ix = ix,
	    .tag = (uint32_t)hash,
	    .pos = ix->n_slots ? home(ix, (uint32_t)hash) : 0,
	};
}

bool hindex_iter__next(struct hindex_iter *it, uint32_t *ret_entry)
{
	const struct hindex *ix = it->ix;

	if (!ix->n_slots)
		return false;
	while (ix->slots[it->pos].entry) {
		struct hindex_slot slot = ix->slots[it->pos];

		it->pos = (it->pos + 1) & (ix->n_slots - 1);
		if (slot.tag == it->tag) {
			*ret_entry = slot.entry - 1;
			return true;
		}
	}
	return false;
}

int hindex__add(struct hindex *ix, uint64_t hash, uint32_t entry)
{
	if (3 * (ix->n + 1) > 2 * ix->n_slots) {
		int r = grow(ix);

		if (r < 0)
			return r;
	}
	insert(ix, (struct hindex_slot){.tag = (uint32_t)hash, .entry = entry + 1});
	ix->n++;
	return 0;
}

void hindex__remove(struct hindex *ix, uint64_t hash, uint32_t entry)
{
	size_t mask = ix->n_slots - 1, hole, pos;

	assert(ix->n > 0);
	for (pos = home(ix, (uint32_t)hash); ix->slots[pos].entry != entry + 1;
	     pos = (pos + 1) & mask)
		assert(ix->slots[pos].entry);

	/* Moves later members of the run back over the hole, so that no tombstone is needed. */
	hole = pos;
	for (pos = (hole + 1) & mask; ix->slots[pos].entry; pos = (pos + 1) & mask) {
		size_t distance = (pos - home(ix, ix->slots[pos].tag)) & mask;

		if (distance >= ((pos - hole) & mask)) {
			ix->slots[hole] = ix->slots[pos];
			hole = pos;
		}
	}
	ix->slots[hole] = (struct hindex_slot){0};
	ix->n--;
}

void hindex__fini(struct hindex *ix)
{
	free(ix->slots);
	*ix = (struct hindex){0};
}
