/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/vdso.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/procfs.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct image {
	const void *bytes; /* NULL = there is none */
	size_t n_bytes;
};

static int take_image(void *ctx, const struct procfs_mapping *m)
{
	struct image *ret = ctx;

	if (!strcmp(m->object.path, "[vdso]"))
		*ret = (struct image){(const void *)(uintptr_t)m->start, m->end - m->start};
	return 0;
}

static struct image own_image(void)
{
	struct image image = {0};

	if (procfs_read_maps((uint32_t)getpid(), (uint32_t)getpid(), take_image, &image) < 0)
		image.bytes = NULL;
	return image;
}

int vdso_open(void)
{
	struct image image = own_image();
	cleanup_close int fd = -1;

	if (!image.bytes)
		return -1;
	fd = memfd_create("vdso", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write_full(fd, image.bytes, image.n_bytes) != (int64_t)image.n_bytes ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -1;
	return steal_fd(&fd);
}

bool vdso_is(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS); /* fails for what is on a disk */
	cleanup_free char *bytes = NULL;
	struct image image;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return false;
	image = own_image();
	bytes = image.bytes ? malloc(image.n_bytes + 1) : NULL;
	return bytes && pread_full(fd, bytes, image.n_bytes + 1, 0) == (int64_t)image.n_bytes &&
	       !memcmp(bytes, image.bytes, image.n_bytes);
}
