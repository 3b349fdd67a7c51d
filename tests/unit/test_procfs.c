/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/procfs: what /proc says about processes that are older than we. */
#include "daemon/collector/procfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

struct seen {
	struct procfs_mapping mappings[8];
	char paths[8][128];
	size_t n;
	int result; /* of the callback */
};

static int see(void *ctx, const struct procfs_mapping *m)
{
	struct seen *seen = ctx;

	assert_true(seen->n < ARRAY_SIZE(seen->mappings));
	seen->mappings[seen->n] = *m;
	snprintf(seen->paths[seen->n++], sizeof(seen->paths[0]), "%s", m->object.path);
	return seen->result;
}

static int parse(struct seen *seen, const char *text)
{
	char copy[2048];

	*seen = (struct seen){.result = seen->result};
	snprintf(copy, sizeof(copy), "%s", text);
	return procfs_parse_maps(copy, see, seen);
}

static void executable_mappings_only(void **state)
{
	struct seen seen = {0};

	assert_int_equal(
	    parse(&seen,
		  "55d0c0000000-55d0c0002000 r--p 00000000 08:01 1234   /usr/bin/cat\n"
		  "55d0c0002000-55d0c0007000 r-xp 00002000 08:01 1234   /usr/bin/cat\n"
		  "55d0c0010000-55d0c0031000 rw-p 00000000 00:00 0      [heap]\n"
		  "7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
		  "7f0000002000-7f0000003000 --xs 00000000 00:05 9      /dev/zero (deleted)\n"
		  "7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0      [vdso]\n"
		  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0      [vsyscall]\n"),
	    0);
	assert_int_equal(seen.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(seen.mappings[i].object.is_shared, i == 2);
	assert_string_equal(seen.paths[0], "/usr/bin/cat");
	assert_int_equal(seen.mappings[0].start, 0x55d0c0002000);
	assert_int_equal(seen.mappings[0].end, 0x55d0c0007000);
	assert_int_equal(seen.mappings[0].off, 0x2000);
	assert_int_equal(seen.mappings[0].object.dev, makedev(8, 1));
	assert_int_equal(seen.mappings[0].object.ino, 1234);
	assert_int_equal(seen.mappings[0].object.build_id.size, 0);
	assert_string_equal(seen.paths[1], "//anon");
	assert_string_equal(seen.paths[2], "/dev/zero (deleted)");
	assert_string_equal(seen.paths[3], "[vdso]");
}

/* Paths hold whatever people put there; the kernel writes a newline as \012 and nothing else. */
static void odd_paths(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
	    {"/tmp/two words", "/tmp/two words"},
	    {"/tmp/new\\012line", "/tmp/new\nline"},
	    {"/tmp/\\012", "/tmp/\n"},
	    {"/tmp/\\01", "/tmp/\\01"},
	    {"/tmp/back\\slash", "/tmp/back\\slash"},
	    {"/tmp/gone (deleted)", "/tmp/gone (deleted)"},
	    {"/tmp/r-xp 00000000 00:00 0 /x", "/tmp/r-xp 00000000 00:00 0 /x"},
	    {"/tmp/\xff\xfe\x01", "/tmp/\xff\xfe\x01"},
	    {"/tmp/trailing ", "/tmp/trailing "},
	    {"[anon:jit code]", "[anon:jit code]"},
	    {"/memfd:x (deleted)", "/memfd:x (deleted)"},
	};
	struct seen seen = {0};
	char line[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "1000-2000 r-xp 00000000 08:01 5 %s\n", cases[i].text);
		assert_int_equal(parse(&seen, line), 0);
		assert_int_equal(seen.n, 1);
		assert_string_equal(seen.paths[0], cases[i].path);
	}
}

static void large_numbers(void **state)
{
	struct seen seen = {0};

	assert_int_equal(parse(&seen, "7fffffffe000-7ffffffff000 r-xp ffffffff000 fd:1f "
				      "18446744073709551615 /x"),
			 0);
	assert_int_equal(seen.mappings[0].end, 0x7ffffffff000);
	assert_int_equal(seen.mappings[0].off, 0xffffffff000);
	assert_int_equal(seen.mappings[0].object.ino, UINT64_MAX);
	assert_int_equal(seen.mappings[0].object.dev, makedev(0xfd, 0x1f));
}

static void lines_that_are_none(void **state)
{
	static const char *const texts[] = {
	    "x\n",
	    "1000 2000 r-xp 0 08:01 5 /x\n",
	    "1000-2000 r-xp 0 0801 5 /x\n",
	    "1000-2000 r-xp 0 08:01\n",
	    "2000-1000 r-xp 0 08:01 5 /x\n",
	    "1000-1000 r-xp 0 08:01 5 /x\n",
	    "1000-2000 r-xp 0 08:01 5 /x\nrubbish\n",
	};
	struct seen seen = {0};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(&seen, texts[i]), -EINVAL);
	assert_int_equal(parse(&seen, ""), 0); /* a kernel thread */
	assert_int_equal(seen.n, 0);
}

static void an_error_of_the_receiver_ends_it(void **state)
{
	struct seen seen = {.result = -EIO};

	assert_int_equal(parse(&seen, "1000-2000 r-xp 0 08:01 5 /x\n"
				      "3000-4000 r-xp 0 08:01 5 /x\n"),
			 -EIO);
	assert_int_equal(seen.n, 1);
}

struct self {
	char exe[4096];
	bool found, sorted;
	uint64_t last;
};

static int find_self(void *ctx, const struct procfs_mapping *m)
{
	struct self *self = ctx;
	uint64_t here = (uintptr_t)find_self;

	self->sorted &= self->last <= m->start;
	self->last = m->end;
	if (m->start <= here && here < m->end) {
		self->found = true;
		assert_string_equal(m->object.path, self->exe);
	}
	return 0;
}

static void reads_itself(void **state)
{
	struct self self = {.sorted = true};
	uint32_t me = (uint32_t)getpid(), tgid = 0;

	assert_int_equal(procfs_read_exe(me, self.exe, sizeof(self.exe)), 0);
	assert_non_null(strstr(self.exe, "test_procfs"));
	assert_int_equal(procfs_read_maps(me, me, find_self, &self), 0);
	assert_true(self.found);
	assert_true(self.sorted);
	assert_int_equal(procfs_read_tgid(me, &tgid), 0);
	assert_int_equal(tgid, me);
	assert_int_equal(procfs_count_threads(me), 1);
	assert_int_equal(procfs_count_threads(UINT32_MAX), 0);
}

static void nobody(void **state)
{
	struct seen seen = {0};
	uint32_t tgid = 77;
	char path[64];

	assert_int_equal(procfs_read_tgid(UINT32_MAX, &tgid), -ENOENT);
	assert_int_equal(tgid, 77);
	assert_int_equal(procfs_read_maps(UINT32_MAX, 1, see, &seen), -ENOENT);
	assert_int_equal(procfs_read_exe(UINT32_MAX, path, sizeof(path)), -ENOENT);
}

static int look_for_self(void *ctx, uint32_t tgid)
{
	bool *found = ctx;

	*found |= tgid == (uint32_t)getpid();
	return 0;
}

static int fail_at_once(void *ctx, uint32_t tgid)
{
	(*(int *)ctx)++;
	return -EIO;
}

static void each_process(void **state)
{
	bool found = false;
	int n = 0;

	assert_int_equal(procfs_each_process(look_for_self, &found), 0);
	assert_true(found);
	assert_int_equal(procfs_each_process(fail_at_once, &n), -EIO);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(executable_mappings_only),
	    cmocka_unit_test(odd_paths),
	    cmocka_unit_test(large_numbers),
	    cmocka_unit_test(lines_that_are_none),
	    cmocka_unit_test(an_error_of_the_receiver_ends_it),
	    cmocka_unit_test(reads_itself),
	    cmocka_unit_test(nobody),
	    cmocka_unit_test(each_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
