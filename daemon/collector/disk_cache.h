/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that we keep from run to run, in a directory of our own: what the symbolizer has made of a
 * file, found by the identity of that file. Only whole files are seen; of too many those go first
 * that were not used for the longest time. Nobody but us can write there, and yet whoever reads one
 * checks it: the disk may have damaged it. One thread.
 *
 * The identity is the very file's, never what the file says of itself: a build id can be copied
 * into any file, also by root of a container, whose files are root's for us too. So nobody but who
 * can change a file changes what is kept for it. A file system that a process serves may lie about
 * its files, but not about its device number.
 */
#ifndef COLLECTOR_DISK_CACHE_H
#define COLLECTOR_DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "daemon/collector/file_identity.h"

struct disk_cache {
	int dirfd;		    /* owned */
	struct file_identity maker; /* the symbolizer: another makes other things */
	uint64_t bytes_max;
	uint64_t added_bytes; /* since it was last looked through for what is too much */
};

/* The directory NAME below $CACHE_DIRECTORY, which systemd sets, or /var/cache/cprofd. Writes to
 * PATH. */
void disk_cache_locate(char *path, size_t size, const char *name);

/*
 * The cache of at most BYTES_MAX bytes in the directory PATH, which is made if it is missing, and
 * so is its parent. MAKER is the path of the symbolizer. 0, -EPERM where the directory is not ours
 * alone, or -errno.
 */
int disk_cache__init(struct disk_cache *c, const char *path, const char *maker, uint64_t bytes_max);
void disk_cache__fini(struct disk_cache *c);

/* Opens what is kept for the file ID: *RET_FD is the caller's, *RET_SIZE its bytes. It counts as
 * used. 0, -ENOENT where there is nothing, or -errno. */
int disk_cache__open(const struct disk_cache *c, const struct file_identity *id, int *ret_fd,
		     uint64_t *ret_size);

/*
 * Keeps the N_PARTS parts, one after the other, for the file ID, in the place of what was there.
 * With SYNC it is on the disk before it replaces that; without, a crash may leave what is not
 * whole. 0, or -errno, which costs nothing but time.
 */
int disk_cache__put(struct disk_cache *c, const struct file_identity *id, const struct iovec *parts,
		    int n_parts, bool sync);

#endif
