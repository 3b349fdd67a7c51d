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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_a_copy_of_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
