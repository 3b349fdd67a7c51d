/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork [SECONDS]: forks one child after the other; each works 40 ms of CPU time in child_work() and
 * ends. Prints how many there were.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

#define CHILD_CPU_NS 40000000u

static NOINLINE uint64_t child_work(uint64_t x)
{
	return burn(x, 50000) + 1;
}

static void child(void)
{
	uint64_t x = 1;

	while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < CHILD_CPU_NS)
		x = child_work(x);
	keep(x);
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);
	int n = 0;

	while (before(end)) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (!pid)
			child();
		waitpid(pid, NULL, 0);
		n++;
	}
	printf("%d children\n", n);
	return 0;
}
