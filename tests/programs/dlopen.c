/* SPDX-License-Identifier: Apache-2.0 */
/* dlopen SECONDS LIBRARY: works for a third of the time, then loads LIBRARY and works in that. */
#include <dlfcn.h>

#include "burn.h"

static NOINLINE uint64_t work_before_dlopen(uint64_t x)
{
	return burn(x, 50000) + 1;
}

int main(int argc, char **argv)
{
	uint64_t (*late_work)(uint64_t x);
	uint64_t x = 1, third, end;
	void *library;

	if (argc != 3) {
		fprintf(stderr, "usage: dlopen SECONDS LIBRARY\n");
		return 2;
	}
	third = clock_now_ns(CLOCK_MONOTONIC) + (uint64_t)(atof(argv[1]) / 3 * 1e9);
	end = end_after(argv[1], 3);
	while (before(third))
		x = work_before_dlopen(x);
	library = dlopen(argv[2], RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&late_work = dlsym(library, "late_work");
	if (!late_work)
		return 1;
	while (before(end))
		x = late_work(x) + 1;
	keep(x);
	dlclose(library);
	return 0;
}
