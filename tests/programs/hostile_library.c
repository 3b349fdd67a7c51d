/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is linked with the build id of another. */
#include "burn.h"

uint64_t work(uint64_t x);

static NOINLINE uint64_t spoofed(uint64_t x)
{
	char room[5000];

	__asm__ volatile("" : : "r"(room) : "memory");
	x = burn(x, 1000);
	HAVE_FRAME();
	return x;
}

uint64_t work(uint64_t x)
{
	x = spoofed(x) + 1;
	HAVE_FRAME();
	return x;
}
