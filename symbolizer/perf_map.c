/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/perf_map.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "symbolizer/file_window.h"

struct search {
	const struct msg_jit_addr *addrs;
	uint32_t n_addrs;
	struct perf_map_name *names;
	struct limits *limits;
};

struct line {
	uint64_t start, end; /* end is exclusive */
	size_t name, n_name; /* offset in the line */
};

/* Takes a hexadecimal number off the front of [*P, END), and the blank that must follow it. */
static bool take_hex(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	const uint8_t *s = *p, *digits;
	uint64_t v = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	for (digits = s; s < end; s++) {
		uint8_t c = *s, low = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint64_t)(low - 'a' + 10);
		else
			break;
	}
	if (s == digits || s - digits > 16 || s == end || *s != ' ')
		return false;
	while (s < end && *s == ' ')
		s++;
	*p = s;
	*ret = v;
	return true;
}

/* Splits the line [S, END), which has no newline. */
static bool split_line(const uint8_t *s, const uint8_t *end, struct line *ret)
{
	const uint8_t *begin = s;
	uint64_t size;

	if (!take_hex(&s, end, &ret->start) || !take_hex(&s, end, &size) || s == end)
		return false;
	ret->end = ret->start + MIN(size, UINT64_MAX - ret->start);
	ret->name = (size_t)(s - begin);
	ret->n_name = (size_t)(end - s);
	return true;
}

/* The first address at or above START. */
static uint32_t lower_bound(const struct search *s, uint64_t start)
{
	uint32_t lo = 0, hi = s->n_addrs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->addrs[mid].addr < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Gives the addresses of line [P, END) at OFF in the file its name. False where the work is too
 * much. */
static bool match_line(struct search *s, const uint8_t *p, const uint8_t *end, uint64_t off)
{
	struct line l;

	if (!split_line(p, end, &l) || l.end <= s->addrs[0].addr ||
	    l.start > s->addrs[s->n_addrs - 1].addr)
		return true;
	for (uint32_t i = lower_bound(s, l.start); i < s->n_addrs && s->addrs[i].addr < l.end;
	     i++) {
		if (s->limits->matches_left == 0) {
			s->limits->hits[LIMIT_MATCHES]++;
			return false;
		}
		s->limits->matches_left--;
		s->names[i].off = off + l.name;
		s->names[i].n = (uint32_t)MIN(l.n_name, SYMBOL_STRING_MAX);
	}
	return true;
}

/*
 * Shows the line at OFF of which the end is in the window: *RET and its length. A line longer than
 * the window is shown in pieces without their end. Returns the bytes to go on by, newline included;
 * 0 at the end of what is whole; or -errno.
 */
static int64_t next_line(struct file_window *fw, uint64_t off, const uint8_t **ret, size_t *ret_n,
			 bool *ret_whole)
{
	const uint8_t *newline = NULL;
	int64_t n = file_window__at(fw, off, 1, ret);

	if (n > 0)
		newline = memchr(*ret, '\n', (size_t)n);
	if (n > 0 && !newline) { /* once more, with the line at the window's start */
		n = file_window__at(fw, off, FILE_WINDOW_BYTES, ret);
		newline = n > 0 ? memchr(*ret, '\n', (size_t)n) : NULL;
	}
	if (n <= 0)
		return n;
	*ret_whole = newline != NULL;
	if (!newline)
		return n < FILE_WINDOW_BYTES ? 0 : n; /* being written, or too long */
	*ret_n = (size_t)(newline - *ret);
	return (int64_t)*ret_n + 1;
}

/* Goes through the lines from OFF on, which is inside of one if INSIDE. */
static int match_lines(struct search *s, struct file_window *fw, uint64_t off, bool inside)
{
	for (;;) {
		const uint8_t *line;
		size_t n_line;
		bool whole;
		int64_t n = next_line(fw, off, &line, &n_line, &whole);

		if (n <= 0)
			return (int)n;
		if (whole && !inside && !match_line(s, line, line + n_line, off))
			return 0;
		inside = !whole;
		off += (uint64_t)n;
	}
}

int perf_map_find(int fd, const struct msg_jit_addr *addrs, uint32_t n_addrs, struct limits *limits,
		  struct perf_map_name *ret)
{
	struct search s = {.addrs = addrs, .n_addrs = n_addrs, .names = ret, .limits = limits};
	struct file_window fw;
	uint64_t start = 0, size;
	struct stat st;
	int r;

	if (n_addrs == 0)
		return 0;
	memset(ret, 0, n_addrs * sizeof(*ret));
	if (fstat(fd, &st) < 0)
		return -errno;
	size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (size > LIMIT_PERF_MAP_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		start = size - LIMIT_PERF_MAP_BYTES_MAX; /* later lines win */
	}
	r = file_window__init(&fw, fd, size);
	if (r == 0)
		r = match_lines(&s, &fw, start, start > 0);
	file_window__fini(&fw);
	return r;
}
