/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/seccomp_filter: what is on the list works, all else is refused. */
#include "symbolizer/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs TRY in a child behind the filter: its result, or -the signal that ended it. Nothing but
 * bare system calls: the runtime of a sanitizer is none of the filter's. */
static int behind_it(int (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_filter_install() < 0)
			syscall(SYS_exit_group, 99);
		syscall(SYS_exit_group, try());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool is_refused(long r)
{
	return r == -1 && errno == EPERM;
}

static int what_work_needs(void)
{
	int fd = (int)syscall(SYS_memfd_create, "f", MFD_ALLOW_SEALING);
	char c = 0;
	struct stat st;
	void *p;

	if (fd < 0 || syscall(SYS_write, fd, "x", 1) != 1 ||
	    syscall(SYS_pread64, fd, &c, 1, 0) != 1 || c != 'x')
		return 1;
	if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) < 0 ||
	    syscall(SYS_fcntl, fd, F_GETFL) < 0 || syscall(SYS_fcntl, fd, F_GETFD) < 0 ||
	    syscall(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		return 2;
	p = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || syscall(SYS_munmap, p, 4096) < 0 || syscall(SYS_close, fd) < 0)
		return 3;
	return 0;
}

static int calls_that_are_not_listed(void)
{
	if (!is_refused(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY)))
		return 1;
	if (!is_refused(syscall(SYS_getpid)) || !is_refused(syscall(SYS_socket, 1, 1, 0)))
		return 2;
	if (!is_refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)))
		return 3;
	/* Beyond the last number there is. */
	return is_refused(syscall(100000)) ? 0 : 4;
}

static int arguments_that_are_not_listed(void)
{
	struct stat st;

	if (!is_refused(syscall(SYS_newfstatat, AT_FDCWD, "/", &st, 0)) ||
	    !is_refused(
		syscall(SYS_newfstatat, AT_FDCWD, "/", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)))
		return 1;
	if (!is_refused(syscall(SYS_fcntl, 0, F_DUPFD, 0)) ||
	    !is_refused(syscall(SYS_fcntl, 0, F_SETFL, O_NONBLOCK)))
		return 2;
	for (int prot = PROT_EXEC; prot <= (PROT_EXEC | PROT_WRITE | PROT_READ); prot++)
		if (!is_refused(
			syscall(SYS_mmap, NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
			return 3;
	return 0;
}

static int another_filter_on_top(void)
{
	return is_refused(seccomp_filter_install() < 0 ? -1 : 0) ? 0 : 1;
}

#ifdef __x86_64__
static int by_the_numbers_of_32_bits(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	return (int)r;
}

static int by_the_numbers_of_x32(void)
{
	return is_refused(syscall(0x40000000 | SYS_pread64, 0, NULL, 0, 0)) ? 0 : 1;
}
#endif

static void what_is_listed_works(void **state)
{
	assert_int_equal(behind_it(what_work_needs), 0);
}

static void all_else_is_refused(void **state)
{
	assert_int_equal(behind_it(calls_that_are_not_listed), 0);
	assert_int_equal(behind_it(arguments_that_are_not_listed), 0);
	assert_int_equal(behind_it(another_filter_on_top), 0);
}

static void other_architectures_are_refused(void **state)
{
#ifdef __x86_64__
	assert_int_equal(behind_it(by_the_numbers_of_32_bits), -SIGSYS);
	assert_int_equal(behind_it(by_the_numbers_of_x32), 0);
#else
	print_message("this processor has one set of numbers only\n");
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_listed_works),
	    cmocka_unit_test(all_else_is_refused),
	    cmocka_unit_test(other_architectures_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
