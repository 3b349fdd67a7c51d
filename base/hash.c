/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/util.h"

struct hash_key hash_key_random(void)
{
	struct hash_key key;

	/* Before the kernel's pool is ready a clock still keeps the keys of two runs apart. */
	if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != sizeof(key)) {
		key.k0 = clock_ns(CLOCK_REALTIME);
		key.k1 = clock_ns(CLOCK_MONOTONIC);
	}
	return key;
}

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t n)
{
	uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575ULL, key->k1 ^ 0x646f72616e646f6dULL,
			 key->k0 ^ 0x6c7967656e657261ULL, key->k1 ^ 0x7465646279746573ULL};
	const unsigned char *in = p;
	uint64_t word, last = (uint64_t)n << 56;

	for (; n >= 8; n -= 8, in += 8) {
		memcpy(&word, in, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	if (n)
		memcpy(&word, in, n);
	last |= word;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
