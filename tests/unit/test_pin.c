/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/pin: opens what is sampled, once, while somebody lives who has it mapped. */
#include "daemon/collector/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "base/util.h"
#include "tests/unit/made_sample.h"
#include "tests/unit/scratch_dir.h"

/* Above any pid there can be (PID_MAX_LIMIT): processes that are gone. */
#define ALICE 5000001
#define BOB 5000002

static void put(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
}

/* A mapping of PATH, whose object is the caller's to give back. */
static struct mapping mapping_of(struct objects *objects, const char *path)
{
	struct object_id id = {.path = path};
	struct mapping m = {.start = 0x1000, .end = 0x2000, .n_refs = 1};
	struct stat st;

	if (stat(path, &st) == 0) {
		id.dev = st.st_dev;
		id.ino = st.st_ino;
	} else {
		id.dev = id.ino = 1;
	}
	assert_int_equal(objects__get(objects, &id, &m.object), 0);
	return m;
}

/* A path as the kernel gives it. */
static const char *absolute(const char *name)
{
	static char path[4096];

	assert_non_null(getcwd(path, sizeof(path) - 64));
	strcat(path, "/");
	return strcat(path, name);
}

static void a_file_is_opened_once(void **state)
{
	const struct process alice = {.tgid = ALICE}, bob = {.tgid = BOB};
	struct objects *objects = NULL;
	struct mapping m;
	char text[8] = "";
	int fd;

	assert_int_equal(objects__new(&objects), 0);
	put("file", "one");
	m = mapping_of(objects, absolute("file"));
	pin_object(objects, &alice, &m);
	assert_int_equal(m.object->open, OBJECT_OPEN);
	fd = m.object->fd;
	assert_int_equal(pread_full(fd, text, sizeof(text), 0), 3);
	assert_string_equal(text, "one");
	/* It stays what it is, whatever becomes of the file. */
	assert_int_equal(unlink("file"), 0);
	pin_object(objects, &alice, &m);
	pin_object(objects, &bob, &m);
	assert_int_equal(m.object->fd, fd);
	objects__unref(objects, m.object);
	objects__free(objects);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* the object's, and gone with it */
}

/* Of a process that lives, what it has mapped is opened, even if it has no name any more. */
static void a_deleted_file_of_a_process_that_lives(void **state)
{
	struct process me = {.tgid = (uint32_t)getpid()};
	struct objects *objects = NULL;
	struct procstat stat;
	struct mapping m;
	char text[8] = "";
	void *p;

	assert_int_equal(objects__new(&objects), 0);
	assert_int_equal(procstat_read(me.tgid, &stat), 0);
	me.start_ns = stat.start_ns;
	put("file", "one");
	m = mapping_of(objects, absolute("file"));
	{
		cleanup_close int fd = open("file", O_RDONLY | O_CLOEXEC);

		p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	}
	if (p == MAP_FAILED) {
		print_message("no mapping of code in /tmp\n");
		skip();
	}
	m.start = (uintptr_t)p;
	m.end = m.start + 4096;
	assert_int_equal(unlink("file"), 0);
	pin_object(objects, &me, &m);
	if (m.object->open == OBJECT_ABSENT && geteuid() != 0)
		print_message("/proc/self/map_files is for root\n");
	else
		assert_int_equal(pread_full(m.object->fd, text, sizeof(text), 0), 3);
	munmap(p, 4096);
	objects__unref(objects, m.object);
	objects__free(objects);
}

/* What could not be opened through one process may be there for another, in another container. */
static void each_process_is_tried_once(void **state)
{
	const struct process alice = {.tgid = ALICE}, bob = {.tgid = BOB};
	struct objects *objects = NULL;
	struct mapping m;

	assert_int_equal(objects__new(&objects), 0);
	put("file", "one");
	m = mapping_of(objects, absolute("file"));
	assert_int_equal(rename("file", "away"), 0);
	pin_object(objects, &alice, &m);
	assert_int_equal(m.object->open, OBJECT_ABSENT);
	assert_int_equal(m.object->absent_tgid, ALICE);
	assert_int_equal(m.object->fd, -1);
	assert_int_equal(rename("away", "file"), 0);
	pin_object(objects, &alice, &m); /* in vain before, so not again */
	assert_int_equal(m.object->open, OBJECT_ABSENT);
	pin_object(objects, &bob, &m);
	assert_int_equal(m.object->open, OBJECT_OPEN);
	objects__unref(objects, m.object);
	objects__free(objects);
}

static void what_is_no_file_is_left_alone(void **state)
{
	static const char *const paths[] = {"[vdso]", "//anon", "[heap]"};
	const struct process alice = {.tgid = ALICE};
	struct objects *objects = NULL;

	assert_int_equal(objects__new(&objects), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct mapping m = mapping_of(objects, paths[i]);

		pin_object(objects, &alice, &m);
		assert_int_equal(m.object->open, OBJECT_UNTRIED);
		assert_int_equal(m.object->absent_tgid, 0);
		objects__unref(objects, m.object);
	}
	objects__free(objects);
}

/* Of the limit on descriptors a part is left to others; what is over has no file. */
static void without_descriptors_it_is_absent(void **state)
{
	const struct process alice = {.tgid = ALICE}, bob = {.tgid = BOB};
	struct rlimit before, none;
	struct objects *objects = NULL;
	struct mapping m;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(objects__new(&objects), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	put("file", "one");
	m = mapping_of(objects, absolute("file"));
	pin_object(objects, &alice, &m);
	assert_int_equal(m.object->open, OBJECT_ABSENT);
	pin_object(objects, &bob, &m);
	assert_int_equal(m.object->open, OBJECT_ABSENT);
	assert_int_equal(m.object->absent_tgid, BOB);
	objects__unref(objects, m.object);
	objects__free(objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(a_file_is_opened_once),
	    in_scratch_dir(a_deleted_file_of_a_process_that_lives),
	    in_scratch_dir(each_process_is_tried_once),
	    in_scratch_dir(what_is_no_file_is_left_alone),
	    in_scratch_dir(without_descriptors_it_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
