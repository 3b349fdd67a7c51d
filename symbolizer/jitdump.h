/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitdump: a file in which a runtime records the code that it makes, with names, lines and times
 * (Linux, tools/perf/Documentation/jitdump-specification.txt, version 1).
 *
 * A header of 40 bytes, then records, each with {id, size, time}: 0 code was loaded, 1 it moved, 2
 * the lines of the code that will be loaded next, 3 the end, 4 unwind information. Addresses are
 * used again, so a name is that of the code that was there at the time of the question. The file
 * comes from the process and may hold anything: it is gone through in order, once and once more for
 * each move that led to the code; memory is taken per address asked, not per record.
 */
#ifndef SYMBOLIZER_JITDUMP_H
#define SYMBOLIZER_JITDUMP_H

#include <stdint.h>

#include "daemon/ipc/messages.h"
#include "symbolizer/answer.h"

/* Code may run a little before its runtime gets to recording it. */
#define JITDUMP_LATE_NS 1000000000ULL

/* Moves that are followed back to where the code was loaded. */
#define JITDUMP_MOVES_MAX 4

/*
 * Names what it can of ADDRS (N_ADDRS, ascending), which are those of ANSWER, from the file FD
 * (borrowed). 0; -ENOEXEC where it is no jitdump; -ENOMEM; or the -errno of reading.
 */
int jitdump_name(int fd, const struct msg_jit_addr *addrs, uint32_t n_addrs, struct answer *answer,
		 struct limits *limits);

#endif
