/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/jit_files: what the runtime of a process says of its code is found and held. */
#include "daemon/collector/jit_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/collector/processes.h"
#include "tests/unit/scratch_dir.h"

struct scene {
	struct objects *objects;
	struct processes *processes;
	struct process *self;
	struct jit_files files;
	char map_path[64];
};

static void make_scene(struct scene *s)
{
	uint32_t me = (uint32_t)getpid();

	*s = (struct scene){0};
	snprintf(s->map_path, sizeof(s->map_path), "/tmp/perf-%u.map", me);
	unlink(s->map_path);
	assert_int_equal(objects__new(&s->objects), 0);
	assert_int_equal(processes__new(&s->processes, s->objects), 0);
	assert_int_equal(processes__scan(s->processes, me, me), 0);
	s->self = processes__find(s->processes, me);
	assert_non_null(s->self);
}

/* Every reference comes back: objects__free() would not have it otherwise. */
static void free_scene(struct scene *s)
{
	jit_files__fini(&s->files, s->objects);
	assert_null(s->files.map);
	unlink(s->map_path);
	processes__free(s->processes);
	objects__free(s->objects);
}

static void put(const char *path)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write_full(fd, "1000 10 a\n", 10), 10);
}

static void look(struct scene *s, uint64_t now_ns)
{
	jit_files__look(&s->files, s->objects, s->self, now_ns);
}

static void a_perf_map_that_comes_later(void **state)
{
	struct scene s;
	char text[16];

	make_scene(&s);
	look(&s, 5);
	assert_null(s.files.map);
	put(s.map_path);
	look(&s, 5 + JIT_FILES_RETRY_NS - 1);
	assert_null(s.files.map);
	look(&s, 5 + JIT_FILES_RETRY_NS);
	assert_non_null(s.files.map);
	/* It stays ours when its name is gone, and is not looked for again. */
	assert_int_equal(unlink(s.map_path), 0);
	look(&s, 5 + 2 * JIT_FILES_RETRY_NS);
	assert_int_equal(pread_full(s.files.map->fd, text, sizeof(text), 0), 10);
	free_scene(&s);
}

/* Written when the process ends, as some do. */
static void a_perf_map_of_the_last_moment(void **state)
{
	struct scene s;

	make_scene(&s);
	put(s.map_path);
	jit_files__look_again(&s.files, s.objects, s.self->tgid, s.self->start_ns);
	assert_null(s.files.map); /* there was no sample that asked for it */
	assert_int_equal(unlink(s.map_path), 0);
	look(&s, 5);
	put(s.map_path);
	assert_int_equal(s.files.runtime.pid, getpid());
	jit_files__look_again(&s.files, s.objects, s.self->tgid, s.self->start_ns);
	assert_non_null(s.files.map);
	free_scene(&s);
}

/* Each window has its own references to the one descriptor. */
static void the_same_file_twice(void **state)
{
	struct jit_files second = {0};
	struct scene s;

	make_scene(&s);
	put(s.map_path);
	look(&s, 5);
	jit_files__look(&second, s.objects, s.self, 5);
	assert_ptr_equal(second.map, s.files.map);
	assert_int_equal(objects__n_opened(s.objects), 1);
	jit_files__fini(&second, s.objects);
	assert_true(s.files.map->fd >= 0);
	free_scene(&s);
}

/* Found by its mapping, whatever folder it is in. */
static void a_jitdump(void **state)
{
	static const char *const others[] = {"jit-.dump", "jit-1x.dump", "xjit-1.dump",
					     "jit-1.dump.gz"};
	struct scene s;
	void *p;
	int fd;

	for (size_t i = 0; i <= ARRAY_SIZE(others); i++) {
		const char *name = i < ARRAY_SIZE(others) ? others[i] : "jit-123.dump";

		put(name);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		close(fd);
		if (p == MAP_FAILED) {
			print_message("nothing is executable here\n");
			skip();
		}
		make_scene(&s);
		look(&s, 5);
		if (i < ARRAY_SIZE(others))
			assert_null(s.files.dump);
		else
			assert_non_null(strstr(s.files.dump->id.path, "/jit-123.dump"));
		free_scene(&s);
		munmap(p, 4096);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(a_perf_map_that_comes_later),
	    in_scratch_dir(a_perf_map_of_the_last_moment),
	    in_scratch_dir(the_same_file_twice),
	    in_scratch_dir(a_jitdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
