/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash functions for tables in memory.
 *
 * Names and addresses come from other people's processes, so tables that hold them use a key
 * drawn at start (hash_key_random): otherwise a process could choose names that collide.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

struct hash_key hash_key_random(void);

/* SipHash-1-3 (Aumasson and Bernstein 2012, reduced rounds) of N bytes. */
uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t n);

/* Mixes two words into one; for keys that are numbers. Not collision-proof by itself. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m =
	    (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xd6e8feb86659fd93ULL);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

#endif
