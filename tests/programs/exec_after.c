/* SPDX-License-Identifier: Apache-2.0 */
/* exec_after [SECONDS]: what exec.c becomes. */
#include "burn.h"

static NOINLINE uint64_t work_after_exec(uint64_t x)
{
	return burn(x, 50000) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 1), x = 1;

	while (before(end))
		x = work_after_exec(x);
	keep(x);
	return 0;
}
