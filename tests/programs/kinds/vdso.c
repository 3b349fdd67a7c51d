/* SPDX-License-Identifier: Apache-2.0 */
/* vdso [SECONDS]: asks for the time, all the time. */
#include "../burn.h"

static NOINLINE uint64_t ask(uint64_t x)
{
	struct timespec ts;

	for (int i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		x += (uint64_t)ts.tv_nsec;
	}
	return x;
}

static NOINLINE uint64_t asks(uint64_t x)
{
	return ask(x) * 3 + x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = asks(x);
	keep(x);
	return 0;
}
