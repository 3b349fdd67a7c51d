/* SPDX-License-Identifier: Apache-2.0 */
/* A function with two calls inlined into it, one in the other; the line of each is known. */
#ifndef TESTS_INLINED_PROGRAM_H
#define TESTS_INLINED_PROGRAM_H

#include <stdint.h>

static volatile unsigned sink;

enum { LEAF_LINE = __LINE__ + 1 };
static inline __attribute__((always_inline)) unsigned leaf(unsigned x)
{
	sink = sink + x;
	sink = sink * 3;
	return sink;
}

enum { MIDDLE_LINE = __LINE__ + 2 };
enum { LEAF_CALL_LINE = __LINE__ + 4 };
static inline __attribute__((always_inline)) unsigned middle(unsigned x)
{
	sink = x;
	x += leaf(x);
	sink = x;
	return x;
}

enum { OUTER_LINE = __LINE__ + 2 };
enum { MIDDLE_CALL_LINE = __LINE__ + 4 };
static __attribute__((noinline, used)) unsigned outer(unsigned x)
{
	sink = x;
	x = middle(x);
	sink = x;
	return x;
}

enum { PLAIN_LINE = __LINE__ + 1 };
static __attribute__((noinline, used)) unsigned plain(unsigned x)
{
	sink = x + 1;
	return sink;
}

/* Bytes of outer() that are surely its own. */
#define OUTER_BYTES 24

#endif
