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
	int error;			 /* 0, or -errno: -ENOEXEC where the file cannot have one */
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
 * Starts the thread. SYMBOLIZER, STARTED and CTX as in symbolizer_client.h; STARTED is called in
 * the thread. Tables are kept in the directory CACHE, if that can be used; NULL = nowhere. 0 or
 * -errno.
 */
int table_builder__new(struct table_builder **ret, const char *symbolizer, const char *cache,
		       symbolizer_started_fn started, void *ctx);
/* Takes NULL. Waits for the table at work. Returns NULL. */
struct table_builder *table_builder__free(struct table_builder *b);

/* Asks for the table of the file behind FD, which is duplicated. 0 or -errno. */
int table_builder__ask(struct table_builder *b, int fd, uint64_t id);

/* Readable when a table has come. Borrowed. */
int table_builder__fd(const struct table_builder *b);

/* Takes one that has come, to be released with built_table__fini(). False where there is none. */
bool table_builder__take(struct table_builder *b, struct built_table *ret);

/* Whether LINES hold a table in which every number is in range. */
bool unwind_table_valid(const struct unwind_line *lines, uint32_t n_lines);

#endif
