/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cold [SECONDS]: works in the part of a function that the compiler has moved away, and below it.
 */
#include "../burn.h"

static NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

static __attribute__((cold, noinline)) void is_cold(void)
{
	__asm__ volatile("");
}

static NOINLINE uint64_t split(uint64_t x, int n)
{
	volatile uint64_t storage[5];

	storage[n & 3] = x;
	if (__builtin_expect(n > 3, 0)) {
		is_cold();
		x = work(x);
		return burn(x, 20000) + storage[n & 3];
	}
	return x + storage[n & 3];
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = split(x, argc + 9);
	keep(x);
	return 0;
}
