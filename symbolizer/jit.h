/* SPDX-License-Identifier: Apache-2.0 */
/* Answers MSG_JIT: names of code made at run time, from the files of the runtime that made it. */
#ifndef SYMBOLIZER_JIT_H
#define SYMBOLIZER_JIT_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"
#include "symbolizer/limits.h"

/* Borrowed; -1 = there is none. */
struct jit_fds {
	int map;  /* perf-PID.map */
	int dump; /* jitdump */
};

/*
 * Names ADDRS (N_ADDRS <= SYMBOLIZE_ADDRS_MAX). The jitdump, which knows times and lines, goes
 * before the map. *RET, the caller's to free, is the payload of MSG_JIT_OK. Returns 0, -EINVAL
 * where the addresses are not ascending, -ENOMEM, or where no file could be used, why.
 */
int jit_name(const struct jit_fds *fds, const struct msg_jit_addr *addrs, uint32_t n_addrs,
	     void **ret, size_t *ret_n, struct limits *limits);

#endif
