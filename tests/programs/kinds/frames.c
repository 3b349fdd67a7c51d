/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames [SECONDS]: work() below a function with alloca(), one with aligned locals, one with
 * both, one that calls with arguments on the stack, and one with more than a page of locals.
 */
#include <alloca.h>

#include "../burn.h"

static NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

static NOINLINE uint64_t of_any_size(uint64_t x)
{
	volatile char *more = alloca((x & 1023) + 1);

	more[x & 1023] = (char)x;
	return work(x) + (uint64_t)more[x & 1023];
}

static NOINLINE uint64_t aligned(uint64_t x)
{
	_Alignas(64) volatile uint64_t locals[16];

	locals[x & 15] = x;
	return of_any_size(x + 1) + locals[x & 15];
}

static NOINLINE uint64_t both(uint64_t x)
{
	_Alignas(64) volatile uint64_t locals[16];
	volatile char *more = alloca((x & 511) + 1);

	locals[x & 15] = x;
	more[x & 511] = (char)x;
	return aligned(x + 1) + locals[x & 15] + (uint64_t)more[x & 511];
}

static NOINLINE uint64_t many(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			      uint64_t f, uint64_t g, uint64_t h, uint64_t i)
{
	return both(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i) + i;
}

static NOINLINE uint64_t pushes(uint64_t x)
{
	return many(x, x + 1, x * 3, x + 5, x * 7, x + 11, x * 13, x + 17, x * 19) + x;
}

static NOINLINE uint64_t large(uint64_t x)
{
	volatile char locals[20000];

	locals[x & 16383] = (char)x;
	return pushes(x + 1) + (uint64_t)locals[x & 16383];
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = large(x);
	keep(x);
	return 0;
}
