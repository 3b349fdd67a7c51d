/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind tables of the files that are sampled: which file has one, where it lies in the memory
 * that the walker reads, and which goes when that is full.
 *
 * A table belongs to a file as it is on disk (device, inode, size, times), so that what is mapped
 * under several names or known by several ids has one. A build id is only held against it: anybody
 * can write any build id into a file. One thread.
 */
#ifndef COLLECTOR_UNWIND_TABLES_H
#define COLLECTOR_UNWIND_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/collector/objects.h"
#include "daemon/collector/table_builder.h"
#include "daemon/collector/unwind_memory.h"

enum unwind_file_state {
	UNWIND_FILE_NEW,     /* not asked for, or to be asked for again */
	UNWIND_FILE_WANTED,  /* being made */
	UNWIND_FILE_READY,   /* at line */
	UNWIND_FILE_NONE,    /* cannot have one */
	UNWIND_FILE_NO_ROOM, /* tables in use fill the memory; tried again later */
};

struct unwind_file {
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
	uint64_t id;
	enum unwind_file_state state;
	uint32_t line, n_lines; /* of the table, where READY; n_lines also where NO_ROOM */
	bool all_regs;
	struct msg_build_id build_id; /* as the file says; where READY */
	uint64_t used_ns;	      /* when a sample last lay in it (CLOCK_MONOTONIC) */
	uint64_t refused_ns;	      /* when it found no room, or was not made; 0 = never */
	uint32_t n_refs;
	bool orphan; /* the tables are gone: it goes with its last reference */
};

struct unwind_tables;

/* Tables lie in MEMORY and are made by BUILDER; both are borrowed. 0 or -ENOMEM. */
int unwind_tables__new(struct unwind_tables **ret, struct unwind_memory *memory,
		       struct table_builder *builder);
/* Takes NULL. Files that are referred to live on, without tables. Returns NULL. */
struct unwind_tables *unwind_tables__free(struct unwind_tables *t);

/* The file behind FD (borrowed): *RET is a new reference. 0 or -errno. */
int unwind_tables__file(struct unwind_tables *t, int fd, struct unwind_file **ret);
/* Takes NULL. */
void unwind_file__unref(struct unwind_file *file);

/* Has the table of FILE made from FD, if it has none and can have one. Where that cannot be asked
 * for just now, the state stays UNWIND_FILE_NEW: the caller asks again. 0 or -errno. */
int unwind_tables__want(struct unwind_tables *t, struct unwind_file *file, int fd, uint64_t now_ns);

/* The state of FILE has changed. */
typedef void (*unwind_changed_fn)(void *ctx, const struct unwind_file *file);

/*
 * Puts the tables that have been made into the memory, at the cost of those that were not used for
 * the longest time. CHANGED is told of each that came or went. 0 or -errno.
 */
int unwind_tables__take(struct unwind_tables *t, uint64_t now_ns, unwind_changed_fn changed,
			void *ctx);

/* Whether a table is still being made. */
bool unwind_tables__busy(const struct unwind_tables *t);

/* What the walker is to do in code of OBJECT; *RET_LINE is set for UNWIND_CODE_TABLE. */
enum unwind_code unwind_code_of(const struct object *object, uint32_t *ret_line);

struct unwind_tables_stats {
	uint64_t n_tables, n_lines; /* in the memory now; the others count from the start */
	uint64_t n_built, n_failed, n_evicted, n_refused;
	uint64_t build_ns;
	uint64_t n_bad; /* functions with unreadable unwind information */
};

const struct unwind_tables_stats *unwind_tables__stats(const struct unwind_tables *t);

#endif
