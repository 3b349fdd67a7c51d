/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ipc/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/util.h"

/* Tells a stream of ours from anything else that might be at the other end. */
#define IPC_MAGIC 0x63707266u

struct header {
	uint32_t magic;
	uint32_t type;
	uint32_t id;
	uint32_t n_bytes;
	uint32_t n_fds;
};

void ipc_msg__fini(struct ipc_msg *msg)
{
	free(msg->payload);
	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		close_fd(msg->fds[i]);
	*msg = (struct ipc_msg)IPC_MSG_INIT;
}

/* Waits until SOCK is ready for EVENTS. Returns 0, -ETIMEDOUT or -errno. */
static int wait_for(int sock, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = {.fd = sock, .events = events};

	for (;;) {
		int timeout_ms = -1, r;

		if (deadline_ns != IPC_FOREVER) {
			uint64_t now = clock_ns(CLOCK_MONOTONIC);

			if (now >= deadline_ns)
				return -ETIMEDOUT;
			timeout_ms = (int)MIN((deadline_ns - now) / NSEC_PER_MSEC + 1, 1u << 30);
		}
		r = poll(&pfd, 1, timeout_ms);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_bytes(int sock, const void *bytes, size_t n, const int *fds, size_t n_fds,
		      uint64_t deadline_ns)
{
	const char *p = bytes;

	while (n > 0) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
		} control = {0};
		struct iovec iov = {.iov_base = (void *)p, .iov_len = n};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t done;

		if (n_fds) {
			struct cmsghdr *c = &control.align;

			mh.msg_control = control.bytes;
			mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
			memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
		}
		done = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
			int r = wait_for(sock, POLLOUT, deadline_ns);

			if (r < 0)
				return r;
			continue;
		}
		if (done < 0)
			return errno == ECONNRESET ? -EPIPE : -errno;
		p += done;
		n -= (size_t)done;
		n_fds = 0;
	}
	return 0;
}

int ipc_send(int sock, const struct ipc_msg *msg, uint64_t deadline_ns)
{
	struct header h = {
	    .magic = IPC_MAGIC,
	    .type = msg->type,
	    .id = msg->id,
	    .n_bytes = msg->n_bytes,
	    .n_fds = msg->n_fds,
	};
	int r;

	if (msg->n_bytes > IPC_PAYLOAD_MAX || msg->n_fds > IPC_FDS_MAX)
		return -EMSGSIZE;
	r = send_bytes(sock, &h, sizeof(h), msg->fds, msg->n_fds, deadline_ns);
	if (r < 0)
		return r;
	return send_bytes(sock, msg->payload, msg->n_bytes, NULL, 0, deadline_ns);
}

/* Keeps the descriptors of one received control block in MSG, as many as fit; closes the rest. */
static void keep_fds(struct ipc_msg *msg, struct msghdr *mh)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (msg->n_fds < IPC_FDS_MAX)
				msg->fds[msg->n_fds++] = fd;
			else
				close_fd(fd);
		}
	}
}

static int recv_bytes(int sock, void *bytes, size_t n, struct ipc_msg *msg, uint64_t deadline_ns)
{
	char *p = bytes;

	while (n > 0) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
		} control;
		struct iovec iov = {.iov_base = p, .iov_len = n};
		struct msghdr mh = {
		    .msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = control.bytes,
		    .msg_controllen = sizeof(control.bytes),
		};
		ssize_t done = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
			int r = wait_for(sock, POLLIN, deadline_ns);

			if (r < 0)
				return r;
			continue;
		}
		if (done < 0)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (done == 0)
			return -EPIPE;
		keep_fds(msg, &mh);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int ipc_recv(int sock, struct ipc_msg *ret, uint64_t deadline_ns)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT;
	struct header h;
	int r;

	r = recv_bytes(sock, &h, sizeof(h), &msg, deadline_ns);
	if (r < 0)
		return r;
	if (h.magic != IPC_MAGIC || h.n_bytes > IPC_PAYLOAD_MAX || h.n_fds != msg.n_fds)
		return -EBADMSG;
	if (h.n_bytes) {
		msg.payload = malloc(h.n_bytes);
		if (!msg.payload)
			return -ENOMEM;
		r = recv_bytes(sock, msg.payload, h.n_bytes, &msg, deadline_ns);
		if (r < 0)
			return r;
		if (h.n_fds != msg.n_fds)
			return -EBADMSG;
	}
	msg.type = h.type;
	msg.id = h.id;
	msg.n_bytes = h.n_bytes;
	*ret = msg;
	msg = (struct ipc_msg)IPC_MSG_INIT;
	return 0;
}
