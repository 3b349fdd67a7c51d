/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail [SECONDS]: work() is jumped to by passes_on(), which inner() has called: that one is not
 * there any more.
 */
#include "../burn.h"

static NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

static NOINLINE uint64_t passes_on(uint64_t x)
{
	volatile uint64_t storage[9];

	storage[x & 7] = x;
	return work(x + storage[x & 7]);
}

static NOINLINE uint64_t inner(uint64_t x)
{
	return passes_on(x) * 3 + x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = inner(x);
	keep(x);
	return 0;
}
