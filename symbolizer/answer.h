/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to one MSG_SYMBOLIZE while it grows, and its encoding.
 *
 * Strings and functions are stored once each; each name is demangled once; neighbours with the same
 * frames share them. The encoding always fits into a message: what would not is left unnamed and
 * counted.
 */
#ifndef SYMBOLIZER_ANSWER_H
#define SYMBOLIZER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"
#include "symbolizer/limits.h"

struct answer;

/* A function as one frame shows it; all are numbers of answer__string(), 0 = unknown. */
struct answer_function {
	uint32_t system_name;
	uint32_t name;
	uint32_t filename;
	uint32_t start_line;
};

struct answer_frame {
	struct answer_function function;
	uint32_t line;
};

/* For N_ADDRS addresses. LIMITS is borrowed for the answer's life. RAW_NAMES: names are shown as
 * the linker has them (Go). 0 or -ENOMEM. */
int answer__new(struct answer **ret, uint32_t n_addrs, bool raw_names, struct limits *limits);
struct answer *answer__free(struct answer *answer);

bool answer__has_raw_names(const struct answer *answer);

/* The number of the string of the N bytes at S, as text_escape() lets them out. 0 (the empty
 * string) when the answer is full. Returns 0 or -ENOMEM. */
int answer__string(struct answer *answer, const char *s, size_t n, uint32_t *ret);

/* The numbers of a linkage name (system_name) and of its readable form (name). 0 or -ENOMEM. */
int answer__names(struct answer *answer, const char *linkage, size_t n, uint32_t *ret_system_name,
		  uint32_t *ret_name);

/* The string of a number; borrowed until the next string is added. */
const char *answer__text(const struct answer *answer, uint32_t string);

void answer__set_vaddr(struct answer *answer, uint32_t addr, uint64_t vaddr);

/*
 * Gives address ADDR its frames, innermost first; at most LIMIT_DEPTH_MAX, all with a name. A
 * frame without a name, or an answer that is full, leaves the address unnamed. 0 or -ENOMEM.
 */
int answer__set_frames(struct answer *answer, uint32_t addr, enum symbol_source source,
		       const struct answer_frame *frames, size_t n);

/* Says of an address that has no name that its function starts at START. */
void answer__set_function(struct answer *answer, uint32_t addr, uint64_t start);

bool answer__is_named(const struct answer *answer, uint32_t addr);

/* The payload of MSG_SYMBOLIZE_OK, the caller's to free. 0 or -ENOMEM. */
int answer__encode(const struct answer *answer, bool debug_ignored, void **ret, size_t *ret_n);

#endif
