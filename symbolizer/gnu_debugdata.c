/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/gnu_debugdata.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"

/* xz -9 asks for 65 MiB; distributions take -6, with 9 MiB. */
#define DECODER_BYTES_MAX (80ull << 20)

/* The symbols alone; libxul of Firefox has 20 MiB. */
#define TEXT_BYTES_MAX (64ull << 20)

#define CHUNK_BYTES (256u << 10)

/* Writes what STREAM makes of its input, at most MAX bytes, to FD. */
static int inflate_to(lzma_stream *stream, uint64_t max, int fd, struct limits *limits)
{
	cleanup_free unsigned char *buf = malloc(CHUNK_BYTES);
	lzma_ret status;

	if (!buf)
		return -ENOMEM;
	do {
		size_t n;
		int64_t r;

		stream->next_out = buf;
		stream->avail_out = CHUNK_BYTES;
		status = lzma_code(stream, LZMA_FINISH);
		n = CHUNK_BYTES - stream->avail_out;
		if (n > max || status == LZMA_MEMLIMIT_ERROR) {
			limits->hits[LIMIT_BYTES]++;
			return GNU_DEBUGDATA_BROKEN;
		}
		max -= n;
		r = write_full(fd, buf, n);
		if (r < 0)
			return (int)r;
	} while (status == LZMA_OK);
	if (status == LZMA_MEM_ERROR)
		return -ENOMEM;
	return status == LZMA_STREAM_END ? GNU_DEBUGDATA_OK : GNU_DEBUGDATA_BROKEN;
}

int gnu_debugdata_inflate_bytes(const void *s, size_t n, uint64_t max, struct limits *limits,
				int *ret_fd)
{
	cleanup_close int fd = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	lzma_stream stream = LZMA_STREAM_INIT;
	int r;

	if (fd < 0)
		return -errno;
	if (lzma_stream_decoder(&stream, DECODER_BYTES_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = s;
	stream.avail_in = n;
	r = inflate_to(&stream, max, fd, limits);
	lzma_end(&stream);
	if (r == GNU_DEBUGDATA_OK)
		*ret_fd = steal_fd(&fd);
	return r;
}

int gnu_debugdata_inflate(const struct elf_file *file, struct limits *limits, int *ret_fd)
{
	Elf_Scn *scn = elf_file__section(file, ".gnu_debugdata");
	cleanup_free unsigned char *bytes = NULL;
	GElf_Shdr shdr;
	int r;

	if (!scn || !gelf_getshdr(scn, &shdr) || (shdr.sh_flags & SHF_COMPRESSED))
		return GNU_DEBUGDATA_NONE;
	if (shdr.sh_size > TEXT_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		return GNU_DEBUGDATA_BROKEN;
	}
	bytes = malloc(shdr.sh_size + 1);
	if (!bytes)
		return -ENOMEM;
	r = elf_file__read(file, shdr.sh_offset, bytes, shdr.sh_size);
	if (r < 0)
		return r;
	return gnu_debugdata_inflate_bytes(
	    bytes, shdr.sh_size,
	    MIN(TEXT_BYTES_MAX, shdr.sh_size * LIMIT_INFLATION_RATIO + LIMIT_INFLATION_SLACK),
	    limits, ret_fd);
}
