/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strpool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

int strpool__init(struct strpool *pool)
{
	uint32_t empty;
	int r;

	*pool = (struct strpool){.key = hash_key_random()};
	r = strpool__intern(pool, "", 0, &empty);
	if (r < 0)
		strpool__fini(pool);
	return r;
}

void strpool__fini(struct strpool *pool)
{
	hindex__fini(&pool->index);
	free(pool->bytes);
	free(pool->offs);
	*pool = (struct strpool){0};
}

const char *strpool__get(const struct strpool *pool, uint32_t id)
{
	assert(id < pool->n);
	return pool->bytes + pool->offs[id];
}

int strpool__intern(struct strpool *pool, const char *s, size_t n, uint32_t *ret)
{
	struct hindex_iter it;
	uint64_t hash;
	uint32_t id;
	int r;

	n = strnlen(s, n);
	hash = hash_bytes(&pool->key, s, n);
	for (it = hindex__find(&pool->index, hash); hindex_iter__next(&it, &id);) {
		const char *have = strpool__get(pool, id);

		if (!strncmp(have, s, n) && !have[n]) {
			*ret = id;
			return 0;
		}
	}
	if (pool->n_bytes + n + 1 > UINT32_MAX || pool->n + 1 >= UINT32_MAX)
		return -ENOMEM;
	r = array_reserve(&pool->bytes, &pool->cap_bytes, pool->n_bytes + n + 1, 1);
	if (r == 0)
		r = array_reserve(&pool->offs, &pool->cap, pool->n + 1, sizeof(*pool->offs));
	if (r == 0)
		r = hindex__add(&pool->index, hash, (uint32_t)pool->n);
	if (r < 0)
		return r;
	memcpy(pool->bytes + pool->n_bytes, s, n);
	pool->bytes[pool->n_bytes + n] = '\0';
	pool->offs[pool->n] = (uint32_t)pool->n_bytes;
	pool->n_bytes += n + 1;
	*ret = (uint32_t)pool->n++;
	return 0;
}
