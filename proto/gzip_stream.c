/* SPDX-License-Identifier: Apache-2.0 */
/* One gzip member, streamed; see gzip_stream.h. */
#include "proto/gzip_stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/util.h"

/* The writer hands over a few bytes at a time; deflate() is called for blocks of this size only,
 * at fixed places of the stream, so that the output does not depend on how the input is cut. */
#define BLOCK_SIZE ((size_t)64 << 10)

/* zlib: the largest window, and 16 more for a gzip header instead of zlib's own. */
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_LEVEL 1

struct gzip_stream {
	z_stream z;
	int fd;
	size_t n_in; /* bytes waiting in in[] */
	uint64_t n_written;
	unsigned char in[BLOCK_SIZE];
	unsigned char out[BLOCK_SIZE];
};

int gzip_stream__new(struct gzip_stream **ret, int fd)
{
	cleanup_free struct gzip_stream *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->z = (z_stream){0};
	s->fd = fd;
	s->n_in = 0;
	s->n_written = 0;
	if (deflateInit2(&s->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	*ret = steal_ptr(s);
	return 0;
}

struct gzip_stream *gzip_stream__free(struct gzip_stream *s)
{
	if (s)
		deflateEnd(&s->z);
	free(s);
	return NULL;
}

/* Compresses what waits and writes what comes out. FLUSH is Z_NO_FLUSH or Z_FINISH. */
static int compress_block(struct gzip_stream *s, int flush)
{
	int r;

	s->z.next_in = s->in;
	s->z.avail_in = (uInt)s->n_in;
	s->n_in = 0;
	do {
		int64_t n;

		s->z.next_out = s->out;
		s->z.avail_out = sizeof(s->out);
		r = deflate(&s->z, flush);
		assert(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
		n = write_full(s->fd, s->out, sizeof(s->out) - s->z.avail_out);
		if (n < 0)
			return (int)n;
		s->n_written += (uint64_t)n;
	} while (s->z.avail_out == 0);
	assert(s->z.avail_in == 0 && (flush != Z_FINISH || r == Z_STREAM_END));
	return 0;
}

int gzip_stream__write(struct gzip_stream *s, const void *p, size_t n)
{
	const unsigned char *from = p;

	while (n > 0) {
		size_t part = MIN(n, sizeof(s->in) - s->n_in);

		memcpy(s->in + s->n_in, from, part);
		s->n_in += part;
		from += part;
		n -= part;
		if (s->n_in == sizeof(s->in)) {
			int r = compress_block(s, Z_NO_FLUSH);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int gzip_stream__finish(struct gzip_stream *s, uint64_t *ret_bytes)
{
	int r = compress_block(s, Z_FINISH);

	if (r < 0)
		return r;
	if (ret_bytes)
		*ret_bytes = s->n_written;
	return 0;
}
