/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split [SECONDS]: 70 % of the time in seventy(), 20 % in twenty(), 10 % in ten(), which is inlined
 * into one_round(). All three run the same loop, so the shares are those of the iteration counts.
 * One round in 256 is timed, and the shares so measured are printed at the end.
 */
#include "burn.h"

#define UNIT 5000 /* a round is 10 units, about 100 us: short against any sampling period */

static NOINLINE uint64_t seventy(uint64_t x)
{
	HAVE_FRAME();
	for (int i = 0; i < 7 * UNIT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static NOINLINE uint64_t twenty(uint64_t x)
{
	HAVE_FRAME();
	for (int i = 0; i < 2 * UNIT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static inline __attribute__((always_inline)) uint64_t ten(uint64_t x)
{
	for (int i = 0; i < 1 * UNIT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static NOINLINE uint64_t one_round(uint64_t x)
{
	x = seventy(x);
	x = twenty(x);
	x = ten(x);
	return x + 1;
}

/* The same as one_round(), adding the time of each part to NS. */
static NOINLINE uint64_t timed_round(uint64_t x, uint64_t ns[3])
{
	uint64_t t[4];

	t[0] = clock_now_ns(CLOCK_MONOTONIC);
	x = seventy(x);
	t[1] = clock_now_ns(CLOCK_MONOTONIC);
	x = twenty(x);
	t[2] = clock_now_ns(CLOCK_MONOTONIC);
	x = ten(x);
	t[3] = clock_now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 3; i++)
		ns[i] += t[i + 1] - t[i];
	return x + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1, ns[3] = {0};
	double all;

	while (before(end)) {
		for (int i = 0; i < 255; i++)
			x = one_round(x);
		x = timed_round(x, ns);
	}
	keep(x);
	all = (double)(ns[0] + ns[1] + ns[2]);
	printf("seventy %.4f twenty %.4f ten %.4f\n", (double)ns[0] / all, (double)ns[1] / all,
	       (double)ns[2] / all);
	return 0;
}
