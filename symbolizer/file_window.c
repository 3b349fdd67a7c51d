/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/file_window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

int file_window__init(struct file_window *fw, int fd, uint64_t end)
{
	*fw = (struct file_window){.fd = fd, .end = end};
	fw->bytes = malloc(FILE_WINDOW_BYTES);
	return fw->bytes ? 0 : -ENOMEM;
}

void file_window__fini(struct file_window *fw)
{
	free(fw->bytes);
	*fw = (struct file_window){.fd = -1};
}

int64_t file_window__at(struct file_window *fw, uint64_t off, size_t want, const uint8_t **ret)
{
	int64_t n;

	assert(want <= FILE_WINDOW_BYTES);
	*ret = fw->bytes;
	if (off >= fw->end)
		return 0;
	if (off < fw->off || off - fw->off >= fw->n || fw->n - (off - fw->off) < want) {
		n = pread_full(fw->fd, fw->bytes, MIN(FILE_WINDOW_BYTES, fw->end - off), off);
		if (n < 0)
			return n;
		fw->off = off;
		fw->n = (size_t)n;
	}
	*ret = fw->bytes + (off - fw->off);
	return (int64_t)(fw->n - (off - fw->off));
}
