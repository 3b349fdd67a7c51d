/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/sideband: the kernel's records as events. The ring here is made by hand. */
#include "daemon/collector/sideband.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A ring whose records begin at START, and what was heard of it. */
struct scene {
	struct perf_event_mmap_page control;
	char bytes[RING_BYTES];
	char record[RECORD_MAX];
	struct ring ring;
	struct sideband sb;
	struct sideband_event events[16];
	char paths[16][256];
	size_t n;
	int result; /* of the callback */
};

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s)
		return -1;
	s->ring = (struct ring){.fd = -1, .control = &s->control, .bytes = s->bytes};
	s->sb = (struct sideband){
	    .rings = &s->ring, .n_rings = 1, .epoll_fd = -1, .page = 4096, .record = s->record};
	return 0;
}

static int free_scene(void **state)
{
	free(*state);
	return 0;
}

static int hear(void *ctx, const struct sideband_event *event)
{
	struct scene *s = ctx;

	s->events[s->n] = *event;
	if (event->object.path)
		snprintf(s->paths[s->n], sizeof(s->paths[0]), "%s", event->object.path);
	if (event->bpf_program)
		snprintf(s->paths[s->n], sizeof(s->paths[0]), "%s", event->bpf_program);
	s->n++;
	return s->result;
}

static void start_at(struct scene *s, uint64_t pos)
{
	s->control.data_head = s->control.data_tail = pos;
}

static void put(struct scene *s, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->bytes[s->control.data_head++ % RING_BYTES] = ((const char *)p)[i];
}

/* A record of TYPE: N bytes after its header, TEXT padded to 8 bytes, and who and when. */
static void put_record(struct scene *s, uint32_t type, uint16_t misc, const void *fixed, size_t n,
		       const char *text)
{
	char padded[256] = "";
	size_t n_text = text ? (strlen(text) + 8) & ~(size_t)7 : 0;
	struct sample_id id = {.pid = 1, .tid = 1, .time_ns = 777};
	struct perf_event_header h = {
	    .type = type, .misc = misc, .size = (uint16_t)(sizeof(h) + n + n_text + sizeof(id))};

	if (text)
		memcpy(padded, text, strlen(text));
	put(s, &h, sizeof(h));
	put(s, fixed, n);
	put(s, padded, n_text);
	put(s, &id, sizeof(id));
}

static void put_mmap(struct scene *s, uint16_t misc, uint32_t prot, const char *path)
{
	struct mmap2_record r = {.pid = 10,
				 .tid = 11,
				 .addr = 0x400000,
				 .len = 0x1000,
				 .pgoff = 0x2000,
				 .maj = 8,
				 .min = 1,
				 .ino = 55,
				 .ino_generation = 3,
				 .prot = prot,
				 .flags = strncmp(path, "/memfd:", 7) ? MAP_PRIVATE : MAP_SHARED};

	if (misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
		memset(r.build_id, 0xab, sizeof(r.build_id));
		r.build_id_size = 20;
	}
	put_record(s, PERF_RECORD_MMAP2, misc, &r.pid, sizeof(r) - sizeof(r.header), path);
}

static void put_comm(struct scene *s, uint16_t misc, const char *comm)
{
	put_record(s, PERF_RECORD_COMM, misc, (uint32_t[]){10, 11}, 8, comm);
}

static void drains(struct scene *s, size_t n)
{
	s->n = 0;
	assert_int_equal(sideband__drain(&s->sb, hear, s), 0);
	assert_int_equal(s->n, n);
	assert_int_equal(s->control.data_tail, s->control.data_head);
}

static void mappings(void **state)
{
	struct scene *s = *state;

	put_mmap(s, PERF_RECORD_MISC_USER, PROT_READ | PROT_EXEC, "/usr/bin/x");
	put_mmap(s, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_BUILD_ID, PROT_EXEC, "/lib/y");
	put_mmap(s, PERF_RECORD_MISC_USER, PROT_READ, "/not/code");
	put_mmap(s, PERF_RECORD_MISC_KERNEL, PROT_EXEC, "[module]");
	put_mmap(s, PERF_RECORD_MISC_USER, PROT_EXEC, "/memfd:jit (deleted)");
	drains(s, 3);
	assert_int_equal(s->events[0].type, SIDEBAND_MMAP);
	assert_int_equal(s->events[0].time_ns, 777);
	assert_int_equal(s->events[0].tgid, 10);
	assert_int_equal(s->events[0].tid, 11);
	assert_int_equal(s->events[0].start, 0x400000);
	assert_int_equal(s->events[0].len, 0x1000);
	assert_int_equal(s->events[0].off, 0x2000);
	assert_string_equal(s->paths[0], "/usr/bin/x");
	assert_int_equal(s->events[0].object.dev, makedev(8, 1));
	assert_int_equal(s->events[0].object.ino, 55);
	assert_int_equal(s->events[0].object.ino_gen, 3);
	assert_int_equal(s->events[0].object.build_id.size, 0);
	/* Either the build id or the inode, as the kernel tells. */
	assert_int_equal(s->events[1].object.build_id.size, 20);
	assert_int_equal(s->events[1].object.build_id.bytes[19], 0xab);
	assert_int_equal(s->events[1].object.ino, 0);
	assert_false(s->events[1].object.is_shared);
	assert_true(s->events[2].object.is_shared);
}

static void names_and_programs(void **state)
{
	struct scene *s = *state;

	put_comm(s, 0, "worker");
	put_comm(s, PERF_RECORD_MISC_COMM_EXEC, "fifteen_letters");
	drains(s, 2);
	assert_int_equal(s->events[0].type, SIDEBAND_COMM);
	assert_string_equal(s->events[0].comm, "worker");
	assert_int_equal(s->events[1].type, SIDEBAND_EXEC);
	assert_string_equal(s->events[1].comm, "fifteen_letters");
}

static void starts_ends_and_the_rest(void **state)
{
	struct scene *s = *state;
	struct task_record task = {.pid = 20, .ppid = 10, .tid = 21, .ptid = 11};

	put_record(s, PERF_RECORD_FORK, 0, &task.pid, sizeof(task) - sizeof(task.header), NULL);
	put_record(s, PERF_RECORD_EXIT, 0, &task.pid, sizeof(task) - sizeof(task.header), NULL);
	put_record(s, PERF_RECORD_KSYMBOL, 0, (uint64_t[]){0x1000, 1ull << 32 | 2}, 16, "bpf_prog");
	put_record(s, PERF_RECORD_KSYMBOL, 0, (uint64_t[]){0x1000, 2ull << 32 | 2}, 16, "ftrace");
	put_record(s, PERF_RECORD_LOST, 0, (uint64_t[]){1, 42}, 16, NULL);
	put_record(s, 9999, 0, (uint64_t[]){1}, 8, NULL); /* of a later kernel */
	drains(s, 5);
	assert_int_equal(s->events[0].type, SIDEBAND_FORK);
	assert_int_equal(s->events[0].tgid, 20);
	assert_int_equal(s->events[0].tid, 21);
	assert_int_equal(s->events[0].parent_tgid, 10);
	assert_int_equal(s->events[1].type, SIDEBAND_EXIT);
	assert_int_equal(s->events[2].type, SIDEBAND_KSYMBOL);
	assert_int_equal(s->events[2].start, 0x1000);
	assert_int_equal(s->events[2].len, 2);
	assert_string_equal(s->paths[2], "bpf_prog");
	assert_int_equal(s->events[3].type, SIDEBAND_KSYMBOL);
	assert_null(s->events[3].bpf_program);
	assert_int_equal(s->events[4].type, SIDEBAND_LOST);
	assert_int_equal(s->events[4].n_lost, 42);
}

/* Wherever the end of the ring falls in it, a record comes out whole. */
static void records_wrap_around(void **state)
{
	struct scene *s = *state;

	for (uint64_t back = 0; back <= 160; back += 8) {
		start_at(s, 3 * RING_BYTES - back);
		put_mmap(s, PERF_RECORD_MISC_USER, PROT_EXEC, "/a/path/of/some/length");
		put_comm(s, 0, "after");
		drains(s, 2);
		assert_string_equal(s->paths[0], "/a/path/of/some/length");
		assert_int_equal(s->events[0].time_ns, 777);
		assert_string_equal(s->events[1].comm, "after");
	}
}

static void an_error_of_the_receiver_ends_it(void **state)
{
	struct scene *s = *state;

	put_comm(s, 0, "one");
	put_comm(s, 0, "two");
	s->result = -EIO;
	assert_int_equal(sideband__drain(&s->sb, hear, s), -EIO);
	assert_int_equal(s->n, 1);
	s->result = 0;
	drains(s, 1); /* what was not heard is still there */
	assert_string_equal(s->events[0].comm, "two");
}

/* Never from the kernel; but never read beyond the record, either. */
static void records_that_are_cut(void **state)
{
	static const uint32_t types[] = {PERF_RECORD_MMAP2, PERF_RECORD_COMM, PERF_RECORD_FORK,
					 PERF_RECORD_EXIT, PERF_RECORD_LOST};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		start_at(s, 0);
		put_record(s, types[i], 0, NULL, 0, NULL);
		assert_int_equal(sideband__drain(&s->sb, hear, s), -EBADMSG);
	}
	start_at(s, 0); /* longer than what is there */
	put(s, &(struct perf_event_header){.type = PERF_RECORD_COMM, .size = 64}, 8);
	assert_int_equal(sideband__drain(&s->sb, hear, s), -EBADMSG);
	start_at(s, 0); /* none at all: would never end */
	put(s, &(struct perf_event_header){.type = PERF_RECORD_COMM}, 8);
	assert_int_equal(sideband__drain(&s->sb, hear, s), -EBADMSG);
	assert_int_equal(s->n, 0);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(mappings),
	    in_scene(names_and_programs),
	    in_scene(starts_ends_and_the_rest),
	    in_scene(records_wrap_around),
	    in_scene(an_error_of_the_receiver_ends_it),
	    in_scene(records_that_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
