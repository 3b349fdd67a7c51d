/* SPDX-License-Identifier: Apache-2.0 */
/* What plt.c calls so often. */
#include <stdint.h>

uint64_t callee(uint64_t x);

uint64_t callee(uint64_t x)
{
	return x + 1;
}
