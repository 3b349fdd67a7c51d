/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/jit: the jitdump before the perf map, and one of them is enough. */
#include "symbolizer/jit.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/ipc/symbols.h"
#include "tests/unit/made_jitdump.h"

/* 0x1000 is in both, 0x2000 in the map, 0x3000 in neither. */
static const struct msg_jit_addr addrs[] = {{0x1000, 9}, {0x2000, 9}, {0x3000, 9}};

static int made_map(void)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	const char text[] = "1000 10 in the map\n2000 10 _Z4alsoi\n";

	jitdump_put(fd, text, sizeof(text) - 1);
	return fd;
}

static int made_dump(void)
{
	int fd = made_jitdump();

	jitdump_put_load(fd, 1, 0x1000, 16, "in the dump");
	return fd;
}

static void names_are(int map, int dump, const char *first, const char *second)
{
	const struct jit_fds fds = {map, dump};
	const char *want[] = {first, second, NULL};
	struct limits limits;
	struct symbols_view v;
	void *payload;
	size_t n;

	assert_int_equal(jit_name(&fds, addrs, ARRAY_SIZE(addrs), &payload, &n, &limits), 0);
	assert_int_equal(symbols_view__init(&v, payload, n, ARRAY_SIZE(addrs)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		assert_int_equal(v.addrs[i].source,
				 want[i] ? SYMBOL_SOURCE_JIT : SYMBOL_SOURCE_NONE);
		if (want[i])
			assert_string_equal(
			    v.strings + v.functions[v.frames[v.addrs[i].first_frame].function].name,
			    want[i]);
	}
	free(payload);
}

static void the_dump_goes_before_the_map(void **state)
{
	cleanup_close int map = made_map(), dump = made_dump();

	names_are(map, dump, "in the dump", "also(int)");
	names_are(map, -1, "in the map", "also(int)");
	names_are(-1, dump, "in the dump", NULL);
}

static void one_that_cannot_be_used_does_not_hide_the_other(void **state)
{
	cleanup_close int map = made_map(), dump = made_dump();
	cleanup_close int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	names_are(map, map, "in the map", "also(int)");
	names_are(folder, dump, "in the dump", NULL);
}

static void questions_without_an_answer(void **state)
{
	static const struct msg_jit_addr descending[] = {{0x2000, 1}, {0x1000, 1}};
	static const struct msg_jit_addr backwards[] = {{0x1000, 2}, {0x1000, 1}};
	cleanup_close int map = made_map();
	struct limits limits;
	void *payload;
	size_t n;

	assert_int_equal(jit_name(&(struct jit_fds){map, -1}, descending, 2, &payload, &n, &limits),
			 -EINVAL);
	assert_int_equal(jit_name(&(struct jit_fds){map, -1}, backwards, 2, &payload, &n, &limits),
			 -EINVAL);
	assert_int_equal(jit_name(&(struct jit_fds){-1, map}, addrs, 3, &payload, &n, &limits),
			 -ENOEXEC);
	assert_int_equal(jit_name(&(struct jit_fds){-1, -1}, addrs, 3, &payload, &n, &limits),
			 -ENOENT);
	assert_int_equal(jit_name(&(struct jit_fds){map, -1}, NULL, 0, &payload, &n, &limits), 0);
	free(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_dump_goes_before_the_map),
	    cmocka_unit_test(one_that_cannot_be_used_does_not_hide_the_other),
	    cmocka_unit_test(questions_without_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
