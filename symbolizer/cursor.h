/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads numbers from a stretch of untrusted bytes, in this machine's byte order.
 *
 * Nothing outside of it is read: a read that does not fit fails the cursor for good, and it and all
 * after it give 0. So a reader may read a whole structure and look at `failed` once.
 */
#ifndef SYMBOLIZER_CURSOR_H
#define SYMBOLIZER_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *pos, *end; /* borrowed */
	bool failed;
};

void cursor__init(struct cursor *c, const void *bytes, size_t n);

static inline size_t cursor__left(const struct cursor *c)
{
	return (size_t)(c->end - c->pos);
}

/* For good. */
static inline void cursor__fail(struct cursor *c)
{
	c->pos = c->end;
	c->failed = true;
}

static inline uint8_t cursor__u8(struct cursor *c)
{
	if (c->pos != c->end)
		return *c->pos++;
	cursor__fail(c);
	return 0;
}

uint16_t cursor__u16(struct cursor *c);
uint32_t cursor__u32(struct cursor *c);
uint64_t cursor__u64(struct cursor *c);

/* A number of SIZE bytes: 1, 2, 3, 4 or 8. */
uint64_t cursor__number(struct cursor *c, unsigned size);

/* LEB128 numbers (DWARF 5, section 7.6); bits above 64 are dropped, as everybody does. */
uint64_t cursor__long_uleb(struct cursor *c);
int64_t cursor__sleb(struct cursor *c);

/* Nearly all are of one byte. */
static inline uint64_t cursor__uleb(struct cursor *c)
{
	if (c->pos != c->end && !(*c->pos & 0x80))
		return *c->pos++;
	return cursor__long_uleb(c);
}

static inline void cursor__skip(struct cursor *c, uint64_t n)
{
	if (cursor__left(c) < n)
		cursor__fail(c);
	else
		c->pos += n;
}

/* Passes over one LEB128 number. */
static inline void cursor__skip_leb(struct cursor *c)
{
	while (cursor__u8(c) & 0x80)
		;
}

/* Takes N bytes off into a cursor of their own, failed and empty where they are not there. */
struct cursor cursor__take(struct cursor *c, uint64_t n);

/* A string that ends in the stretch, borrowed; NULL and failed where it does not. */
const char *cursor__string(struct cursor *c);

#endif
