/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolizer/sandbox: what a process is after it has entered. That nobody gets out is the matter of
 * tests/integration/test_sandbox.py.
 */
#include "symbolizer/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

#define SOCK 5

struct inmate {
	pid_t pid;
	int sock; /* ours; closing it lets it go */
	int r;	  /* of sandbox_enter() */
	struct sandbox sandbox;
};

/* In the child: enters with SOCK, tells how that went, and waits until it may end. */
static _Noreturn void enter_and_wait(int theirs)
{
	struct inmate me = {0};
	struct iovec out = {&me, sizeof(me)}, in = {&(char){0}, 1};

	if (dup2(theirs, SOCK) < 0 || dup2(theirs, SOCK + 7) < 0)
		_exit(99);
	me.r = sandbox_enter(SOCK, &me.sandbox);
	if (sendmsg(SOCK, &(struct msghdr){.msg_iov = &out, .msg_iovlen = 1}, 0) != sizeof(me))
		_exit(98);
	(void)!recvmsg(SOCK, &(struct msghdr){.msg_iov = &in, .msg_iovlen = 1}, 0);
	_exit(0);
}

static void imprison(struct inmate *ret)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		enter_and_wait(pair[1]);
	close(pair[1]);
	assert_int_equal(read_full(pair[0], ret, sizeof(*ret)), sizeof(*ret));
	ret->pid = pid;
	ret->sock = pair[0];
}

static void release(struct inmate *inmate)
{
	int status;

	close(inmate->sock);
	assert_int_equal(waitpid(inmate->pid, &status, 0), inmate->pid);
	assert_int_equal(status, 0);
}

/* What follows KEY in the inmate's /proc/PID/NAME. */
static void field(const struct inmate *inmate, const char *name, const char *key, char *ret,
		  size_t size)
{
	cleanup_free char *text = NULL;
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)inmate->pid, name);
	assert_int_equal(read_text_file(AT_FDCWD, path, 1 << 16, &text, NULL), 0);
	at = strstr(text, key);
	assert_non_null(at);
	at += strlen(key);
	at += strspn(at, " \t");
	snprintf(ret, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void it_holds(void **state)
{
	struct inmate inmate;
	char text[128];

	imprison(&inmate);
	assert_int_equal(inmate.r, 0);
	assert_null(inmate.sandbox.step);
	if (!inmate.sandbox.is_entered) {
		release(&inmate);
		print_message("there is no sandbox in a build with AddressSanitizer\n");
		skip();
	}
	field(&inmate, "status", "Seccomp:", text, sizeof(text));
	assert_string_equal(text, "2");
	field(&inmate, "status", "NoNewPrivs:", text, sizeof(text));
	assert_string_equal(text, "1");
	field(&inmate, "status", "CapPrm:", text, sizeof(text));
	assert_string_equal(text, "0000000000000000");
	field(&inmate, "status", "Uid:", text, sizeof(text));
	assert_int_not_equal(atoi(text), 0);
	if (geteuid() == 0)
		assert_int_equal(atoi(text), SANDBOX_UID);
	field(&inmate, "limits", "Max processes", text, sizeof(text));
	assert_int_equal(atoi(text), 0);
	release(&inmate);
}

/* Descriptors below and above the socket's, and what the streams lead to. */
static void only_the_socket_stays(void **state)
{
	char path[64], target[64];
	struct inmate inmate;
	ssize_t n;

	if (geteuid() != 0) {
		print_message("only root may look at what is not dumpable\n");
		skip();
	}
	imprison(&inmate);
	for (int fd = 0; fd < 20; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)inmate.pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		assert_int_equal(n > 0, fd <= STDERR_FILENO || fd == SOCK);
		target[n > 0 ? n : 0] = '\0';
		if (fd == SOCK)
			assert_ptr_equal(strstr(target, "socket:"), target);
	}
	release(&inmate);
}

/* The streams are closed in any case, so the socket cannot be one of them. */
static void a_stream_is_no_socket(void **state)
{
	struct sandbox sandbox;

	assert_int_equal(sandbox_enter(STDERR_FILENO, &sandbox), -EINVAL);
	assert_non_null(sandbox.step);
	assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
}

/* Becoming nobody takes back what the kernel does when a parent ends; it is asked for anew. */
static void it_ends_with_who_started_it(void **state)
{
	struct pollfd ended = {.events = POLLIN};
	struct inmate inmate;
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (fork() == 0)
			enter_and_wait(pair[1]);
		close(pair[1]);
		pause();
	}
	close(pair[1]);
	assert_int_equal(read_full(pair[0], &inmate, sizeof(inmate)), sizeof(inmate));
	assert_int_equal(inmate.r, 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* Our end is open, so it waits for us: only its parent's death can end it. Without a
	 * sandbox nothing does. */
	ended.fd = pair[0];
	if (inmate.sandbox.is_entered)
		assert_int_equal(poll(&ended, 1, 10000), 1);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_holds),
	    cmocka_unit_test(only_the_socket_stays),
	    cmocka_unit_test(a_stream_is_no_socket),
	    cmocka_unit_test(it_ends_with_who_started_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
