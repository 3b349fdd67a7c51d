/* SPDX-License-Identifier: Apache-2.0 */
/* A jitdump written record by record, as a runtime does, for the tests of what is read from it. */
#ifndef TESTS_MADE_JITDUMP_H
#define TESTS_MADE_JITDUMP_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

struct jitdump_line {
	uint64_t addr;
	uint32_t line;
	const char *file; /* "\377": that of the line before */
};

static inline void jitdump_put(int fd, const void *bytes, size_t n)
{
	assert_int_equal(write_full(fd, bytes, n), (int64_t)n);
}

static inline void jitdump_put_header(int fd, uint32_t magic, uint32_t version, uint32_t size,
				      uint64_t flags)
{
	const uint32_t words[6] = {magic, version, size, 62, 0, 4711};
	const uint64_t more[2] = {1, flags};

	jitdump_put(fd, words, sizeof(words));
	jitdump_put(fd, more, sizeof(more));
}

static inline void jitdump_put_prefix(int fd, uint32_t id, size_t size, uint64_t time_ns)
{
	const uint32_t words[2] = {id, (uint32_t)(16 + size)};

	jitdump_put(fd, words, sizeof(words));
	jitdump_put(fd, &time_ns, sizeof(time_ns));
}

/* Code of N bytes at ADDR called NAME. */
static inline void jitdump_put_load(int fd, uint64_t time_ns, uint64_t addr, uint64_t n,
				    const char *name)
{
	const uint64_t fixed[5] = {4711ull << 32 | 4711, addr, addr, n, 1};
	size_t n_name = strlen(name) + 1;
	char code[4096] = {0};

	assert_true(n <= sizeof(code));
	jitdump_put_prefix(fd, 0, sizeof(fixed) + n_name + n, time_ns);
	jitdump_put(fd, fixed, sizeof(fixed));
	jitdump_put(fd, name, n_name);
	jitdump_put(fd, code, n);
}

static inline void jitdump_put_move(int fd, uint64_t time_ns, uint64_t from, uint64_t to,
				    uint64_t n)
{
	const uint64_t fixed[6] = {4711ull << 32 | 4711, to, from, to, n, 1};

	jitdump_put_prefix(fd, 1, sizeof(fixed), time_ns);
	jitdump_put(fd, fixed, sizeof(fixed));
}

/* The lines of the code that will be loaded at ADDR. */
static inline void jitdump_put_lines(int fd, uint64_t addr, const struct jitdump_line *lines,
				     size_t n)
{
	const uint64_t fixed[2] = {addr, n};
	size_t size = sizeof(fixed);

	for (size_t i = 0; i < n; i++)
		size += 16 + strlen(lines[i].file) + 1;
	jitdump_put_prefix(fd, 2, size, 1);
	jitdump_put(fd, fixed, sizeof(fixed));
	for (size_t i = 0; i < n; i++) {
		const uint32_t words[2] = {lines[i].line, 0};

		jitdump_put(fd, &lines[i].addr, 8);
		jitdump_put(fd, words, sizeof(words));
		jitdump_put(fd, lines[i].file, strlen(lines[i].file) + 1);
	}
}

/* An empty one, without records yet. The caller's to close. */
static inline int made_jitdump(void)
{
	int fd = memfd_create("jitdump", MFD_CLOEXEC);

	assert_true(fd >= 0);
	jitdump_put_header(fd, 0x4A695444, 1, 40, 0);
	return fd;
}

#endif
