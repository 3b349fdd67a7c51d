/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/unwind_memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"

/* A walk takes microseconds, unless the host takes the CPU away. */
#define GRACE_NS NSEC_PER_SEC

/* What is mapped at once: few calls, and little memory that nobody uses. A multiple of the page. */
#define SEGMENT_BYTES (512u << 10)
#define SEGMENT_LINES (SEGMENT_BYTES / sizeof(struct unwind_line))

struct run {
	uint32_t line, n;
	uint64_t since_ns; /* of one given back */
};

struct unwind_memory {
	int fd;
	struct unwind_line *lines; /* the whole array's addresses; mapped segment by segment */
	size_t n_bytes;
	bool *mapped; /* by segment */
	size_t n_segments;
	struct run *free; /* by line; no two touch */
	size_t n_free, cap_free;
	struct run *given; /* in the order of time */
	size_t n_given, cap_given;
	uint32_t n_used; /* handed out or given back lately */
};

DEFINE_CLEANUP(struct unwind_memory *, unwind_memory__free);

int unwind_memory__new(struct unwind_memory **ret, int fd, uint32_t n_lines)
{
	_cleanup_(unwind_memory__freep) struct unwind_memory *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->fd = fd;
	m->n_segments = (n_lines + SEGMENT_LINES - 1) / SEGMENT_LINES;
	m->mapped = calloc(m->n_segments, sizeof(*m->mapped));
	m->lines = mmap(NULL, m->n_segments * SEGMENT_BYTES, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->lines == MAP_FAILED)
		m->lines = NULL;
	if (!m->mapped || !m->lines)
		return -ENOMEM;
	m->n_bytes = (size_t)n_lines * sizeof(struct unwind_line);
	r = array_reserve(&m->free, &m->cap_free, 1, sizeof(*m->free));
	if (r < 0)
		return r;
	/* Line 0 means "none". */
	m->free[m->n_free++] = (struct run){.line = 1, .n = n_lines - 1};
	*ret = steal_ptr(m);
	return 0;
}

struct unwind_memory *unwind_memory__free(struct unwind_memory *m)
{
	if (!m)
		return NULL;
	if (m->lines)
		munmap(m->lines, m->n_segments * SEGMENT_BYTES);
	free(m->mapped);
	free(m->free);
	free(m->given);
	free(m);
	return NULL;
}

static int map_segment(struct unwind_memory *m, size_t i)
{
	size_t off = i * SEGMENT_BYTES;
	void *at = (char *)m->lines + off, *p;

	if (m->mapped[i])
		return 0;
	p = mmap(at, MIN(m->n_bytes - off, SEGMENT_BYTES), PROT_READ | PROT_WRITE,
		 MAP_FIXED | (m->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), m->fd,
		 m->fd < 0 ? 0 : (off_t)off);
	if (p == MAP_FAILED)
		return -errno;
	m->mapped[i] = true;
	return 0;
}

static int map_lines(struct unwind_memory *m, uint32_t line, uint32_t n)
{
	int r = 0;

	for (size_t i = line / SEGMENT_LINES; i <= (line + n - 1) / SEGMENT_LINES && r == 0; i++)
		r = map_segment(m, i);
	return r;
}

int unwind_memory__take(struct unwind_memory *m, uint32_t n, uint32_t *ret)
{
	uint32_t line;
	size_t i = 0;
	int r;

	assert(n > 0);
	/* The first that fits, so that what is used stays together and the rest stays unmapped. */
	while (i < m->n_free && m->free[i].n < n)
		i++;
	if (i == m->n_free)
		return -ENOSPC;
	line = m->free[i].line;
	r = map_lines(m, line, n);
	if (r < 0)
		return r;
	m->free[i].line += n;
	m->free[i].n -= n;
	if (!m->free[i].n)
		memmove(&m->free[i], &m->free[i + 1], (--m->n_free - i) * sizeof(*m->free));
	memset(&m->lines[line], 0, n * sizeof(struct unwind_line));
	m->n_used += n;
	*ret = line;
	return 0;
}

/* Puts a run back among the free ones, joined with its neighbours. */
static int add_free(struct unwind_memory *m, struct run run)
{
	size_t i = 0;
	int r = array_reserve(&m->free, &m->cap_free, m->n_free + 1, sizeof(*m->free));

	if (r < 0)
		return r;
	while (i < m->n_free && m->free[i].line < run.line)
		i++;
	if (i < m->n_free && run.line + run.n == m->free[i].line) {
		m->free[i].line = run.line;
		m->free[i].n += run.n;
	} else {
		memmove(&m->free[i + 1], &m->free[i], (m->n_free - i) * sizeof(*m->free));
		m->free[i] = run;
		m->n_free++;
	}
	if (i > 0 && m->free[i - 1].line + m->free[i - 1].n == m->free[i].line) {
		m->free[i - 1].n += m->free[i].n;
		memmove(&m->free[i], &m->free[i + 1], (--m->n_free - i) * sizeof(*m->free));
	}
	return 0;
}

void unwind_memory__give(struct unwind_memory *m, uint32_t line, uint32_t n, uint64_t now_ns)
{
	/* Without room to remember it the run stays used: it is lost, and nothing worse. */
	if (array_reserve(&m->given, &m->cap_given, m->n_given + 1, sizeof(*m->given)) == 0)
		m->given[m->n_given++] = (struct run){.line = line, .n = n, .since_ns = now_ns};
}

void unwind_memory__settle(struct unwind_memory *m, uint64_t now_ns)
{
	size_t n = 0;

	while (n < m->n_given && m->given[n].since_ns + GRACE_NS <= now_ns) {
		if (add_free(m, m->given[n]) == 0)
			m->n_used -= m->given[n].n;
		n++;
	}
	if (n == 0)
		return; /* there may be no list at all */
	m->n_given -= n;
	memmove(m->given, m->given + n, m->n_given * sizeof(*m->given));
}

struct unwind_line *unwind_memory__lines(const struct unwind_memory *m)
{
	return m->lines;
}

uint32_t unwind_memory__n_lines(const struct unwind_memory *m)
{
	return (uint32_t)(m->n_bytes / sizeof(struct unwind_line));
}

uint32_t unwind_memory__n_used(const struct unwind_memory *m)
{
	return m->n_used;
}

uint32_t unwind_memory__n_resting(const struct unwind_memory *m)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n_given; i++)
		n += m->given[i].n;
	return n;
}
