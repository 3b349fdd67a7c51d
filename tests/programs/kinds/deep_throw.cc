// SPDX-License-Identifier: Apache-2.0
//
// deep_throw [SECONDS]: throws below 300 calls, each with something to destroy, all the time.
#include "../burn.h"

struct Guard {
	uint64_t *count;
	~Guard() { *count = burn(*count, 100); }
};

extern "C" NOINLINE uint64_t descend(int left, uint64_t *count)
{
	Guard guard{count};

	if (!left)
		throw left;
	return descend(left - 1, count) + 1;
}

extern "C" NOINLINE uint64_t catches(uint64_t x)
{
	try {
		return descend(300, &x);
	} catch (int) {
		return x;
	}
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : nullptr, 60), x = 1;

	while (before(end))
		x = catches(x);
	keep(x);
	return 0;
}
