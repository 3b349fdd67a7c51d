/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/owner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/collector/vdso.h"

/* Where programs and libraries are installed, which needs root's rights. */
static const char *const system_paths[] = {"/usr/",  "/lib/", "/lib64/",     "/bin/",
					   "/sbin/", "/opt/", "/nix/store/", "/gnu/store/"};

static bool is_system_path(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_paths); i++)
		if (!strncmp(path, system_paths[i], strlen(system_paths[i])))
			return true;
	return false;
}

/* statx() of what the kernel knows already: a file's server may never answer. */
static bool look(int dirfd, const char *path, int flags, struct statx *ret)
{
	const unsigned want = STATX_TYPE | STATX_MODE | STATX_UID | STATX_INO;

	return statx(dirfd, path, flags | AT_STATX_DONT_SYNC, want, ret) == 0 &&
	       (ret->stx_mask & want) == want;
}

static bool is_same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static bool is_of_the_system(int fd, const struct statx *st)
{
	char link[64], path[PATH_MAX];
	struct statx here;
	ssize_t n;

	if (!S_ISREG(st->stx_mode) || st->stx_uid != 0 || (st->stx_mode & (S_IWGRP | S_IWOTH)))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return is_system_path(path) && look(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &here) &&
	       is_same_file(st, &here);
}

enum owner owner_of(int fd)
{
	struct statx st;

	if (look(fd, "", AT_EMPTY_PATH, &st) && is_of_the_system(fd, &st))
		return OWNER_ROOT;
	return vdso_is(fd) ? OWNER_ROOT : OWNER_OTHERS;
}
