/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much one request may take, whatever the file says.
 *
 * A file that is larger than these figures, by nature or by malice, is named with what could be
 * read until then. Each limit that stopped something is counted in a struct limits, and the answer
 * says that it is cut, so that nothing is left out in silence. Time and address space are bounded
 * from outside (rlimits, deadline of the collector).
 */
#ifndef SYMBOLIZER_LIMITS_H
#define SYMBOLIZER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Linked files have tens of sections; libelf takes about 200 bytes of memory for each. */
#define LIMIT_SECTIONS_MAX 65536u
#define LIMIT_SEGMENTS_MAX 1024u

/* The DWARF of the largest programs seen (browsers, ceph with everything) is below a GiB. */
#define LIMIT_DWARF_BYTES_MAX (1ull << 30)

/* Decompressed sections are anonymous memory, so these have less: the smaller of both limits. */
#define LIMIT_INFLATED_BYTES_MAX (256ull << 20)
#define LIMIT_INFLATION_RATIO 64u
#define LIMIT_INFLATION_SLACK (1ull << 20)

/* .eh_frame or .debug_frame, inflated: browsers have 30 MiB. */
#define LIMIT_CFI_BYTES_MAX (96ull << 20)

/* vmlinux has 145,000 function symbols. */
#define LIMIT_SYMBOL_TABLE_BYTES_MAX (256ull << 20)
#define LIMIT_SYMBOLS_MAX (4u << 20)

#define LIMIT_UNITS_MAX (1u << 20)
#define LIMIT_RANGES_PER_DIE_MAX (1u << 18) /* -ffunction-sections: 30,000 in one unit */
#define LIMIT_DIES_MAX (64ull << 20)	    /* visited; all of ceph-osd are 18 million */
#define LIMIT_DEPTH_MAX 256u		    /* nesting of DIEs; real programs stay below 60 */
#define LIMIT_NAME_HOPS_MAX 16u		    /* abstract_origin and specification steps */

/* Units are read whole. That of SQLite, which is one, has 2 MiB; of whole-program LTO some tens. */
#define LIMIT_UNIT_BYTES_MAX (64ull << 20)
#define LIMIT_ABBREV_BYTES_MAX (32ull << 20)
#define LIMIT_ARANGES_BYTES_MAX (16ull << 20) /* of one unit */

/* One line program, and all of a request: those of ceph with everything are 37 MiB. */
#define LIMIT_LINE_PROGRAM_BYTES_MAX (32ull << 20)
#define LIMIT_LINE_BYTES_MAX (256ull << 20)

/* (range, address) pairs looked at: real ones are about nesting depth x addresses. */
#define LIMIT_MATCHES_BASE (4ull << 20)
#define LIMIT_MATCHES_PER_ADDR 256ull

/* Of a runtime's own files: the end of a perf map (a million functions), the beginning of a
 * jitdump, which holds all the code too; and the line entries of one function there. */
#define LIMIT_PERF_MAP_BYTES_MAX (64ull << 20)
#define LIMIT_JITDUMP_BYTES_MAX (512ull << 20)
#define LIMIT_JITDUMP_DEBUG_BYTES_MAX (1u << 20)

/* Together with 1 M addresses these stay below IPC_PAYLOAD_MAX; see answer.c. */
#define LIMIT_FRAMES_MAX (3u << 20)
#define LIMIT_FUNCTIONS_MAX (256u << 10)
#define LIMIT_STRING_BYTES_MAX (16u << 20)

enum limit {
	LIMIT_BYTES,   /* sections too large: not read */
	LIMIT_SYMBOLS, /* symbol table cut */
	LIMIT_UNITS,   /* compilation units not looked at */
	LIMIT_RANGES,  /* ranges of one DIE cut */
	LIMIT_DIES,    /* walk ended */
	LIMIT_DEPTH,   /* children not looked at */
	LIMIT_MATCHES, /* walk ended */
	LIMIT_LINES,   /* line program not run */
	LIMIT_HOPS,    /* name not followed to its end */
	LIMIT_ANSWER,  /* address left unnamed: the answer is full */
	LIMIT_MAX
};

struct limits {
	uint64_t hits[LIMIT_MAX];
	uint64_t dies_left;
	uint64_t matches_left;
	uint64_t inflated_left;
	uint64_t line_bytes_left;
};

/* Starts the count for a request of N_ADDRS addresses. */
static inline void limits__init(struct limits *limits, uint64_t n_addrs)
{
	*limits = (struct limits){
	    .dies_left = LIMIT_DIES_MAX,
	    .inflated_left = LIMIT_INFLATED_BYTES_MAX,
	    .line_bytes_left = LIMIT_LINE_BYTES_MAX,
	    .matches_left = LIMIT_MATCHES_BASE + n_addrs * LIMIT_MATCHES_PER_ADDR,
	};
}

/* Whether anything was left out. */
static inline bool limits__any(const struct limits *limits)
{
	for (unsigned i = 0; i < LIMIT_MAX; i++)
		if (limits->hits[i])
			return true;
	return false;
}

#endif
