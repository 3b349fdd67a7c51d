/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash index over entries that the caller keeps in an array of its own.
 *
 * It maps a 64-bit hash to entry numbers (u32) and never sees the entries: the caller compares.
 * Open addressing with linear probing, at most 2/3 full, 8 bytes a slot. One user at a time.
 *
 *	for (struct hindex_iter it = hindex__find(ix, h); hindex_iter__next(&it, &e);)
 *		if (equal(&entries[e], key))
 *			return e;
 *	return hindex__add(ix, h, n_entries);
 */
#ifndef BASE_HINDEX_H
#define BASE_HINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hindex_slot {
	uint32_t tag;	/* low half of the hash */
	uint32_t entry; /* entry number + 1; 0 = free slot */
};

struct hindex {
	struct hindex_slot *slots; /* NULL before the first entry */
	size_t n_slots;		   /* a power of two */
	size_t n;		   /* entries held */
};

struct hindex_iter {
	const struct hindex *ix;
	size_t pos;
	uint32_t tag;
};

/* Starts a walk over the entries added under HASH; entries of other hashes may appear too. */
struct hindex_iter hindex__find(const struct hindex *ix, uint64_t hash);
bool hindex_iter__next(struct hindex_iter *it, uint32_t *ret_entry);

/* Adds ENTRY under HASH, without looking for duplicates. Returns 0 or -ENOMEM. */
int hindex__add(struct hindex *ix, uint64_t hash, uint32_t entry);

/* Removes ENTRY, which was added under HASH; it must be there. */
void hindex__remove(struct hindex *ix, uint64_t hash, uint32_t entry);

/* Releases the slots and leaves an empty index. */
void hindex__fini(struct hindex *ix);

#endif
