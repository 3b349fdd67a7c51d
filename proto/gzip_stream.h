/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compresses a stream of bytes into one gzip member (RFC 1952) on a file descriptor.
 *
 * The same bytes in give the same bytes out, however they are cut into calls: level 1, no time
 * stamp, no name. Memory is fixed (about 0.4 MiB). One member only, since some readers of pprof
 * files stop after the first. One thread per stream.
 */
#ifndef PROTO_GZIP_STREAM_H
#define PROTO_GZIP_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct gzip_stream;

/* FD stays the caller's and is written from its current position. Returns 0 or -ENOMEM. */
int gzip_stream__new(struct gzip_stream **ret, int fd);

/* Takes NULL; does not end the member. Returns NULL. */
struct gzip_stream *gzip_stream__free(struct gzip_stream *s);

/* Adds the N bytes at P. Returns 0 or the -errno of write(2); the stream is unusable after that. */
int gzip_stream__write(struct gzip_stream *s, const void *p, size_t n);

/*
 * Ends the member and writes what is still held back. Returns 0 or -errno as above. *RET_BYTES
 * (may be NULL) is what went to the descriptor. Called once, last.
 */
int gzip_stream__finish(struct gzip_stream *s, uint64_t *ret_bytes);

#endif
