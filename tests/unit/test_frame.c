/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/ipc/frame: messages with descriptors over a socket pair, and a peer that misbehaves. */
#include "daemon/ipc/frame.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

/* As on the wire; kept apart from frame.c so that a change of the format shows here. */
struct wire_header {
	uint32_t magic, type, id, n_bytes, n_fds;
};
#define WIRE_MAGIC 0x63707266u

struct pair {
	int a, b;
};

static struct pair open_pair(void)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	return (struct pair){s[0], s[1]};
}

static void close_pair(struct pair *p)
{
	p->a = close_fd(p->a);
	p->b = close_fd(p->b);
}

static size_t n_open_fds(void)
{
	cleanup_closedir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

static uint64_t in_ms(uint64_t ms)
{
	return clock_ns(CLOCK_MONOTONIC) + ms * NSEC_PER_MSEC;
}

static void carries_bytes(void **state)
{
	struct pair p = open_pair();
	struct ipc_msg out = IPC_MSG_INIT, in = IPC_MSG_INIT;

	out.type = 3;
	out.id = 99;
	out.payload = "payload";
	out.n_bytes = 8;
	assert_int_equal(ipc_send(p.a, &out, IPC_FOREVER), 0);
	assert_int_equal(ipc_recv(p.b, &in, IPC_FOREVER), 0);
	assert_int_equal(in.type, 3);
	assert_int_equal(in.id, 99);
	assert_int_equal(in.n_bytes, 8);
	assert_int_equal(in.n_fds, 0);
	assert_string_equal(in.payload, "payload");
	assert_int_equal(in.fds[0], -1);
	ipc_msg__fini(&in);
	assert_null(in.payload);
	close_pair(&p);
}

static void carries_nothing_but_a_type(void **state)
{
	struct pair p = open_pair();
	struct ipc_msg out = IPC_MSG_INIT, in = IPC_MSG_INIT;

	out.type = 1;
	assert_int_equal(ipc_send(p.a, &out, IPC_FOREVER), 0);
	assert_int_equal(ipc_recv(p.b, &in, IPC_FOREVER), 0);
	assert_int_equal(in.type, 1);
	assert_null(in.payload);
	ipc_msg__fini(&in);
	close_pair(&p);
}

/* The receiver owns its copies, which close on exec; what it does not take is closed. */
static void carries_descriptors(void **state)
{
	struct pair p = open_pair();
	struct ipc_msg out = IPC_MSG_INIT, in = IPC_MSG_INIT;
	size_t before;

	out.n_fds = IPC_FDS_MAX;
	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		out.fds[i] = memfd_create("fd", MFD_CLOEXEC);
	before = n_open_fds();
	assert_int_equal(ipc_send(p.a, &out, IPC_FOREVER), 0);
	assert_int_equal(ipc_recv(p.b, &in, IPC_FOREVER), 0);
	assert_int_equal(in.n_fds, IPC_FDS_MAX);
	for (size_t i = 0; i < IPC_FDS_MAX; i++) {
		struct stat want, got;

		assert_int_equal(fstat(out.fds[i], &want), 0);
		assert_int_equal(fstat(in.fds[i], &got), 0);
		assert_int_equal(want.st_ino, got.st_ino);
		assert_true(fcntl(in.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	ipc_msg__fini(&in);
	assert_int_equal(n_open_fds(), before);
	ipc_msg__fini(&out);
	close_pair(&p);
}

#define LARGE (3u << 20)

/* Larger than any socket buffer: both ends take turns; several in a row stay apart. */
static void carries_large_messages(void **state)
{
	struct pair p = open_pair();
	cleanup_free char *bytes = malloc(LARGE);
	pid_t child;
	int status;

	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (char)(i * 31 >> 3);
	child = fork();
	if (child == 0) {
		struct ipc_msg out = IPC_MSG_INIT;

		out.payload = bytes;
		for (out.n_bytes = 1; out.n_bytes <= LARGE; out.n_bytes *= 3)
			if (ipc_send(p.a, &out, in_ms(20000)) < 0)
				_exit(1);
		_exit(0);
	}
	for (uint32_t n = 1; n <= LARGE; n *= 3) {
		struct ipc_msg in = IPC_MSG_INIT;

		assert_int_equal(ipc_recv(p.b, &in, in_ms(20000)), 0);
		assert_int_equal(in.n_bytes, n);
		assert_memory_equal(in.payload, bytes, n);
		ipc_msg__fini(&in);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close_pair(&p);
}

static void deadlines_hold(void **state)
{
	struct pair p = open_pair();
	cleanup_free char *bytes = calloc(1, LARGE);
	struct ipc_msg out = IPC_MSG_INIT, in = {.type = 4711, .fds = {-1, -1, -1, -1}};
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	assert_int_equal(ipc_recv(p.b, &in, in_ms(30)), -ETIMEDOUT);
	assert_true(clock_ns(CLOCK_MONOTONIC) - start >= 30 * NSEC_PER_MSEC);
	assert_int_equal(in.type, 4711); /* untouched */
	out.payload = bytes;
	out.n_bytes = LARGE;
	assert_int_equal(ipc_send(p.a, &out, in_ms(30)), -ETIMEDOUT); /* nobody reads */
	close_pair(&p);
}

static void a_peer_that_is_gone_is_epipe(void **state)
{
	struct pair p = open_pair();
	struct ipc_msg out = IPC_MSG_INIT, in = IPC_MSG_INIT;

	p.a = close_fd(p.a);
	assert_int_equal(ipc_recv(p.b, &in, IPC_FOREVER), -EPIPE);
	assert_int_equal(ipc_send(p.b, &out, IPC_FOREVER), -EPIPE); /* and no SIGPIPE */
	close_pair(&p);
}

static void the_sender_keeps_the_limits(void **state)
{
	struct pair p = open_pair();
	struct ipc_msg out = IPC_MSG_INIT;

	out.n_bytes = IPC_PAYLOAD_MAX + 1;
	assert_int_equal(ipc_send(p.a, &out, IPC_FOREVER), -EMSGSIZE);
	out.n_bytes = 0;
	out.n_fds = IPC_FDS_MAX + 1;
	assert_int_equal(ipc_send(p.a, &out, IPC_FOREVER), -EMSGSIZE);
	close_pair(&p);
}

/* Sends N bytes at BYTES with N_FDS descriptors, as a hostile peer would. */
static void send_raw(int sock, const void *bytes, size_t n, size_t n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = n};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &mh, 0), n);
	close(null);
}

static void refuses(const struct wire_header *h, size_t n_fds, int want)
{
	struct pair p = open_pair();
	struct ipc_msg in = {.type = 4711, .fds = {-1, -1, -1, -1}};
	size_t before = n_open_fds();

	send_raw(p.a, h, sizeof(*h), n_fds);
	p.a = close_fd(p.a);
	assert_int_equal(ipc_recv(p.b, &in, in_ms(1000)), want);
	assert_int_equal(in.type, 4711);
	close_pair(&p);
	assert_int_equal(n_open_fds(), before - 2);
}

static void hostile_headers_are_refused(void **state)
{
	refuses(&(struct wire_header){.magic = 0x12345678}, 0, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_bytes = IPC_PAYLOAD_MAX + 1}, 0,
		-EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_bytes = UINT32_MAX}, 0, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_fds = 1}, 0, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_fds = UINT32_MAX}, 0, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_bytes = 100}, 0, -EPIPE);
}

/* More or fewer descriptors than were announced: refused, and none stays open. */
static void surplus_descriptors_are_closed(void **state)
{
	refuses(&(struct wire_header){.magic = WIRE_MAGIC}, 1, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_fds = 1}, 3, -EBADMSG);
	refuses(&(struct wire_header){.magic = WIRE_MAGIC, .n_fds = 2}, 16, -EBADMSG);
	refuses(&(struct wire_header){.magic = 0, .n_fds = 4}, 4, -EBADMSG);
}

static void descriptors_with_the_payload_are_refused(void **state)
{
	struct wire_header h = {.magic = WIRE_MAGIC, .n_bytes = 4};
	struct pair p = open_pair();
	struct ipc_msg in = IPC_MSG_INIT;
	size_t before = n_open_fds();

	send_raw(p.a, &h, sizeof(h), 0);
	send_raw(p.a, "abcd", 4, 2);
	assert_int_equal(ipc_recv(p.b, &in, in_ms(1000)), -EBADMSG);
	assert_int_equal(n_open_fds(), before);
	close_pair(&p);
}

static void torn_messages_are_put_together(void **state)
{
	struct wire_header h = {.magic = WIRE_MAGIC, .type = 5, .n_bytes = 4};
	struct pair p = open_pair();
	struct ipc_msg in = IPC_MSG_INIT;

	send_raw(p.a, &h, 7, 0);
	send_raw(p.a, (char *)&h + 7, sizeof(h) - 7, 0);
	send_raw(p.a, "ab", 2, 0);
	send_raw(p.a, "cd", 2, 0);
	assert_int_equal(ipc_recv(p.b, &in, in_ms(1000)), 0);
	assert_memory_equal(in.payload, "abcd", 4);
	ipc_msg__fini(&in);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(carries_bytes),
	    cmocka_unit_test(carries_nothing_but_a_type),
	    cmocka_unit_test(carries_descriptors),
	    cmocka_unit_test(carries_large_messages),
	    cmocka_unit_test(deadlines_hold),
	    cmocka_unit_test(a_peer_that_is_gone_is_epipe),
	    cmocka_unit_test(the_sender_keeps_the_limits),
	    cmocka_unit_test(hostile_headers_are_refused),
	    cmocka_unit_test(surplus_descriptors_are_closed),
	    cmocka_unit_test(descriptors_with_the_payload_are_refused),
	    cmocka_unit_test(torn_messages_are_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
