/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gets unwind tables made, in a thread and a symbolizer of their own, so that neither naming nor a
 * slow file delays a table, nor a table the draining of the rings.
 *
 * What comes back is checked: every number in it is in range, so that nobody who uses it need check
 * again. When nothing was asked for some seconds the symbolizer is ended.
 */
#ifndef COLLECTOR_TABLE_BUILDER_H
#define COLLECTOR_TABLE_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/symbolizer_client.h"

struct table_builder;

/* A table that was made, or why not. */
struct built_table {
	uint64_t id;			 /* as given to table_builder__ask() */
	int error;			 /* 0, or -errno: see table_builder_is_final() */
	const struct unwind_line *lines; /* n_lines of them; NULL with an error */
	uint32_t n_lines;
	struct msg_build_id build_id; /* of the file */
	uint32_t n_bad;		      /* functions that could not be read */
	uint64_t build_ns;
	bool from_cache;
	size_t n_bytes_mapped; /* for built_table__fini() */
};

void built_table__fini(struct built_table *table);

/*
 * Whether ERROR says that the file cannot have a table: it is none that has code, killed the
 * symbolizer, made it lie, or is too much. Any other is trouble of our own, which may pass.
 */
bool table_builder_is_final(int error);

/*
 * Starts the thread. SYMBOLIZER, STARTED and CTX as in symbolizer_client.h; STARTED is called in
 * the thread. Tables are kept in the directory CACHE, if that can be used; NULL = nowhere. 0 or
 * -errno.
 */
int table_builder__new(struct table_builder **ret, const char *symbolizer, const char *cache,
		       symbolizer_started_fn started, void *ctx);
/* Takes NULL. Does not wait for the table at work. Returns NULL. */
struct table_builder *table_builder__free(struct table_builder *b);

/* Questions that may wait: each holds a descriptor (see OBJECTS_FDS_RESERVED). */
#define TABLE_BUILDER_QUESTIONS_MAX 64

enum table_builder_result {
	TABLE_BUILDER_OK = 0,
	TABLE_BUILDER_FULL = 1, /* TABLE_BUILDER_QUESTIONS_MAX wait: ask again later */
};

/* Asks for the table of the file behind FD, which is duplicated. An enum table_builder_result or
 * -errno. */
int table_builder__ask(struct table_builder *b, int fd, uint64_t id);

/* Readable when a table has come. Borrowed. */
int table_builder__fd(const struct table_builder *b);

/* Takes one that has come, to be released with built_table__fini(). False where there is none. */
bool table_builder__take(struct table_builder *b, struct built_table *ret);

/* Whether LINES hold a table in which every number is in range. */
bool unwind_table_valid(const struct unwind_line *lines, uint32_t n_lines);

#endif
