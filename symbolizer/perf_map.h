/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf-PID.map: the names that a runtime gives to the code that it made, a line each,
 *
 *	START SIZE NAME
 *
 * START and SIZE in hexadecimal, with or without 0x, NAME to the end of the line (Linux,
 * tools/perf/Documentation/jit-interface.txt). A later line wins over an earlier one for the
 * addresses that both have. The file grows while the process lives, so a last line that has no
 * newline yet is left alone. It comes from the process and may hold anything: it is read once, line
 * by line, and only lines that are asked about leave anything behind.
 */
#ifndef SYMBOLIZER_PERF_MAP_H
#define SYMBOLIZER_PERF_MAP_H

#include <stdint.h>

#include "daemon/ipc/messages.h"
#include "symbolizer/limits.h"

/* Where in the file the name of an address stands. */
struct perf_map_name {
	uint64_t off;
	uint32_t n; /* bytes, at most SYMBOL_STRING_MAX; 0 = it has none */
};

/*
 * Finds the names of ADDRS (N_ADDRS, ascending) in the file FD (borrowed); RET has as many entries.
 * 0, -ENOMEM, or the -errno of reading.
 */
int perf_map_find(int fd, const struct msg_jit_addr *addrs, uint32_t n_addrs, struct limits *limits,
		  struct perf_map_name *ret);

#endif
