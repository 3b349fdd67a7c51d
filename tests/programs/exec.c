/* SPDX-License-Identifier: Apache-2.0 */
/* exec SECONDS PROGRAM [ARG...]: works for SECONDS, then becomes PROGRAM, in the same process. */
#include <unistd.h>

#include "burn.h"

static NOINLINE uint64_t work_before_exec(uint64_t x)
{
	return burn(x, 50000) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end, x = 1;

	if (argc < 3) {
		fprintf(stderr, "usage: exec SECONDS PROGRAM [ARG...]\n");
		return 2;
	}
	end = end_after(argv[1], 1);
	while (before(end))
		x = work_before_exec(x);
	keep(x);
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
