/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/file_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int read_identity(int fd, struct file_identity *ret, uint32_t *ret_n_names)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
		return -errno;
	*ret = (struct file_identity){
	    .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
	    .ino = st.stx_ino,
	    .size = st.stx_size,
	    .mtime_s = st.stx_mtime.tv_sec,
	    .mtime_ns = st.stx_mtime.tv_nsec,
	    .ctime_s = st.stx_ctime.tv_sec,
	    .ctime_ns = st.stx_ctime.tv_nsec,
	};
	*ret_n_names = st.stx_nlink;
	return 0;
}

int file_identity_of(int fd, struct file_identity *ret)
{
	uint32_t n_names;

	return read_identity(fd, ret, &n_names);
}

int file_identity_of_named(int fd, struct file_identity *ret)
{
	uint32_t n_names;
	int r = read_identity(fd, ret, &n_names);

	return r == 0 && !n_names ? -ENOENT : r;
}

bool file_identity_is_set(const struct file_identity *id)
{
	return id->dev || id->ino;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return !memcmp(a, b, sizeof(*a));
}
