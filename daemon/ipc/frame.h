/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of messages between our processes, over a stream socket of AF_UNIX.
 *
 * A message is a fixed header, a payload of at most IPC_PAYLOAD_MAX bytes and at most IPC_FDS_MAX
 * file descriptors, which travel with the header. Both ends treat the other as hostile: lengths are
 * checked before memory is taken, unexpected descriptors are closed. One thread per socket end.
 */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define IPC_FDS_MAX 4

/* 5,000 addresses with inline chains answer in about 2 MiB; a whole vmlinux window in 20 MiB. */
#define IPC_PAYLOAD_MAX (64u << 20)

/* No deadline for ipc_recv() and ipc_send(). */
#define IPC_FOREVER UINT64_MAX

struct ipc_msg {
	uint32_t type; /* MSG_* of messages.h */
	uint32_t id;   /* chosen by who asks, repeated in the answer */
	uint32_t n_bytes;
	uint32_t n_fds;
	void *payload;	      /* owned; NULL where there is none; aligned for any type */
	int fds[IPC_FDS_MAX]; /* owned; -1 where there is none */
};

/* An empty message, safe to pass to ipc_msg__fini(). */
#define IPC_MSG_INIT                                                                               \
	{                                                                                          \
		.fds = { -1, -1, -1, -1 }                                                          \
	}

/* Frees the payload and closes the descriptors that were not taken. Leaves an empty message. */
void ipc_msg__fini(struct ipc_msg *msg);

/*
 * Sends one message; payload and descriptors stay the caller's. Blocks until all of it is written
 * or the monotonic time DEADLINE_NS has come. Returns 0, -ETIMEDOUT, -EPIPE (the other end is
 * gone), -EMSGSIZE (over the limits above) or another -errno; after a failure the stream is
 * unusable.
 */
int ipc_send(int sock, const struct ipc_msg *msg, uint64_t deadline_ns);

/*
 * Receives one message into *RET, which the caller releases with ipc_msg__fini(). Returns 0; -EPIPE
 * at the end of the stream; -ETIMEDOUT; -EBADMSG where the header breaks a limit; or another
 * -errno. *RET is untouched on failure, and the stream is unusable afterwards.
 */
int ipc_recv(int sock, struct ipc_msg *ret, uint64_t deadline_ns);

#endif
