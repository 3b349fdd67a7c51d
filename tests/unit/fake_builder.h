/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of daemon/collector/table_builder.c: a builder without a thread or a process, whose
 * tables come when the test says so. What is defined here keeps the real one out of the link.
 */
#ifndef TESTS_FAKE_BUILDER_H
#define TESTS_FAKE_BUILDER_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/collector/table_builder.h"

#define FAKE_BUILDER_MAX 64
#define FAKE_BUILDER_FD 4711

struct table_builder {
	uint64_t asked[FAKE_BUILDER_MAX]; /* ids, in order */
	size_t n_asked;
	struct built_table made[FAKE_BUILDER_MAX];
	size_t n_made, n_taken;
	size_t n_released;
	int error; /* of the questions to come */
};

/* The one that table_builder__new() has made last. */
static struct table_builder *fake_builder;

int table_builder__new(struct table_builder **ret, const char *symbolizer, const char *cache,
		       symbolizer_started_fn started, void *ctx)
{
	if (!strcmp(symbolizer, "/nonexistent"))
		return -ENOENT;
	*ret = fake_builder = calloc(1, sizeof(*fake_builder));
	return *ret ? 0 : -ENOMEM;
}

struct table_builder *table_builder__free(struct table_builder *b)
{
	free(b);
	return NULL;
}

int table_builder__ask(struct table_builder *b, int fd, uint64_t id)
{
	if (b->error)
		return b->error;
	if (fcntl(fd, F_GETFD) < 0 || b->n_asked == FAKE_BUILDER_MAX)
		abort();
	b->asked[b->n_asked++] = id;
	return 0;
}

bool table_builder_is_final(int error)
{
	return error == -ENOEXEC || error == -EIO;
}

int table_builder__fd(const struct table_builder *b)
{
	return FAKE_BUILDER_FD;
}

bool table_builder__take(struct table_builder *b, struct built_table *ret)
{
	if (b->n_taken == b->n_made)
		return false;
	*ret = b->made[b->n_taken++];
	return true;
}

void built_table__fini(struct built_table *table)
{
	fake_builder->n_released++;
	*table = (struct built_table){0};
}

/* Answers question number I with N_LINES at LINES (borrowed). */
static inline void fake_builder__make(struct table_builder *b, size_t i,
				      const struct unwind_line *lines, uint32_t n_lines)
{
	if (i >= b->n_asked || b->n_made == FAKE_BUILDER_MAX)
		abort();
	b->made[b->n_made++] = (struct built_table){.id = b->asked[i],
						    .lines = lines,
						    .n_lines = n_lines,
						    .build_id = {.size = 3, .bytes = "abc"},
						    .n_bad = 2,
						    .build_ns = 1000};
}

/* Answers question number I: there is no table. */
static inline void fake_builder__fail(struct table_builder *b, size_t i, int error)
{
	b->made[b->n_made++] =
	    (struct built_table){.id = b->asked[i], .error = error, .build_ns = 1000};
}

#endif
