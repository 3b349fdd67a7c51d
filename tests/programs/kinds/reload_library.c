/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the two libraries of reload.c: NAME() < NAME_inner() < NAME_outer(), with frames of
 * BYTES and all at the same place as in the other.
 */
#include <string.h>

#include "../burn.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define inner JOIN(NAME, _inner)
#define outer JOIN(NAME, _outer)

NOINLINE uint64_t NAME(uint64_t x);
NOINLINE uint64_t inner(uint64_t x);
uint64_t outer(uint64_t x);

/* At the same offset in both. */
__attribute__((section(".text.work"), aligned(4096))) uint64_t NAME(uint64_t x)
{
	volatile char storage[BYTES];

	storage[x % BYTES] = (char)x;
	return burn(x, 20000) + (uint64_t)storage[x % BYTES];
}

__attribute__((section(".text.work"), aligned(1024))) uint64_t inner(uint64_t x)
{
	volatile char storage[BYTES];

	storage[x % BYTES] = (char)x;
	return NAME(x) * 3 + (uint64_t)storage[x % BYTES];
}

__attribute__((section(".text.work"), aligned(1024))) uint64_t outer(uint64_t x)
{
	return inner(x) * 5 + x;
}
