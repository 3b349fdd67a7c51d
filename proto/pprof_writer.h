/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one pprof profile (proto/profile.proto), gzipped, a sub-message at a time, to a file
 * descriptor. It guarantees flat memory: what it keeps is 16 bytes and an index slot for each
 * distinct string and function, and nothing for a sample, location or mapping.
 *
 * Ids are handed out 1, 2, 3 … in the order of the calls, as Parca demands; the same calls give the
 * same bytes (gzip level 1, no time stamp). Strings are made valid UTF-8 by text_escape().
 *
 * Errors stick: after the first, every call does nothing and pprof_writer__finish() returns it.
 * Order of the calls: new, header, then mappings, functions, locations, samples in any order in
 * which what is referred to comes first, then finish. Sample types are always samples/count and
 * cpu/nanoseconds.
 */
#ifndef PROTO_PPROF_WRITER_H
#define PROTO_PPROF_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct pprof_writer;

struct pprof_header {
	uint64_t time_ns;     /* UTC, start of the window; not 0 */
	uint64_t duration_ns; /* not 0 */
	uint64_t period_ns;   /* cpu nanoseconds per sample */
	const char *const *comments;
	size_t n_comments;
};

/* One executable mapping as in /proc/PID/maps. The first is the main binary, the kernel comes last.
 * has_functions, has_filenames, has_line_numbers and has_inline_frames are always written as true.
 */
struct pprof_mapping {
	uint64_t start, limit, offset;
	const char *filename;
	const char *build_id; /* lower-case hex or "" */
};

struct pprof_function {
	const char *name;	 /* demangled */
	const char *system_name; /* linker's; "" = same as name */
	const char *filename;	 /* "" = unknown */
	uint32_t start_line;	 /* 0 = unknown */
};

struct pprof_line {
	uint64_t function_id;
	uint32_t line; /* 0 = unknown */
};

struct pprof_label {
	const char *key;
	const char *str; /* NULL = a number; an empty text is left out, as readers would drop it */
	int64_t num;
	const char *unit; /* of num; needed, since pprof drops a 0 without a unit */
};

/* FD stays the caller's and is written from its current position. 0 or -ENOMEM. */
int pprof_writer__new(struct pprof_writer **ret, int fd);

/* Takes NULL; does not finish the file. Returns NULL. */
struct pprof_writer *pprof_writer__free(struct pprof_writer *w);

void pprof_writer__header(struct pprof_writer *w, const struct pprof_header *header);

/* Return the id of what was written; equal functions have one id. 0 after an error. */
uint64_t pprof_writer__mapping(struct pprof_writer *w, const struct pprof_mapping *mapping);
uint64_t pprof_writer__function(struct pprof_writer *w, const struct pprof_function *function);
/* LINES innermost first, at least one. MAPPING_ID 0 = in no mapping (a synthetic frame). */
uint64_t pprof_writer__location(struct pprof_writer *w, uint64_t mapping_id, uint64_t address,
				const struct pprof_line *lines, size_t n_lines);

/* LOCATION_IDS leaf first, at least one. COUNT samples; the cpu value is count × period. */
void pprof_writer__sample(struct pprof_writer *w, const uint64_t *location_ids, size_t n_locations,
			  uint64_t count, const struct pprof_label *labels, size_t n_labels);

/* Ends the gzip stream. Returns 0 or the first -errno; *RET_BYTES (may be NULL) is the file's size.
 */
int pprof_writer__finish(struct pprof_writer *w, uint64_t *ret_bytes);

#endif
