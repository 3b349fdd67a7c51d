/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interned strings: equal strings have equal numbers, each is stored once.
 *
 * Number 0 is always the empty string. Bytes are kept as they come (no NUL inside); whoever prints
 * them escapes them. Grows without a limit of its own: its owner bounds what it interns and
 * frees the pool as a whole.
 */
#ifndef BASE_STRPOOL_H
#define BASE_STRPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/hindex.h"

struct strpool {
	struct hash_key key;
	struct hindex index;
	char *bytes; /* the strings, each with its NUL */
	size_t n_bytes, cap_bytes;
	uint32_t *offs; /* of string i in bytes */
	size_t n, cap;
};

int strpool__init(struct strpool *pool);
void strpool__fini(struct strpool *pool);

/* Interns the N bytes at S, up to the first NUL. *RET is the string's number. 0 or -ENOMEM. */
int strpool__intern(struct strpool *pool, const char *s, size_t n, uint32_t *ret);

/* The string of number ID, borrowed until the next strpool__intern(). */
const char *strpool__get(const struct strpool *pool, uint32_t id);

#endif
