/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

uint64_t clock_ns(int clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

int array_reserve(void *array, size_t *cap, size_t want, size_t size)
{
	void **p = array, *grown;
	size_t n = *cap + *cap / 2;

	if (want <= *cap)
		return 0;
	n = MAX(MAX(n, want), 8);
	grown = reallocarray(*p, n, size);
	if (!grown)
		return -ENOMEM;
	*p = grown;
	*cap = n;
	return 0;
}

int64_t read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)buf + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

int64_t pread_full(int fd, void *buf, size_t n, uint64_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)buf + done, n - done, (off_t)(off + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

int64_t write_full(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, (const char *)buf + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		done += (size_t)r;
	}
	return (int64_t)done;
}

int read_text_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	size_t cap = 0, n = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		/* Files of /proc have no size to ask for, so the buffer doubles until the end. */
		int64_t r = array_reserve(&text, &cap, MAX(2 * n, 4096), 1);

		if (r < 0)
			return (int)r;
		r = read_full(fd, text + n, cap - n - 1);
		if (r < 0)
			return (int)r;
		n += (size_t)r;
		if (n > max)
			return -EFBIG;
		if (n < cap - 1)
			break;
	}
	text[n] = '\0';
	*ret = steal_ptr(text);
	if (ret_n)
		*ret_n = n;
	return 0;
}
