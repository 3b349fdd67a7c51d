/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The callers that the programs here have in common: work() is called by inner(), and that by
 * outer().
 */
#ifndef TESTS_KINDS_CHAIN_H
#define TESTS_KINDS_CHAIN_H

#include "../burn.h"

/* 40 us. */
NOINLINE uint64_t work(uint64_t x);
NOINLINE uint64_t inner(uint64_t x);
NOINLINE uint64_t outer(uint64_t x);

uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

uint64_t inner(uint64_t x)
{
	return work(x) * 3 + x;
}

uint64_t outer(uint64_t x)
{
	volatile uint64_t storage[9];

	storage[x & 7] = x;
	return inner(x + 1) + storage[x & 7];
}

#endif
