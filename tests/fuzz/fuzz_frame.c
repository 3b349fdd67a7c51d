/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from a peer: whole messages or an error; and any payload as the symbolizer's answer. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/ipc/frame.h"
#include "daemon/ipc/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Follows every index of an answer that was found good. */
static void read_answer(const struct ipc_msg *msg)
{
	const struct msg_symbols *h = msg->payload;
	struct symbols_view v;

	if (msg->n_bytes < sizeof(*h) ||
	    symbols_view__init(&v, msg->payload, msg->n_bytes, h->n_addrs) < 0)
		return;
	for (uint32_t i = 0; i < v.header->n_addrs; i++) {
		for (uint32_t j = 0; j < v.addrs[i].n_frames; j++) {
			const struct msg_symbol_frame *frame =
			    &v.frames[v.addrs[i].first_frame + j];
			const struct msg_symbol_function *f = &v.functions[frame->function];

			assert(strlen(v.strings + f->name) < h->n_string_bytes);
			assert(strlen(v.strings + f->system_name) < h->n_string_bytes);
			assert(strlen(v.strings + f->filename) < h->n_string_bytes);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct ipc_msg msg = IPC_MSG_INIT;
	int s[2];

	/* A payload alone first: the framing would let few of them through. */
	msg.payload = malloc(n + !n);
	if (!msg.payload)
		return 0;
	if (n)
		memcpy(msg.payload, bytes, n);
	msg.n_bytes = (uint32_t)n;
	read_answer(&msg);
	ipc_msg__fini(&msg);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	/* What does not fit into the socket's buffer is cut; the reader sees a torn message. */
	if (n && send(s[0], bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		n = 0;
	close(s[0]);
	while (ipc_recv(s[1], &msg, IPC_FOREVER) == 0) {
		assert(msg.n_bytes <= IPC_PAYLOAD_MAX && msg.n_fds == 0);
		read_answer(&msg);
		ipc_msg__fini(&msg);
	}
	close(s[1]);
	return 0;
}
