/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cursor.h"

#include <string.h>

void cursor__init(struct cursor *c, const void *bytes, size_t n)
{
	/* To nothing not even nothing may be added. */
	*c = (struct cursor){.pos = bytes, .end = n ? (const uint8_t *)bytes + n : bytes};
}

static bool read_bytes(struct cursor *c, void *ret, size_t n)
{
	if (cursor__left(c) < n) {
		cursor__fail(c);
		return false;
	}
	memcpy(ret, c->pos, n);
	c->pos += n;
	return true;
}

uint16_t cursor__u16(struct cursor *c)
{
	uint16_t v = 0;

	read_bytes(c, &v, sizeof(v));
	return v;
}

uint32_t cursor__u32(struct cursor *c)
{
	uint32_t v = 0;

	read_bytes(c, &v, sizeof(v));
	return v;
}

uint64_t cursor__u64(struct cursor *c)
{
	uint64_t v = 0;

	read_bytes(c, &v, sizeof(v));
	return v;
}

uint64_t cursor__number(struct cursor *c, unsigned size)
{
	uint64_t low;

	switch (size) {
	case 1:
		return cursor__u8(c);
	case 2:
		return cursor__u16(c);
	case 3:
		low = cursor__u16(c);
		return low | (uint64_t)cursor__u8(c) << 16;
	case 4:
		return cursor__u32(c);
	default:
		return cursor__u64(c);
	}
}

/* The bits of a LEB128 number, and how many there are of them. */
static uint64_t read_leb(struct cursor *c, unsigned *ret_bits, uint8_t *ret_last)
{
	uint64_t v = 0;
	unsigned bits = 0;
	uint8_t byte;

	do {
		byte = cursor__u8(c);
		if (bits < 64)
			v |= (uint64_t)(byte & 0x7f) << bits;
		bits = bits < 64 ? bits + 7 : 64;
	} while (byte & 0x80);
	*ret_bits = bits;
	*ret_last = byte;
	return c->failed ? 0 : v;
}

uint64_t cursor__long_uleb(struct cursor *c)
{
	unsigned bits;
	uint8_t last;

	return read_leb(c, &bits, &last);
}

int64_t cursor__sleb(struct cursor *c)
{
	unsigned bits;
	uint8_t last;
	uint64_t v = read_leb(c, &bits, &last);

	if ((last & 0x40) && bits < 64)
		v |= UINT64_MAX << bits;
	return c->failed ? 0 : (int64_t)v;
}

struct cursor cursor__take(struct cursor *c, uint64_t n)
{
	struct cursor part = {.pos = c->pos, .end = c->pos};

	cursor__skip(c, n);
	part.failed = c->failed;
	if (!c->failed)
		part.end = c->pos;
	return part;
}

const char *cursor__string(struct cursor *c)
{
	const char *s = (const char *)c->pos;
	size_t n = cursor__left(c) ? strnlen(s, cursor__left(c)) : 0;

	if (n == cursor__left(c)) {
		cursor__fail(c);
		return NULL;
	}
	c->pos += n + 1;
	return s;
}
