/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for each test, which is its working directory and goes with it. */
#ifndef TESTS_SCRATCH_DIR_H
#define TESTS_SCRATCH_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_dir__enter(void **state)
{
	char *dir = strdup("/tmp/cprofd-test.XXXXXX");

	umask(022);
	if (!dir || !mkdtemp(dir) || chmod(dir, 0755) < 0 || chdir(dir) < 0) {
		free(dir);
		return -1;
	}
	*state = dir;
	return 0;
}

static inline int scratch_dir_remove_one(const char *path, const struct stat *st, int flag,
					 struct FTW *ftw)
{
	return remove(path);
}

static inline int scratch_dir__leave(void **state)
{
	int r = chdir("/");

	if (r == 0)
		r = nftw(*state, scratch_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return r;
}

/* For the list of tests. */
#define in_scratch_dir(fn)                                                                         \
	cmocka_unit_test_setup_teardown(fn, scratch_dir__enter, scratch_dir__leave)

#endif
