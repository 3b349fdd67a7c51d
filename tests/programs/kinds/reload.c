/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload SECONDS LIBRARY NAME LIBRARY NAME: loads one library, works in it for 100 ms, unloads it
 * and loads the other, which comes to lie at the same address. Says how often it did not.
 */
#include <dlfcn.h>

#include "../burn.h"

#define TURN_NS 100000000u

static void *load(const char *path, const char *name, uint64_t (**ret)(uint64_t))
{
	void *library = dlopen(path, RTLD_NOW);
	void *symbol = library ? dlsym(library, name) : NULL;

	if (!symbol) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)ret = symbol;
	return library;
}

static NOINLINE uint64_t use(uint64_t (*outer)(uint64_t), uint64_t x)
{
	uint64_t end = clock_now_ns(CLOCK_MONOTONIC) + TURN_NS;

	while (before(end))
		x = outer(x) + 1;
	return x;
}

int main(int argc, char **argv)
{
	uint64_t (*outer)(uint64_t), (*last)(uint64_t) = NULL;
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;
	int moved = 0;

	if (argc != 6)
		return 2;
	for (int i = 0; before(end); i ^= 1) {
		void *library = load(argv[2 + 2 * i], argv[3 + 2 * i], &outer);

		moved += last && outer != last;
		last = outer;
		x = use(outer, x);
		dlclose(library);
	}
	keep(x);
	printf("%d moved\n", moved);
	return 0;
}
