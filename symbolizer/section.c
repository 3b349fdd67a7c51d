/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/section.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/util.h"

/* Newer than the elf.h of Debian 12. */
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

/* "ZLIB" and the size, big endian, in front of sections named ".zdebug_…". */
#define OLD_HEADER_BYTES 12

/* What is read at once at least, and what offsets of small windows are rounded down to. */
#define WINDOW_BYTES_MIN 4096

/* What most strings fit in. */
#define STRING_BYTES_FIRST 256

/* How a section is stored. */
struct stored {
	enum { AS_IT_IS, BY_ZLIB, BY_ZSTD, BY_WHAT } how;
	uint64_t header; /* bytes in front of the compressed ones */
	uint64_t size;	 /* inflated */
};

static struct stored compression(Elf_Scn *scn, const GElf_Shdr *shdr, Elf *elf)
{
	struct stored s = {.how = BY_WHAT};
	GElf_Chdr chdr;

	if (!gelf_getchdr(scn, &chdr))
		return s;
	s.header = gelf_getclass(elf) == ELFCLASS32 ? sizeof(Elf32_Chdr) : sizeof(Elf64_Chdr);
	s.size = chdr.ch_size;
	if (shdr->sh_size >= s.header && chdr.ch_type == ELFCOMPRESS_ZLIB)
		s.how = BY_ZLIB;
	if (shdr->sh_size >= s.header && chdr.ch_type == ELFCOMPRESS_ZSTD)
		s.how = BY_ZSTD;
	return s;
}

static struct stored how_stored(const struct elf_file *file, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	uint8_t head[OLD_HEADER_BYTES] = {0};
	uint64_t size;

	if (shdr->sh_flags & SHF_COMPRESSED)
		return compression(scn, shdr, elf_file__elf(file));
	if (shdr->sh_size < sizeof(head) || elf_file__read(file, shdr->sh_offset, head, 12) < 0 ||
	    memcmp(head, "ZLIB", 4))
		return (struct stored){.how = AS_IT_IS};
	memcpy(&size, head + 4, sizeof(size));
	return (struct stored){BY_ZLIB, sizeof(head), be64toh(size)};
}

/* True where N bytes at FROM inflate to exactly SIZE bytes, which come to TO. */
static bool inflates(const struct stored *stored, const uint8_t *from, size_t n, uint8_t *to)
{
	uLongf got = stored->size;

	if (stored->how == BY_ZSTD)
		return ZSTD_decompress(to, stored->size, from, n) == stored->size;
	return uncompress(to, &got, from, n) == Z_OK && got == stored->size;
}

/* Inflates the N bytes at OFF of the file into SECTION; broken ones leave it empty. */
static int inflate_into(struct section *section, const struct stored *stored, uint64_t off,
			uint64_t n, struct limits *limits)
{
	cleanup_free uint8_t *from = NULL, *to = NULL;
	uint64_t max = n * LIMIT_INFLATION_RATIO + LIMIT_INFLATION_SLACK;

	if (stored->size > MIN(max, limits->inflated_left)) {
		limits->hits[LIMIT_BYTES]++;
		return 0;
	}
	from = malloc(n + 1);
	to = malloc(stored->size + 1);
	if (!from || !to)
		return -ENOMEM;
	if (elf_file__read(section->file, off, from, n) < 0 || !inflates(stored, from, n, to))
		return 0;
	limits->inflated_left -= stored->size;
	section->bytes = steal_ptr(to);
	section->size = stored->size;
	return 0;
}

int section__open(struct section *ret, const struct elf_file *file, const char *name,
		  struct limits *limits)
{
	Elf_Scn *scn = elf_file__section(file, name);
	struct stored stored;
	GElf_Shdr shdr;

	*ret = (struct section){.file = file};
	if (!scn || !gelf_getshdr(scn, &shdr))
		return 0;
	stored = how_stored(file, scn, &shdr);
	if (stored.how == BY_WHAT)
		return 0;
	if (stored.how != AS_IT_IS)
		return inflate_into(ret, &stored, shdr.sh_offset + stored.header,
				    shdr.sh_size - stored.header, limits);
	ret->off = shdr.sh_offset;
	ret->size = shdr.sh_size;
	return 0;
}

int section__load(struct section *section, uint64_t max, struct limits *limits)
{
	cleanup_free uint8_t *bytes = NULL;

	if (section->bytes || !section->size)
		return 0;
	if (section->size > max) {
		limits->hits[LIMIT_BYTES]++;
		section->size = 0;
		return 0;
	}
	bytes = malloc(section->size);
	if (!bytes)
		return -ENOMEM;
	if (elf_file__read(section->file, section->off, bytes, section->size) < 0)
		section->size = 0;
	else
		section->bytes = steal_ptr(bytes);
	return 0;
}

void section__fini(struct section *section)
{
	free(section->bytes);
	section->bytes = NULL;
	section->size = 0;
}

/* Fills WINDOW with the N bytes at OFF and what is around them. */
static int fill(struct window *window, const struct section *section, uint64_t off, size_t n)
{
	uint64_t start = off & ~(uint64_t)(WINDOW_BYTES_MIN - 1);
	uint64_t end = MIN(MAX(off + n, start + WINDOW_BYTES_MIN), section->size);
	int r = array_reserve(&window->buf, &window->cap, end - start, 1);

	window->n = 0;
	if (r < 0)
		return r;
	if (elf_file__read(section->file, section->off + start, window->buf, end - start) < 0)
		return 0;
	window->off = start;
	window->n = end - start;
	return 0;
}

int window__read(struct window *window, const struct section *section, uint64_t off, size_t n,
		 struct cursor *ret)
{
	int r = 0;

	cursor__init(ret, NULL, 0);
	if (off >= section->size)
		return 0;
	n = MIN(n, section->size - off);
	if (section->bytes) {
		cursor__init(ret, section->bytes + off, n);
		return 0;
	}
	if (off < window->off || off - window->off > window->n ||
	    n > window->n - (off - window->off))
		r = fill(window, section, off, n);
	if (r == 0 && window->n)
		cursor__init(ret, window->buf + (off - window->off), n);
	return r;
}

int window__string(struct window *window, const struct section *section, uint64_t off,
		   const char **ret, size_t *ret_n)
{
	struct cursor c;

	for (size_t n = STRING_BYTES_FIRST;; n *= 4) {
		int r = window__read(window, section, off, n, &c);

		if (r < 0)
			return r;
		*ret = (const char *)c.pos;
		*ret_n = c.pos ? strnlen(*ret, cursor__left(&c)) : 0;
		if (*ret_n < n || n >= WINDOW_STRING_MAX)
			return 0;
	}
}

void window__fini(struct window *window)
{
	free(window->buf);
	*window = (struct window){0};
}
