/* SPDX-License-Identifier: Apache-2.0 */
/* plt [SECONDS]: calls a library all the time, so that much of it is spent in the PLT. */
#include "../burn.h"

uint64_t callee(uint64_t x);

static NOINLINE uint64_t call_often(uint64_t x)
{
	for (int i = 0; i < 20000; i++)
		x = callee(x);
	return x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = call_often(x) + 1;
	keep(x);
	return 0;
}
