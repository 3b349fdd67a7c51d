/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals SECONDS normal|alternate|nested: a timer interrupts outer() every two milliseconds,
 * wherever it is, and the handler works for one. With nested its handler is interrupted by
 * another, with alternate on a stack of its own.
 */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "chain.h"

static int nested;

static NOINLINE uint64_t handle(uint64_t x)
{
	return burn(x, 500000) + 1;
}

static void on_second(int number)
{
	keep(handle((uint64_t)number) + 1);
}

static void on_first(int number)
{
	if (nested)
		kill(getpid(), SIGUSR1);
	else
		keep(handle((uint64_t)number) + 1);
	keep((uint64_t)number);
}

static void install(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	if (sigaction(number, &action, NULL))
		exit(1);
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;
	const char *mode = argc > 2 ? argv[2] : "normal";
	int flags = strcmp(mode, "alternate") ? 0 : SA_ONSTACK;
	static char storage[65536];
	stack_t stack = {.ss_sp = storage, .ss_size = sizeof(storage)};
	struct itimerval every = {{0, 2000}, {0, 2000}};

	nested = !strcmp(mode, "nested");
	if (sigaltstack(&stack, NULL))
		return 1;
	install(SIGALRM, on_first, flags);
	install(SIGUSR1, on_second, flags);
	setitimer(ITIMER_REAL, &every, NULL);
	while (before(end))
		x = outer(x);
	keep(x);
	return 0;
}
