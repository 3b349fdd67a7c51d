/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as the symbolizer gives them, to be kept and found again. */
#ifndef TESTS_MADE_ANSWER_H
#define TESTS_MADE_ANSWER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ipc/symbols.h"

#define MADE_NAME_SIZE 48

struct made_answer {
	uint64_t *offs;
	void *payload;
	size_t n_bytes;
	struct symbols_view view;
};

/* The address I; every seventh has no name, but its function's start. */
static inline bool made_is_named(uint64_t i)
{
	return i % 7 != 0;
}

static inline void made_name(char name[MADE_NAME_SIZE], uint64_t i, const char *word)
{
	snprintf(name, MADE_NAME_SIZE, "%s_%llu", word, (unsigned long long)i);
}

static inline uint64_t made_off(uint64_t i)
{
	return 0x1000 + 24 * i;
}

static inline void made_function(struct made_answer *a, char *strings, uint32_t i, uint64_t number,
				 const char *word)
{
	struct msg_symbol_function *f = (void *)&a->view.functions[i];
	uint32_t at = 16 + i * MADE_NAME_SIZE;

	made_name(strings + at, number, word);
	*f =
	    (struct msg_symbol_function){.name = at, .filename = 1, .start_line = (uint32_t)number};
}

/*
 * The addresses [FIRST, FIRST + N): each the line I of inner(), inlined into the line I + 1 of a
 * function called WORD_I, in /src/file.c.
 */
static inline struct made_answer made_answer(uint64_t first, uint32_t n, const char *word)
{
	struct msg_symbols head = {.n_addrs = n, .n_frames = 2 * n, .n_functions = n + 1};
	struct made_answer a = {.offs = calloc(n, sizeof(*a.offs))};
	struct msg_symbol_addr *addrs;
	struct msg_symbol_frame *frames;
	struct symbols_layout l;
	char *p, *strings;

	head.n_string_bytes = 16 + (n + 1) * MADE_NAME_SIZE + 1;
	l = symbols_layout(&head);
	p = a.payload = calloc(1, l.end);
	assert(a.offs && p);
	a.n_bytes = l.end;
	memcpy(p, &head, sizeof(head));
	addrs = (void *)(p + l.addrs);
	frames = (void *)(p + l.frames);
	a.view.functions = (void *)(p + l.functions);
	strings = p + l.strings;
	snprintf(strings + 1, 15, "/src/file.c");
	made_function(&a, strings, n, 1, "inner");
	for (uint32_t i = 0; i < n; i++) {
		a.offs[i] = made_off(first + i);
		made_function(&a, strings, i, first + i, word);
		frames[2 * i] = (struct msg_symbol_frame){n, (uint32_t)(first + i)};
		frames[2 * i + 1] = (struct msg_symbol_frame){i, (uint32_t)(first + i + 1)};
		addrs[i] = (struct msg_symbol_addr){
		    .vaddr = made_off(first + i) + 0x400000,
		    .first_frame = 2 * i,
		    .n_frames = made_is_named(first + i) ? 2 : 0,
		    .source = made_is_named(first + i) ? SYMBOL_SOURCE_DWARF : SYMBOL_SOURCE_FDE,
		};
	}
	assert(symbols_view__init(&a.view, a.payload, a.n_bytes, n) == 0);
	return a;
}

static inline void made_answer__fini(struct made_answer *a)
{
	free(a->offs);
	free(a->payload);
	*a = (struct made_answer){0};
}

/* Whether V says of its address AT what made_answer() has made of the address I with WORD. */
static inline bool made_is_at(const struct symbols_view *v, uint32_t at, uint64_t i,
			      const char *word)
{
	const struct msg_symbol_addr *a = &v->addrs[at];
	const struct msg_symbol_frame *f = &v->frames[a->first_frame];
	char name[MADE_NAME_SIZE];

	if (!made_is_named(i))
		return a->n_frames == 0 && a->source == SYMBOL_SOURCE_FDE &&
		       a->vaddr == made_off(i) + 0x400000;
	made_name(name, i, word);
	return a->n_frames == 2 && a->source == SYMBOL_SOURCE_DWARF && f[0].line == i &&
	       f[1].line == i + 1 &&
	       !strcmp(v->strings + v->functions[f[0].function].name, "inner_1") &&
	       !strcmp(v->strings + v->functions[f[1].function].name, name) &&
	       v->functions[f[1].function].start_line == i &&
	       !strcmp(v->strings + v->functions[f[1].function].filename, "/src/file.c");
}

#endif
