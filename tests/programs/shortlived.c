/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shortlived [SECONDS]: starts itself again and again, as a new program each time; each works 20 ms
 * of CPU time in short_work() and ends. Prints how many there were. Must be started by its path.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

#define CHILD_CPU_NS 20000000u

static NOINLINE uint64_t short_work(uint64_t x)
{
	return burn(x, 50000) + 1;
}

static int child(void)
{
	uint64_t x = 1;

	while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < CHILD_CPU_NS)
		x = short_work(x);
	keep(x);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t end;
	int n = 0;

	if (argc > 1 && !strcmp(argv[1], "child"))
		return child();
	end = end_after(argc > 1 ? argv[1] : NULL, 60);
	while (before(end)) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (!pid) {
			execl(argv[0], argv[0], "child", NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
		n++;
	}
	printf("%d children\n", n);
	return 0;
}
