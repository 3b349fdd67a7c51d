// SPDX-License-Identifier: Apache-2.0
//
// split [SECONDS] in C++: 70 % in work::Engine::seventy(), 20 % in the template work::twenty<2>(),
// 10 % in work::ten(), which is inlined into work::Engine::one_round(). All three run the same loop.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "burn.h"

namespace work
{

constexpr int unit = 5000;

template <int Units> [[gnu::noinline]] uint64_t twenty(uint64_t x)
{
	HAVE_FRAME();
	for (int i = 0; i < Units * unit; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

[[gnu::always_inline]] inline uint64_t ten(uint64_t x)
{
	for (int i = 0; i < 1 * unit; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

class Engine
{
public:
	[[gnu::noinline]] uint64_t seventy(uint64_t x);
	[[gnu::noinline]] void one_round();
	uint64_t state = 1;
};

uint64_t Engine::seventy(uint64_t x)
{
	HAVE_FRAME();
	for (int i = 0; i < 7 * unit; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

void Engine::one_round()
{
	uint64_t x = state;

	x = seventy(x);
	x = twenty<2>(x);
	x = ten(x);
	state = x + 1;
}

} // namespace work

int main(int argc, char **argv)
{
	using clock = std::chrono::steady_clock;
	std::chrono::duration<double> length(argc > 1 ? std::atof(argv[1]) : 60);
	auto end = clock::now() + length;
	work::Engine engine;

	while (clock::now() < end)
		for (int i = 0; i < 256; i++)
			engine.one_round();
	std::printf("%llu\n", static_cast<unsigned long long>(engine.state));
	return 0;
}
