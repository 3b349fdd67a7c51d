/* SPDX-License-Identifier: Apache-2.0 */
/* deep [SECONDS [DEPTH]]: works at the bottom of DEPTH (default 100) calls of descend(). */
#include "burn.h"

static NOINLINE uint64_t at_the_bottom(uint64_t x)
{
	return burn(x, 50000) + 1;
}

static NOINLINE uint64_t descend(uint64_t x, int depth, uint64_t end)
{
	if (depth > 1)
		return descend(x, depth - 1, end) + 1; /* + 1: not a tail call */
	while (before(end))
		x = at_the_bottom(x);
	return x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);

	keep(descend(1, argc > 2 ? atoi(argv[2]) : 100, end));
	return 0;
}
