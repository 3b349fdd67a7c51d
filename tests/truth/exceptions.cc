// SPDX-License-Identifier: Apache-2.0
// exceptions: exceptions in flight through frames of all kinds, callbacks from qsort and std::sort,
// std::function, aligned and variable frames, and signals on an alternate stack; without end.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <sys/time.h>
#include <vector>

static volatile unsigned long sink;
static volatile sig_atomic_t n_signals;

struct Guard {
	std::string text;
	explicit Guard(int n) : text(static_cast<size_t>(n % 40), 'x') {}
	~Guard() { sink += text.size(); }
};

static __attribute__((noinline)) int work(int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += i * (sum ^ n);
	return sum;
}

static __attribute__((noinline)) int fall(int depth)
{
	Guard guard(depth);
	// Frames that are aligned or of unknown size, so that the CFA hangs on rbp or r10.
	alignas(64) char aligned[64];
	char *variable = static_cast<char *>(__builtin_alloca(static_cast<size_t>(depth % 5 * 16 + 8)));

	memset(aligned, depth, sizeof(aligned));
	variable[0] = aligned[depth % 64];
	if (depth == 0)
		throw std::runtime_error("bottom");
	return fall(depth - 1) + variable[0] + work(20);
}

static int compare(const void *a, const void *b)
{
	int x = *static_cast<const int *>(a), y = *static_cast<const int *>(b);

	sink += static_cast<unsigned long>(work(10));
	return x < y ? -1 : x > y;
}

static void on_signal(int)
{
	int v[16];

	for (int i = 0; i < 16; i++)
		v[i] = work(i) & 15;
	qsort(v, 16, sizeof(v[0]), compare);
	n_signals = n_signals + 1;
}

static __attribute__((noinline)) void one_round(const std::function<int(int)> &f)
{
	std::vector<int> v(200);
	std::map<std::string, int> map;

	for (int &x : v)
		x = rand();
	qsort(v.data(), v.size(), sizeof(v[0]), compare);
	std::sort(v.begin(), v.end(), [](int a, int b) { return work(a & 7) * 0 + a < b; });
	for (int x : v)
		map[std::to_string(x)] += f(x & 31);
	try {
		fall(30);
	} catch (const std::exception &e) {
		sink += strlen(e.what());
	}
}

int main()
{
	static char stack[65536];
	stack_t alternate = {};
	struct sigaction action = {};
	struct itimerval timer = {{0, 1500}, {0, 1500}};

	alternate.ss_sp = stack;
	alternate.ss_size = sizeof(stack);
	sigaltstack(&alternate, nullptr);
	action.sa_handler = on_signal;
	action.sa_flags = SA_ONSTACK | SA_RESTART;
	sigaction(SIGALRM, &action, nullptr);
	setitimer(ITIMER_REAL, &timer, nullptr);
	for (;;)
		one_round([](int n) { return n ? work(n) : 0; });
}
