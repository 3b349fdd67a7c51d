/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/vdso: the kernel's code that every process has. */
#include "daemon/collector/vdso.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

static void is_a_copy_of_our_own(void **state)
{
	const void *own = (const void *)getauxval(AT_SYSINFO_EHDR);
	cleanup_close int fd = vdso_open();
	char page[4096];
	struct stat st;

	if (!own) {
		assert_int_equal(fd, -1);
		print_message("this kernel has no vDSO\n");
		skip();
	}
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size >= 4096 && st.st_size % 4096 == 0);
	assert_int_equal(pread_full(fd, page, sizeof(page), 0), sizeof(page));
	assert_memory_equal(page, ELFMAG, SELFMAG);
	assert_memory_equal(page, own, sizeof(page));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static bool vdso_is_copied(size_t n, int seals, char first)
{
	const char *own = (const void *)getauxval(AT_SYSINFO_EHDR);
	cleanup_close int fd = memfd_create("vdso", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write_full(fd, own, n), n);
	assert_int_equal(pwrite(fd, &first, 1, 0), 1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return vdso_is(fd);
}

/* What is told from it: anything that differs, and what somebody may still change. */
static void only_its_own_bytes_are_it(void **state)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	cleanup_close int fd = vdso_open();
	cleanup_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		skip();
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(vdso_is(fd));
	assert_false(vdso_is(exe));
	assert_false(vdso_is(-1));
	assert_true(vdso_is_copied((size_t)st.st_size, seals, ELFMAG0));
	assert_false(vdso_is_copied((size_t)st.st_size, seals, 'x'));
	assert_false(vdso_is_copied((size_t)st.st_size - 1, seals, ELFMAG0));
	assert_false(vdso_is_copied((size_t)st.st_size, 0, ELFMAG0));
	assert_false(vdso_is_copied((size_t)st.st_size, seals & ~F_SEAL_WRITE, ELFMAG0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_a_copy_of_our_own),
	    cmocka_unit_test(only_its_own_bytes_are_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
