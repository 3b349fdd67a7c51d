/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cprofd-symbolizer, its own source and sandbox, that answers one question more: how do all
 * attempts to get out of it end? This is the only program that has it.
 *
 * MSG_ESCAPE: one descriptor, a file open for reading. MSG_ESCAPE_OK: lines "NAME RESULT", 0 or
 * -errno. MSG_FOREIGN is never answered: it makes a system call by another architecture's numbers.
 *
 * With the argument "free" it tries without a sandbox, to show that the attempts are good for
 * something; each in a child of its own, since some end or change the process.
 */
#define main symbolizer_main
#include "symbolizer/main.c"
#undef main

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/sandbox/escapes.h"

#define MSG_ESCAPE 1000
#define MSG_ESCAPE_OK 1001
#define MSG_FOREIGN 1002

#define TEXT_BYTES (16u << 10)

/* What a child says of its attempt; programs that it becomes succeed. */
static long attempt_freely(const struct escape *e, int file)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		alarm(5);
		_exit((int)-e->attempt(file));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static size_t attempt_all(int file, bool freely, char *text)
{
	size_t n, used = 0;
	const struct escape *all = escapes(&n);

	for (size_t i = 0; i < n; i++) {
		long r = freely ? attempt_freely(&all[i], file) : all[i].attempt(file);

		used +=
		    (size_t)snprintf(text + used, TEXT_BYTES - used, "%s %ld\n", all[i].name, r);
	}
	return used;
}

/* getpid() as 32-bit programs call it. */
static void call_foreign(void)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	(void)r;
#endif
}

static int answer_escape(const struct ipc_msg *msg, struct ipc_msg *ret)
{
	char *text = malloc(TEXT_BYTES);

	if (!text || msg->n_fds != 1)
		return -EINVAL;
	ret->n_bytes = (uint32_t)attempt_all(msg->fds[0], false, text);
	ret->payload = text;
	ret->type = MSG_ESCAPE_OK;
	return 0;
}

static int serve_or_escape(int sock)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT, answer = IPC_MSG_INIT;
	int r = ipc_recv(sock, &msg, IPC_FOREVER);

	if (r < 0)
		return r;
	if (msg.type == MSG_FOREIGN)
		call_foreign();
	r = msg.type == MSG_ESCAPE ? answer_escape(&msg, &answer) : answer_question(&msg, &answer);
	answer.id = msg.id;
	return r < 0 ? r : ipc_send(sock, &answer, IPC_FOREVER);
}

static int try_freely(void)
{
	static char text[TEXT_BYTES];
	int pair[2];
	size_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    dup2(pair[0], IPC_SYMBOLIZER_FD) != IPC_SYMBOLIZER_FD)
		return 1;
	n = attempt_all(open("victim", O_RDONLY), true, text);
	return write(STDOUT_FILENO, text, n) == (ssize_t)n ? 0 : 1;
}

int main(int argc, char **argv)
{
	int r;

	if (argc == 2 && !strcmp(argv[1], "free"))
		return try_freely();
	r = begin(IPC_SYMBOLIZER_FD);
	while (r == 0)
		r = serve_or_escape(IPC_SYMBOLIZER_FD);
	return r == -EPIPE ? 0 : 1;
}
