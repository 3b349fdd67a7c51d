/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file read from its beginning to its end through a small buffer, for formats that are lists of
 * lines or records and grow while they are read. Nothing is mapped, so a file that is truncated
 * meanwhile only ends earlier.
 */
#ifndef SYMBOLIZER_FILE_WINDOW_H
#define SYMBOLIZER_FILE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define FILE_WINDOW_BYTES (64u << 10)

struct file_window {
	int fd; /* borrowed */
	uint8_t *bytes;
	uint64_t off; /* of bytes[0] in the file */
	size_t n;
	uint64_t end; /* nothing is read from here on */
};

/* Nothing at END or behind it is shown. 0 or -ENOMEM. */
int file_window__init(struct file_window *fw, int fd, uint64_t end);
void file_window__fini(struct file_window *fw);

/*
 * Shows the bytes at OFF: at least WANT (<= FILE_WINDOW_BYTES) unless the file ends before. *RET is
 * borrowed until the next call. Returns how many there are, which may be more, or -errno.
 */
int64_t file_window__at(struct file_window *fw, uint64_t off, size_t want, const uint8_t **ret);

#endif
