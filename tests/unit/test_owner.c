/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/owner: what only root can have written, and what merely says so. */
#include "daemon/collector/owner.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/vdso.h"
#include "tests/unit/scratch_dir.h"

static enum owner owner_of_path(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return owner_of(fd);
}

static void the_system_is_root_s(void **state)
{
	struct stat st;

	if (stat("/usr/bin/env", &st) < 0 || st.st_uid != 0) {
		print_message("there is no /usr/bin/env of root's\n");
		skip();
	}
	assert_int_equal(owner_of_path("/usr/bin/env"), OWNER_ROOT);
	assert_int_equal(owner_of_path("/bin/sh"), OWNER_ROOT); /* through whatever links */
}

static void what_is_no_file_is_not(void **state)
{
	assert_int_equal(owner_of(-1), OWNER_OTHERS);
	assert_int_equal(owner_of_path("/usr"), OWNER_OTHERS);
	assert_int_equal(owner_of_path("/dev/null"), OWNER_OTHERS);
}

/* Root's or not: nobody installs programs there. */
static void other_places_are_not(void **state)
{
	cleanup_close int fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(owner_of(fd), OWNER_OTHERS);
}

static void files_in_memory_are_not_but_the_vdso(void **state)
{
	cleanup_close int memory = memfd_create("usr", MFD_CLOEXEC);
	cleanup_close int vdso = vdso_open();

	assert_int_equal(fchmod(memory, 0444), 0);
	assert_int_equal(owner_of(memory), OWNER_OTHERS);
	if (vdso >= 0)
		assert_int_equal(owner_of(vdso), OWNER_ROOT);
}

/* ---- in a mount namespace of our own, with a file system of our own at /opt ------------------ */

static void put(const char *path, mode_t mode, uid_t uid)
{
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fchown(fd, uid, 0) < 0 || fchmod(fd, mode) < 0)
		_exit(1);
}

static void expect(const char *path, enum owner want, int status)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || owner_of(fd) != want)
		_exit(status);
}

/* Another namespace's file at the same path: what a container shows as its own /opt. */
static void expect_hidden(int status)
{
	cleanup_close int fd = open("/opt/root", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || mount("none", "/opt", "tmpfs", 0, NULL) < 0)
		_exit(1);
	put("/opt/root", 0755, 0);
	if (owner_of(fd) != OWNER_OTHERS)
		_exit(status);
	expect("/opt/root", OWNER_ROOT, status + 1);
}

static _Noreturn void look_at_opt(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/opt", "tmpfs", 0, NULL) < 0)
		_exit(77);
	put("/opt/root", 0755, 0);
	put("/opt/user", 0755, 1000);
	put("/opt/group", 0775, 0);
	put("/opt/all", 0757, 0);
	put("/opt/gone", 0755, 0);
	expect("/opt/root", OWNER_ROOT, 2);
	expect("/opt/user", OWNER_OTHERS, 3);
	expect("/opt/group", OWNER_OTHERS, 4);
	expect("/opt/all", OWNER_OTHERS, 5);
	{
		cleanup_close int fd = open("/opt/gone", O_RDONLY | O_CLOEXEC);

		if (unlink("/opt/gone") < 0 || owner_of(fd) != OWNER_OTHERS)
			_exit(6);
		put("/opt/gone", 0755, 0);
		if (owner_of(fd) != OWNER_OTHERS)
			_exit(7);
	}
	expect_hidden(8);
	_exit(0);
}

static void who_may_write_decides(void **state)
{
	pid_t pid = geteuid() == 0 ? fork() : -1;
	int status;

	if (pid == 0)
		unshare(CLONE_NEWNS) < 0 ? _exit(77) : look_at_opt();
	if (pid < 0) {
		print_message("only root may mount\n");
		skip();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("nothing can be mounted here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_system_is_root_s),
	    cmocka_unit_test(what_is_no_file_is_not),
	    in_scratch_dir(other_places_are_not),
	    cmocka_unit_test(files_in_memory_are_not_but_the_vdso),
	    cmocka_unit_test(who_may_write_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
