/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/file_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int file_identity_of(int fd, struct file_identity *ret)
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
	return 0;
}
