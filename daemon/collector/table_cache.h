/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables on disk, so that what was made once need not be made again at the next start.
 *
 * A table is found by the file it was made of: device, inode, size, times of change; and by the
 * symbolizer that made it. Nobody but us can write into the directory, and what is read back is
 * checked all the same: a table that is not whole is as good as none. One thread.
 */
#ifndef COLLECTOR_TABLE_CACHE_H
#define COLLECTOR_TABLE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/ipc/messages.h"

/* All tables together; beyond, those that were not used for the longest time go. */
#define TABLE_CACHE_BYTES_MAX (256u << 20)

struct table_cache;

/* Where the cache is: below $CACHE_DIRECTORY, which systemd sets, or /var/cache/cprofd. Writes to
 * PATH. */
void table_cache_locate(char *path, size_t size);

/*
 * The cache in the directory PATH, which is made if it is missing, and so is its parent. SYMBOLIZER
 * is the program that makes the tables. 0, -EPERM where the directory is not ours alone, or -errno.
 */
int table_cache__new(struct table_cache **ret, const char *path, const char *symbolizer);
/* Takes NULL. Returns NULL. */
struct table_cache *table_cache__free(struct table_cache *c);

/*
 * The table of the file behind FD (borrowed): *RET_FD is the caller's, to be mapped from
 * TABLE_CACHE_LINES_OFF on, and *RET tells its size. 0, -ENOENT where there is none, or -errno.
 */
int table_cache__find(struct table_cache *c, int fd, int *ret_fd, struct msg_unwind_table *ret);
#define TABLE_CACHE_LINES_OFF 4096

/* Keeps the table LINES of the file behind FD. 0, or -errno, which costs nothing but time. */
int table_cache__put(struct table_cache *c, int fd, const struct msg_unwind_table *table,
		     const struct unwind_line *lines);

#endif
