/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table from the cache: any bytes in the place of what was kept there, then, if they are taken
 * for a table, walks by it natively over registers and a stack that the input gives as well. The
 * table lies in memory of just its size, so that whatever is read beyond is found.
 *
 * The first byte tells what is left of what was there: bit 0 the head, and bit 1 makes the head's
 * hash that of the new lines, which otherwise nothing but the right ones has. Bit 2 makes the input
 * the rules of a table that is good otherwise, which few others are.
 */
#include <assert.h>
#include <stdlib.h>

#include "bpf/unwind.bpf.h"
#include "tests/unit/valid_table.h"

#include "daemon/collector/disk_cache.c"
#include "daemon/collector/table_builder.h"
#include "daemon/collector/table_cache.c"

#define CODE 0x400000
#define CODE_BYTES (1u << 20)
#define STACK 0x7ffc00000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *bytes;
	size_t n;
};

static bool read_user(void *ctx, uint64_t addr, void *dst, size_t size)
{
	const struct input *in = ctx;

	if (addr - STACK >= in->n || size > in->n - (addr - STACK))
		return false;
	memcpy(dst, in->bytes + (addr - STACK), size);
	return true;
}

/* Walks from the code at OFF by the table LINES, with the input as the stack. */
static void walk_by(struct unwind_line *lines, uint32_t n_lines, struct input in, uint64_t off)
{
	static uint64_t frames[SAMPLE_FRAMES_MAX];
	struct native_memory memory = {.lines = lines,
				       .n_lines = 3 + n_lines,
				       .read = read_user,
				       .ctx = &in,
				       .fault_at = SIZE_MAX};
	struct unwind_walk w = {
	    .regs = {.ip = CODE + off, .sp = STACK, .valid = 0xffff, .exact = 1},
	    .space = 1,
	    .all_regs = 1,
	    .n = 1,
	    .max = USER_FRAMES_MAX,
	};
	struct unwind_space_head *head = (void *)&lines[1];
	struct unwind_mapping *m = (void *)&lines[2];

	*head = (struct unwind_space_head){.n_mappings = 1};
	*m = (struct unwind_mapping){
	    .start = CODE, .end = CODE + CODE_BYTES, .code = UNWIND_CODE_TABLE, .table = 3};
	for (size_t i = 0; i < 16; i++)
		w.regs.r[i] = STACK + 8 * i;
	native_memory = &memory;
	walk_user(&(struct walk_context){.walk = &w, .frames = frames});
	assert(w.end != STACK_END_NOT && w.end < STACK_END_MAX && w.n <= USER_FRAMES_MAX);
}

/* What the collector would do with the table at FD. */
static void use(int fd, const struct msg_unwind_table *made, struct input in)
{
	size_t n_bytes = made->n_lines * sizeof(struct unwind_line);
	struct unwind_line *lines;

	lines = malloc(3 * sizeof(*lines) + n_bytes);
	assert(lines &&
	       pread_full(fd, lines + 3, n_bytes, TABLE_CACHE_LINES_OFF) == (int64_t)n_bytes);
	memset(lines, 0, 3 * sizeof(*lines));
	if (unwind_table_valid(lines + 3, made->n_lines)) {
		const struct unwind_table_head *head = (const void *)(lines + 3);

		/* Every bucket's ends, and what lies about them. */
		for (uint64_t b = 0; b <= MIN(head->n_buckets, 64u); b++)
			for (uint64_t d = 0; d < 3; d++)
				walk_by(lines, 3 + made->n_lines, in,
					head->start + (b << head->shift) + d * 37 - 1);
	}
	free(lines);
}

/* The bytes that the cache has for FILE are those of the input now. */
static void put(struct table_cache *c, int file, const uint8_t *data, size_t size, uint8_t how)
{
	struct made_table t = made_table_example();
	struct msg_unwind_table made = {.n_lines = t.n_lines};
	struct file_identity id;
	struct cache_head head;
	char name[NAME_SIZE];
	int fd, r;

	if (how & 4) {
		size_t n = MIN(size, made_head(&t)->n_rules * sizeof(struct unwind_rule));

		memcpy(made_rules(&t), data, n);
		assert(table_cache__put(c, file, &made, t.lines) == 0);
		return;
	}
	assert(table_cache__put(c, file, &made, t.lines) == 0);
	r = file_identity_of_named(file, &id);
	assert(r == 0);
	name_of(&id, name);
	fd = openat(c->disk.dirfd, name, O_RDWR);
	assert(fd >= 0 && pread_full(fd, &head, sizeof(head), 0) == (int64_t)sizeof(head));
	if (how & 1) {
		r = ftruncate(fd, (off_t)(TABLE_CACHE_LINES_OFF + size));
		assert(r == 0 && pwrite(fd, data, size, TABLE_CACHE_LINES_OFF) == (ssize_t)size);
		head.table.n_lines = (uint32_t)(size / sizeof(struct unwind_line));
	} else {
		assert(pwrite(fd, data, size, 0) == (ssize_t)size);
	}
	if ((how & 3) == 3)
		head.hash = lines_hash((const void *)data, head.table.n_lines);
	if (how & 1)
		assert(pwrite(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head));
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char dir[] = "/dev/shm/cprofd-fuzz.XXXXXX";
	static struct table_cache *c;
	static int file;
	struct msg_unwind_table made;
	uint8_t how;
	void *copy;
	int fd, r;

	if (!c) {
		r = mkdtemp(dir) ? table_cache__new(&c, dir, "/proc/self/exe") : -errno;
		file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		assert(r == 0 && file >= 0);
	}
	if (size < 1)
		return 0;
	how = data[0];
	size--;
	if (how & 1)
		size &= ~(sizeof(struct unwind_line) - 1);
	/* Aligned, and with an end that is found. */
	copy = malloc(size + !size);
	assert(copy);
	memcpy(copy, data + 1, size);
	put(c, file, copy, size, how);
	if (table_cache__find(c, file, &fd, &made) == 0) {
		use(fd, &made, (struct input){copy, size});
		close(fd);
	}
	free(copy);
	return 0;
}
