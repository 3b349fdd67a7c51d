/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depth [SECONDS [DEPTH]]: works at the bottom of a stack of exactly DEPTH (default 100) frames,
 * those of glibc's start included. Sixteen functions call each other in a circle, so that return
 * addresses and sizes of frames differ as they do in real programs: 16 to 256 bytes, 90 on average.
 */
#include "burn.h"

#define AROUND 5 /* _start, __libc_start_main, __libc_start_call_main, main; and at_the_bottom */

static NOINLINE uint64_t at_the_bottom(uint64_t x)
{
	return burn(x, 50000) + 1;
}

/* Storage that the compiler must keep, whose address it does not know. */
#define ON_THE_STACK(bytes)                                                                        \
	volatile char storage[bytes];                                                              \
	storage[0] = (char)x;                                                                      \
	storage[(bytes)-1] = (char)left

#define DESCEND(name, next, bytes)                                                                 \
	static NOINLINE uint64_t name(uint64_t x, int left, uint64_t end)                          \
	{                                                                                          \
		ON_THE_STACK(bytes);                                                               \
		if (left > 1)                                                                      \
			return next(x + 1, left - 1, end) + (uint64_t)storage[0];                  \
		while (before(end))                                                                \
			x = at_the_bottom(x);                                                      \
		return x + (uint64_t)storage[0];                                                   \
	}

static uint64_t descend_0(uint64_t x, int left, uint64_t end);
DESCEND(descend_15, descend_0, 8)
DESCEND(descend_14, descend_15, 200)
DESCEND(descend_13, descend_14, 16)
DESCEND(descend_12, descend_13, 24)
DESCEND(descend_11, descend_12, 64)
DESCEND(descend_10, descend_11, 8)
DESCEND(descend_9, descend_10, 40)
DESCEND(descend_8, descend_9, 96)
DESCEND(descend_7, descend_8, 8)
DESCEND(descend_6, descend_7, 32)
DESCEND(descend_5, descend_6, 120)
DESCEND(descend_4, descend_5, 8)
DESCEND(descend_3, descend_4, 16)
DESCEND(descend_2, descend_3, 48)
DESCEND(descend_1, descend_2, 8)
DESCEND(descend_0, descend_1, 80)

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);

	keep(descend_0(1, (argc > 2 ? atoi(argv[2]) : 100) - AROUND, end));
	return 0;
}
