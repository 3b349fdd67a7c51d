// SPDX-License-Identifier: Apache-2.0
//
// throw [SECONDS]: what C++ does to a stack. Exceptions thrown 40 calls deep through functions with
// destructors and a rethrow half way; std::function, virtual calls, qsort and std::sort with callbacks,
// alloca, over-aligned locals, a std::thread each round. Built without frame pointers.
#include <algorithm>
#include <alloca.h>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "burn.h"

namespace {

struct Guard {
	std::vector<uint64_t> &log;
	uint64_t x;
	~Guard() { log.push_back(burn(x, 20)); }
};

NOINLINE uint64_t fall(std::vector<uint64_t> &log, int depth)
{
	Guard guard{log, static_cast<uint64_t>(depth) + 1};

	if (!depth)
		throw std::runtime_error("at the bottom of " + std::to_string(log.size()));
	if (depth != 20)
		return fall(log, depth - 1) + 1;
	try {
		return fall(log, depth - 1) + 2;
	} catch (const std::exception &e) {
		log.push_back(std::strlen(e.what()));
		throw;
	}
}

NOINLINE uint64_t exceptions()
{
	std::vector<uint64_t> log;

	for (int i = 0; i < 20; i++) {
		try {
			fall(log, 40);
		} catch (const std::runtime_error &e) {
			log.push_back(std::strlen(e.what()));
		}
	}
	return log.size();
}

struct Shape {
	virtual ~Shape() = default;
	virtual uint64_t area(uint64_t x) const = 0;
};

struct Square : Shape {
	uint64_t area(uint64_t x) const override { return burn(x, 200); }
};

struct Wrapped : Shape {
	std::function<uint64_t(uint64_t)> inner;
	NOINLINE uint64_t area(uint64_t x) const override { return inner(x) + 1; }
};

NOINLINE uint64_t calls(uint64_t x)
{
	std::unique_ptr<Shape> shape = std::make_unique<Square>();

	for (int i = 0; i < 12; i++) {
		auto next = std::make_unique<Wrapped>();
		next->inner = [inner = std::shared_ptr<Shape>(std::move(shape))](uint64_t y) {
			return inner->area(y) + 3;
		};
		shape = std::move(next);
	}
	for (int i = 0; i < 500; i++)
		x = shape->area(x);
	return x;
}

int compare(const void *a, const void *b)
{
	uint64_t x = *static_cast<const uint64_t *>(a), y = *static_cast<const uint64_t *>(b);

	return (x > y) - (x < y);
}

NOINLINE uint64_t sorting(uint64_t x)
{
	std::vector<uint64_t> values(5000);

	for (auto &value : values)
		value = x = burn(x | 1, 1);
	qsort(values.data(), values.size(), sizeof(uint64_t), compare);
	std::sort(values.begin(), values.end(), [](uint64_t a, uint64_t b) { return (a ^ 21) < (b ^ 21); });
	return values[0];
}

/* A frame of unknown size, and one that is aligned to more than the ABI asks for. */
NOINLINE uint64_t odd_frames(uint64_t x, size_t bytes)
{
	alignas(128) volatile uint64_t aligned[16];
	volatile char *more = static_cast<volatile char *>(alloca(bytes));

	aligned[x & 15] = x;
	more[bytes - 1] = static_cast<char>(x);
	return burn(x | 1, 3000) + aligned[x & 15] + static_cast<uint64_t>(more[bytes - 1]);
}

uint64_t one_round(uint64_t x)
{
	x = exceptions() + calls(x);
	x += sorting(x);
	for (size_t i = 1; i < 50; i++)
		x = odd_frames(x, i * 13);
	return x;
}

} // namespace

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : nullptr, 60), x = 1;

	while (before(end)) {
		uint64_t y = 0;
		std::thread other([&] { y = one_round(x); });

		x = one_round(x + 1);
		other.join();
		x += y;
	}
	keep(x);
	return 0;
}
