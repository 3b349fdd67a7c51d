// SPDX-License-Identifier: Apache-2.0
//
// boost_fiber [SECONDS]: works on a stack of boost.context, and changes to it and back each time.
#include <boost/context/fiber.hpp>

#include "../burn.h"

extern "C" NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

extern "C" NOINLINE uint64_t on_the_fiber(uint64_t x)
{
	return work(x) * 3 + x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : nullptr, 60), x = 1;
	boost::context::fiber other{[&x](boost::context::fiber &&home) {
		for (;;) {
			x = on_the_fiber(x);
			home = std::move(home).resume();
		}
		return std::move(home);
	}};

	while (before(end))
		other = std::move(other).resume();
	keep(x);
	std::exit(0);
}
