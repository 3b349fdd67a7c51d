/* SPDX-License-Identifier: Apache-2.0 */
/* chain [SECONDS]: work() < inner() < outer() < main(), to be compiled and linked in many ways. */
#include "chain.h"

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = outer(x);
	keep(x);
	return 0;
}
