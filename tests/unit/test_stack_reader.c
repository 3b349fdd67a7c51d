/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/stack_reader: the memory of processes, and what is none. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "daemon/collector/stack_reader.h"

static char *memory; /* 2 * STACK_READ_MAX bytes that are nobody's but ours */

static int make_reader(void **state)
{
	return stack_reader__new((struct stack_reader **)state);
}

static int free_reader(void **state)
{
	stack_reader__free(*state);
	return 0;
}

static struct stack_read read_at(uint64_t id, const void *addr)
{
	struct procstat st;

	assert_int_equal(procstat_read((uint32_t)getpid(), &st), 0);
	return (struct stack_read){
	    .id = id, .tgid = (uint32_t)getpid(), .start_ns = st.start_ns, .addr = (uintptr_t)addr};
}

/* Waits for an answer. Returns its id. */
static uint64_t wait_for(struct stack_reader *r, void **ret_bytes, size_t *ret_n)
{
	uint64_t id;

	while (!stack_reader__take(r, &id, ret_bytes, ret_n))
		usleep(1000);
	return id;
}

static void bytes_of_a_process(void **state)
{
	struct stack_read q = read_at(7, memory + 100);
	cleanup_free void *bytes = NULL;
	size_t n;

	memset(memory, 1, 2 * STACK_READ_MAX);
	memset(memory + 100, 2, STACK_READ_MAX);
	assert_true(stack_reader__ask(*state, &q));
	assert_int_equal(wait_for(*state, &bytes, &n), 7);
	assert_int_equal(n, STACK_READ_MAX);
	assert_memory_equal(bytes, memory + 100, n);
}

/* They end where nothing is mapped. */
static void fewer_bytes(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *two =
	    mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stack_read q = read_at(8, two + 24);
	cleanup_free void *bytes = NULL;
	size_t n;

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(munmap(two + page, page), 0);
	assert_true(stack_reader__ask(*state, &q));
	assert_int_equal(wait_for(*state, &bytes, &n), 8);
	assert_int_equal(n, page - 24);
	munmap(two, page);
}

static void nothing_to_read(void **state)
{
	struct stack_read q[4] = {read_at(1, NULL), read_at(2, memory), read_at(3, memory),
				  read_at(4, (void *)(uintptr_t)nothing_to_read)}; /* a file's */
	void *bytes;
	size_t n;

	q[1].start_ns += 1000000000; /* another that has the tgid now */
	q[2].tgid = 5000001;	     /* above any there can be */
	for (size_t i = 0; i < 4; i++) {
		assert_true(stack_reader__ask(*state, &q[i]));
		assert_int_equal(wait_for(*state, &bytes, &n), q[i].id);
		assert_null(bytes);
	}
}

static void only_so_many_wait(void **state)
{
	struct stack_read q = read_at(0, memory);
	void *bytes;
	size_t n;

	for (q.id = 0; q.id < STACK_READS_MAX; q.id++)
		assert_true(stack_reader__ask(*state, &q));
	/* Done or not, nobody has taken them. */
	assert_false(stack_reader__ask(*state, &q));
	wait_for(*state, &bytes, &n);
	free(bytes);
	assert_true(stack_reader__ask(*state, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bytes_of_a_process, make_reader, free_reader),
	    cmocka_unit_test_setup_teardown(fewer_bytes, make_reader, free_reader),
	    cmocka_unit_test_setup_teardown(nothing_to_read, make_reader, free_reader),
	    cmocka_unit_test_setup_teardown(only_so_many_wait, make_reader, free_reader),
	};

	memory = mmap(NULL, 2 * STACK_READ_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	return memory == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
