// SPDX-License-Identifier: Apache-2.0
//
// coroutine [SECONDS]: work() in a coroutine that another resumes, which main() resumes.
#include <coroutine>
#include <exception>

#include "../burn.h"

struct Task {
	struct promise_type {
		Task get_return_object()
		{
			return {std::coroutine_handle<promise_type>::from_promise(*this)};
		}
		std::suspend_always initial_suspend() { return {}; }
		std::suspend_always final_suspend() noexcept { return {}; }
		std::suspend_always yield_value(uint64_t x)
		{
			value = x;
			return {};
		}
		void return_void() {}
		void unhandled_exception() { std::terminate(); }
		uint64_t value = 0;
	};
	std::coroutine_handle<promise_type> handle;
};

extern "C" NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

static Task works(uint64_t x)
{
	for (;;) {
		x = work(x);
		co_yield x;
	}
}

extern "C" NOINLINE uint64_t resume(Task &task)
{
	task.handle.resume();
	return task.handle.promise().value;
}

static Task resumes(Task &other)
{
	for (;;)
		co_yield resume(other) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : nullptr, 60), x = 0;
	Task one = works(1), two = resumes(one);

	while (before(end))
		x += resume(two);
	keep(x);
	return 0;
}
