/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libburner.so, for LD_PRELOAD: turns any dynamically linked program into one that is mapped with
 * all its libraries and constructed, but whose main() never runs: it burns 1 ms every 250 ms for
 * BURNER_SECONDS (60), half of it in a callback of the C library's qsort. The stack goes through
 * libc down to the program's own _start.
 */
#include <dlfcn.h>
#include <sys/prctl.h>

#include "burn.h"

#define BURST_NS 1000000u
#define PAUSE_NS 249000000

typedef int (*main_fn)(int argc, char **argv, char **envp);
typedef int (*start_fn)(main_fn main, int argc, char **argv, main_fn init, void (*fini)(void),
			void (*rtld_fini)(void), void *stack_end);

static int compare(const void *a, const void *b)
{
	uint64_t x = burn(*(const uint64_t *)a | 1, 50), y = burn(*(const uint64_t *)b | 1, 50);

	return (x > y) - (x < y);
}

static NOINLINE void burst(uint64_t *x)
{
	uint64_t end = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + BURST_NS, values[64];

	while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
		for (int i = 0; i < 64; i++)
			values[i] = *x = burn(*x, 100);
		qsort(values, 64, sizeof(values[0]), compare);
	}
}

static int instead_of_main(int argc, char **argv, char **envp)
{
	uint64_t end = end_after(getenv("BURNER_SECONDS"), 60), x = 1;

	(void)argc;
	(void)argv;
	(void)envp;
	prctl(PR_SET_PDEATHSIG, 9); /* ends with the benchmark */
	while (before(end)) {
		burst(&x);
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	}
	_Exit(0);
}

/* What _start calls, in place of the C library's. */
__attribute__((visibility("default"))) int __libc_start_main(main_fn main, int argc, char **argv,
							     main_fn init, void (*fini)(void),
							     void (*rtld_fini)(void),
							     void *stack_end)
{
	start_fn next = (start_fn)dlsym(RTLD_NEXT, "__libc_start_main");

	(void)main;
	return next(instead_of_main, argc, argv, init, fini, rtld_fini, stack_end);
}
