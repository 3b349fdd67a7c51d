/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/vdso.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/procfs.h"

static int take_vdso(void *ctx, const struct procfs_mapping *m)
{
	size_t n = m->end - m->start;
	int *ret = ctx;
	int fd;

	if (strcmp(m->object.path, "[vdso]"))
		return 0;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd >= 0 && write_full(fd, (const void *)(uintptr_t)m->start, n) != (int64_t)n)
		fd = close_fd(fd);
	*ret = fd;
	return 0;
}

int vdso_open(void)
{
	int fd = -1;

	if (procfs_read_maps((uint32_t)getpid(), (uint32_t)getpid(), take_vdso, &fd) < 0)
		fd = close_fd(fd);
	return fd;
}
