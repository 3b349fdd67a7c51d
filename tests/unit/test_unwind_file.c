/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/unwind_file: from a file to a table in memory that nobody can change any more. */
#include "symbolizer/unwind_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/table_builder.h"
#include "tests/unit/elf_image.h"
#include "tests/unit/self_file.h"

struct built {
	int fd;
	struct msg_unwind_table made;
	struct unwind_line *lines;
};

static void build(int fd, struct built *ret)
{
	struct stat st;

	*ret = (struct built){.fd = -1};
	assert_int_equal(unwind_file_build(fd, &ret->fd, &ret->made), 0);
	assert_int_equal(fstat(ret->fd, &st), 0);
	assert_int_equal(st.st_size, ret->made.n_lines * sizeof(struct unwind_line));
	ret->lines = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, ret->fd, 0);
	assert_ptr_not_equal(ret->lines, MAP_FAILED);
	/* As the collector will see it. */
	assert_true(unwind_table_valid(ret->lines, ret->made.n_lines));
}

static void built__fini(struct built *b)
{
	munmap(b->lines, b->made.n_lines * sizeof(struct unwind_line));
	close(b->fd);
}

/* The rule at OFF, by looking at every row of its bucket. */
static struct unwind_rule rule_at(const struct built *b, uint64_t off)
{
	const struct unwind_table_head *h = (const void *)b->lines;
	const uint32_t *dir = b->lines[h->dir_line].w, *rows = b->lines[h->row_line].w;
	uint64_t bucket = (off - h->start) >> h->shift;
	uint32_t row;

	assert_true(off >= h->start && bucket < h->n_buckets);
	row = dir[bucket];
	while (row < dir[bucket + 1] && (rows[row] & 0xffff) <= (off & 0xffff))
		row++;
	assert_true(row > 0);
	return ((const struct unwind_rule *)&b->lines[h->rule_line])[rows[row - 1] >> 16];
}

/* What its compiler has said about it is in its .eh_frame. */
static __attribute__((noinline, used)) int a_function(void)
{
	__asm__ volatile("");
	return 1;
}

static void of_the_test_itself(void **state)
{
	struct self_file self = {0};
	const struct msg_build_id *id;
	const struct unwind_table_head *h;
	const struct elf_segment *code;
	struct built b;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	build(self.fd, &b);
	h = (const void *)b.lines;
	id = elf_file__build_id(self.file);
	assert_true(build_id_equal(&b.made.build_id, id));
	assert_int_equal(b.made.n_bad, 0);
	assert_int_equal(b.made.n_dropped, 0);
	assert_int_equal(b.made.reserved, 0);
	/* All of its code is in the table. */
	code = elf_file__code(self.file, &n);
	for (size_t i = 0; i < n; i++) {
		assert_true(h->start <= code[i].off);
		assert_true(h->start + ((uint64_t)h->n_buckets << h->shift) >=
			    code[i].off + code[i].n_bytes);
	}
	self_file__close(&self);
	built__fini(&b);
}

static void a_function_is_entered_with_nothing_on_the_stack(void **state)
{
	struct self_file self = {0};
	struct unwind_rule rule;
	struct built b;
	uint64_t vaddr, off = 0;
	const struct elf_segment *code;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	build(self.fd, &b);
	vaddr = self_vaddr(&self, a_function);
	code = elf_file__code(self.file, &n);
	for (size_t i = 0; i < n; i++)
		if (vaddr - code[i].vaddr < code[i].n_bytes)
			off = vaddr - code[i].vaddr + code[i].off;
	assert_int_not_equal(off, 0);
	rule = rule_at(&b, off);
	assert_int_equal(rule.cfa, UNWIND_CFA_REG);
	assert_int_equal(rule.flags & UNWIND_FLAG_GUESSED, 0);
#ifdef __x86_64__
	assert_int_equal(rule.cfa_reg, 7); /* rsp */
	assert_int_equal(rule.cfa_off, 8);
	assert_int_equal(rule.ra, 1);
#else
	assert_int_equal(rule.cfa_off, 0);
	assert_int_equal(rule.ra, UNWIND_RA_REG + 30);
#endif
	self_file__close(&self);
	built__fini(&b);
}

/* The collector maps it without a copy: not even who made it may change it. */
static void it_is_sealed(void **state)
{
	cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct built b;

	build(fd, &b);
	assert_int_equal(fcntl(b.fd, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_true(fcntl(b.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(b.fd, "x", 1), -1);
	assert_int_equal(ftruncate(b.fd, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, b.fd, 0), MAP_FAILED);
	built__fini(&b);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1); /* borrowed */
}

static int build_error(int fd)
{
	struct msg_unwind_table made = {.n_lines = 77};
	int out = -77, r = unwind_file_build(fd, &out, &made);

	assert_true(r < 0);
	assert_int_equal(out, -77);
	assert_int_equal(made.n_lines, 77);
	return r;
}

static void what_has_no_code(void **state)
{
	cleanup_close int text = memfd_create("text", MFD_CLOEXEC);
	cleanup_close int empty = memfd_create("empty", MFD_CLOEXEC);
	cleanup_close int dir = open("/", O_RDONLY | O_CLOEXEC);
	cleanup_close int image_fd = -1;
	struct elf_image image;

	assert_int_equal(write_full(text, "no program\n", 11), 11);
	assert_int_equal(build_error(text), -ENOEXEC);
	assert_int_equal(build_error(empty), -ENOEXEC);
	assert_int_equal(build_error(dir), -EINVAL);
	assert_true(build_error(-1) < 0);
	elf_image__init(&image);
	elf_image__segment(&image, PT_LOAD, PF_R, 0, 0x400000, 0x1000);
	image_fd = elf_image__fd(&image);
	assert_int_equal(build_error(image_fd), -ENOEXEC);
}

/* Code of which nothing is said has a table all the same. */
static void code_without_unwind_information(void **state)
{
	static const uint8_t returns[512] = {0xc3};
	cleanup_close int fd = -1;
	struct elf_image image;
	struct built b;
	uint64_t off;

	elf_image__init(&image);
	off = elf_image__put(&image, returns, sizeof(returns));
	elf_image__segment(&image, PT_LOAD, PF_R | PF_X, off, 0x400000 + off, sizeof(returns));
	fd = elf_image__fd(&image);
	build(fd, &b);
	assert_int_equal(b.made.build_id.size, 0);
	assert_int_equal(((const struct unwind_table_head *)b.lines)->start, 0);
	assert_int_not_equal(rule_at(&b, off + 256).cfa, UNWIND_CFA_ROOT);
	built__fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_the_test_itself),
	    cmocka_unit_test(a_function_is_entered_with_nothing_on_the_stack),
	    cmocka_unit_test(it_is_sealed),
	    cmocka_unit_test(what_has_no_code),
	    cmocka_unit_test(code_without_unwind_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
