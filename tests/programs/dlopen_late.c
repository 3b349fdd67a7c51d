/* SPDX-License-Identifier: Apache-2.0 */
/* The library that dlopen.c loads when it has run for a while. */
#include "burn.h"

uint64_t late_work(uint64_t x);

uint64_t late_work(uint64_t x)
{
	return burn(x, 50000) + 1;
}
