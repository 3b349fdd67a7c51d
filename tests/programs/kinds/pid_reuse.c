/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pid_reuse SECONDS PROGRAM...: executes one PROGRAM after the other, each for 200 ms, all with
 * the same process id, which it prints.
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../burn.h"

static pid_t clone_as(pid_t pid)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	if (pid) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);
	pid_t pid = 0;

	if (argc < 3)
		return 2;
	for (int i = 2; before(end); i = i + 1 < argc ? i + 1 : 2) {
		pid_t child = clone_as(pid);

		if (child == 0) {
			execl(argv[i], argv[i], "0.2", NULL);
			_exit(1);
		}
		if (child < 0) {
			perror("clone3");
			return 1;
		}
		if (!pid) {
			printf("%d\n", child);
			fflush(stdout);
		}
		pid = child;
		waitpid(child, NULL, 0);
	}
	return 0;
}
