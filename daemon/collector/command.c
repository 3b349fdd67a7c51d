/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static _Noreturn void become_command(char **argv, int go_fd, int failed_fd)
{
	sigset_t none;
	int error;
	char c;

	/* Our end of the pipe closes when we are let go, or when the profiler dies: then there
	 * is no one to run for. */
	if (read(go_fd, &c, 1) != 1)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	error = errno;
	(void)!write(failed_fd, &error, sizeof(error)); /* if even this fails, 127 says enough */
	_exit(127);
}

int command__prepare(struct command *c, char **argv)
{
	int go[2] = {-1, -1}, failed[2] = {-1, -1};
	int r = 0;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(go, O_CLOEXEC) < 0 ||
	    pipe2(failed, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0) {
		c->pid = fork();
		if (c->pid < 0)
			r = -errno;
	}
	if (r == 0 && c->pid == 0) {
		close_fd(go[1]);
		become_command(argv, go[0], failed[1]);
	}
	close_fd(go[0]);
	close_fd(failed[1]);
	if (r < 0) {
		close_fd(go[1]);
		close_fd(failed[0]);
		c->pid = 0;
		return r;
	}
	c->go_fd = go[1];
	c->failed_fd = failed[0];
	return 0;
}

static void note_status(struct command *c, int status)
{
	c->ended = true;
	c->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int command__release(struct command *c)
{
	int error = 0;
	ssize_t n;

	if (write(c->go_fd, "", 1) != 1)
		return -errno;
	c->go_fd = close_fd(c->go_fd);
	do
		n = read(c->failed_fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	c->failed_fd = close_fd(c->failed_fd);
	if (n != sizeof(error))
		return 0; /* exec closed the pipe */
	command__wait(c);
	return -error;
}

void command__reap(struct command *c)
{
	int status;

	if (c->pid && !c->ended && waitpid(c->pid, &status, WNOHANG) == c->pid)
		note_status(c, status);
}

void command__wait(struct command *c)
{
	int status;

	if (c->pid && !c->ended && waitpid(c->pid, &status, 0) == c->pid)
		note_status(c, status);
}

void command__fini(struct command *c)
{
	close_fd(c->go_fd);
	close_fd(c->failed_fd);
	c->go_fd = c->failed_fd = -1;
	if (c->pid && !c->ended) {
		kill(c->pid, SIGKILL);
		command__wait(c);
	}
}
