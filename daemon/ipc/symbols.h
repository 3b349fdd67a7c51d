/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the answer of MSG_SYMBOLIZE, which is hostile input to the collector: the symbolizer
 * may have been taken over by the file that it read.
 */
#ifndef IPC_SYMBOLS_H
#define IPC_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"

/* Views into a payload that has been checked; borrowed, as long as the payload lives. */
struct symbols_view {
	const struct msg_symbols *header;
	const struct msg_symbol_addr *addrs;
	const struct msg_symbol_frame *frames;
	const struct msg_symbol_function *functions;
	const char *strings;
};

/* Bytes that a payload with these counts has, and where its parts begin. */
struct symbols_layout {
	uint64_t addrs, frames, functions, strings, end;
};
struct symbols_layout symbols_layout(const struct msg_symbols *header);

/*
 * Checks a payload of N bytes that answers a question of N_ADDRS addresses: sizes, every index, the
 * terminating NULs. Returns 0 and fills *RET, or -EBADMSG.
 */
int symbols_view__init(struct symbols_view *ret, const void *payload, size_t n, uint32_t n_addrs);

#endif
