/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file it is and in which state: what is kept about a file's content is kept under this, and
 * is void when it changes. Nobody but root can make up one that another file has.
 */
#ifndef COLLECTOR_FILE_IDENTITY_H
#define COLLECTOR_FILE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct file_identity {
	uint64_t dev, ino, size; /* all zero = no file */
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

/* That of the file behind FD (borrowed), as the kernel knows it: a file's server is not asked. 0 or
 * -errno. */
int file_identity_of(int fd, struct file_identity *ret);

/* The same, but -ENOENT for a file without a name, which will not be met again. */
int file_identity_of_named(int fd, struct file_identity *ret);

/* Whether ID is that of any file. */
bool file_identity_is_set(const struct file_identity *id);

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

#endif
