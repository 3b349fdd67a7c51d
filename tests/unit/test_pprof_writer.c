/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/pprof_writer: what is written is read back with the generated code and compared, and held
 * against what readers refuse.
 */
#include "proto/pprof_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"
#include "proto/profile.pb-c.h"

typedef Perftools__Profiles__Profile profile;

static const struct pprof_header header = {
    .time_ns = 1700000000000000001,
    .duration_ns = 60000000000,
    .period_ns = 10101010,
    .comments = (const char *const[]){"host example", "samples: expected=3 kept=3"},
    .n_comments = 2,
};

/* Reads a gzipped profile back; the caller frees it with the generated code. */
static profile *read_back(int fd)
{
	gzFile gz = gzdopen(dup(fd), "rb");
	cleanup_free char *bytes = malloc(1 << 20);
	profile *p;
	int n;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	n = gzread(gz, bytes, 1 << 20);
	assert_in_range(n, 1, (1 << 20) - 1);
	assert_int_equal(gzclose(gz), Z_OK);
	p = perftools__profiles__profile__unpack(NULL, (size_t)n, (uint8_t *)bytes);
	assert_non_null(p);
	return p;
}

static const char *string(const profile *p, int64_t index)
{
	assert_in_range(index, 0, p->n_string_table - 1);
	return p->string_table[index];
}

static struct pprof_writer *begin(int fd)
{
	struct pprof_writer *w = NULL;

	assert_int_equal(pprof_writer__new(&w, fd), 0);
	pprof_writer__header(w, &header);
	return w;
}

static profile *end(struct pprof_writer *w, int fd)
{
	uint64_t bytes = 0;

	assert_int_equal(pprof_writer__finish(w, &bytes), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), bytes);
	pprof_writer__free(w);
	return read_back(fd);
}

/* A program with one inlined function, and the kernel; two samples. */
static void write_small(struct pprof_writer *w)
{
	uint64_t exe = pprof_writer__mapping(
	    w, &(struct pprof_mapping){0x401000, 0x402000, 0x1000, "/usr/bin/p", "abcd"});
	uint64_t kernel =
	    pprof_writer__mapping(w, &(struct pprof_mapping){0xffffffff81000000, 0xffffffff82000000,
							     0, "[kernel.kallsyms]", ""});
	uint64_t inner = pprof_writer__function(
	    w, &(struct pprof_function){"inner(int)", "_Z5inneri", "/src/p.cc", 10});
	uint64_t outer =
	    pprof_writer__function(w, &(struct pprof_function){"main", "", "/src/p.cc", 20});
	uint64_t sys = pprof_writer__function(w, &(struct pprof_function){"do_sys", "", "", 0});
	uint64_t user = pprof_writer__location(w, exe, 0x401234,
					       (struct pprof_line[]){{inner, 12}, {outer, 21}}, 2);
	uint64_t in_kernel = pprof_writer__location(w, kernel, 0xffffffff81000010,
						    (struct pprof_line[]){{sys, 0}}, 1);
	struct pprof_label labels[] = {
	    {.key = "pid", .num = 42, .unit = "pid"},
	    {.key = "cpu", .num = 0, .unit = "cpu"},
	    {.key = "thread", .str = "worker"},
	    {.key = "cgroup", .str = ""},
	};

	assert_int_equal(exe, 1);
	assert_int_equal(kernel, 2);
	assert_int_equal(outer, 2);
	assert_int_equal(in_kernel, 2);
	pprof_writer__sample(w, (uint64_t[]){in_kernel, user}, 2, 2, labels, ARRAY_SIZE(labels));
	pprof_writer__sample(w, (uint64_t[]){user}, 1, 1, NULL, 0);
}

static void header_is_complete(void **state)
{
	cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
	profile *p = end(begin(fd), fd);

	assert_string_equal(p->string_table[0], "");
	assert_int_equal(p->n_sample_type, 2);
	assert_string_equal(string(p, p->sample_type[0]->type), "samples");
	assert_string_equal(string(p, p->sample_type[0]->unit), "count");
	assert_string_equal(string(p, p->sample_type[1]->type), "cpu");
	assert_string_equal(string(p, p->sample_type[1]->unit), "nanoseconds");
	assert_string_equal(string(p, p->period_type->type), "cpu");
	assert_string_equal(string(p, p->period_type->unit), "nanoseconds");
	assert_int_equal(p->period, 10101010);
	assert_int_equal(p->time_nanos, 1700000000000000001);
	assert_int_equal(p->duration_nanos, 60000000000);
	assert_int_equal(p->n_comment, 2);
	assert_string_equal(string(p, p->comment[1]), "samples: expected=3 kept=3");
	assert_int_equal(p->n_sample, 0); /* an empty profile is a valid one */
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static void tables_come_back(void **state)
{
	cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	profile *p;

	write_small(w);
	p = end(w, fd);
	assert_int_equal(p->n_mapping, 2);
	assert_int_equal(p->mapping[0]->id, 1);
	assert_int_equal(p->mapping[0]->memory_start, 0x401000);
	assert_int_equal(p->mapping[0]->memory_limit, 0x402000);
	assert_int_equal(p->mapping[0]->file_offset, 0x1000);
	assert_string_equal(string(p, p->mapping[0]->filename), "/usr/bin/p");
	assert_string_equal(string(p, p->mapping[0]->build_id), "abcd");
	for (size_t i = 0; i < p->n_mapping; i++)
		assert_true(p->mapping[i]->has_functions && p->mapping[i]->has_filenames &&
			    p->mapping[i]->has_line_numbers && p->mapping[i]->has_inline_frames);
	assert_int_equal(p->n_function, 3);
	assert_string_equal(string(p, p->function[0]->name), "inner(int)");
	assert_string_equal(string(p, p->function[0]->system_name), "_Z5inneri");
	assert_string_equal(string(p, p->function[0]->filename), "/src/p.cc");
	assert_int_equal(p->function[0]->start_line, 10);
	assert_string_equal(string(p, p->function[1]->system_name), "main");
	assert_int_equal(p->n_location, 2);
	assert_int_equal(p->location[0]->mapping_id, 1);
	assert_int_equal(p->location[0]->address, 0x401234);
	assert_int_equal(p->location[0]->n_line, 2); /* innermost first */
	assert_int_equal(p->location[0]->line[0]->function_id, 1);
	assert_int_equal(p->location[0]->line[0]->line, 12);
	assert_int_equal(p->location[0]->line[1]->function_id, 2);
	assert_int_equal(p->location[1]->address, 0xffffffff81000010);
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static void samples_come_back(void **state)
{
	cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	profile *p;

	write_small(w);
	p = end(w, fd);
	assert_int_equal(p->n_sample, 2);
	assert_int_equal(p->sample[0]->n_location_id, 2); /* leaf first */
	assert_int_equal(p->sample[0]->location_id[0], 2);
	assert_int_equal(p->sample[0]->location_id[1], 1);
	assert_int_equal(p->sample[0]->n_value, 2);
	assert_int_equal(p->sample[0]->value[0], 2);
	assert_int_equal(p->sample[0]->value[1], 2 * 10101010);
	/* A number 0 survives because it has a unit; an empty text is left out. */
	assert_int_equal(p->sample[0]->n_label, 3);
	assert_string_equal(string(p, p->sample[0]->label[0]->key), "pid");
	assert_int_equal(p->sample[0]->label[0]->num, 42);
	assert_string_equal(string(p, p->sample[0]->label[0]->num_unit), "pid");
	assert_int_equal(p->sample[0]->label[1]->num, 0);
	assert_string_equal(string(p, p->sample[0]->label[1]->num_unit), "cpu");
	assert_string_equal(string(p, p->sample[0]->label[2]->str), "worker");
	assert_int_equal(p->sample[0]->label[2]->num_unit, 0);
	assert_int_equal(p->sample[1]->n_label, 0);
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static void equal_strings_and_functions_are_written_once(void **state)
{
	cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	struct pprof_function f = {"f", "_f", "x.c", 1}, other = {"f", "_f", "x.c", 2};
	profile *p;

	assert_int_equal(pprof_writer__function(w, &f), 1);
	assert_int_equal(pprof_writer__function(w, &other), 2);
	assert_int_equal(pprof_writer__function(w, &f), 1);
	p = end(w, fd);
	assert_int_equal(p->n_function, 2);
	for (size_t i = 0; i < p->n_string_table; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(p->string_table[i], p->string_table[j]);
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static void foreign_bytes_become_utf8(void **state)
{
	cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	cleanup_free char *longest = malloc(20001);
	profile *p;

	memset(longest, 'x', 20000);
	longest[20000] = '\0';
	pprof_writer__function(w, &(struct pprof_function){"\xff\xc3\xa4\n", "", longest, 0});
	p = end(w, fd);
	assert_string_equal(string(p, p->function[0]->name), "\\xff\xc3\xa4\\x0a");
	assert_int_equal(strlen(string(p, p->function[0]->filename)), TEXT_MAX);
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static void same_calls_give_same_bytes(void **state)
{
	char *bytes[2] = {NULL, NULL};
	uint64_t n[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		cleanup_close int fd = memfd_create("pb", MFD_CLOEXEC);
		struct pprof_writer *w = begin(fd);

		write_small(w);
		assert_int_equal(pprof_writer__finish(w, &n[i]), 0);
		pprof_writer__free(w);
		bytes[i] = malloc(n[i]);
		assert_int_equal(pread_full(fd, bytes[i], n[i], 0), n[i]);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], n[0]);
	free(bytes[0]);
	free(bytes[1]);
}

/* After an error every call is harmless, ids are 0, and finish says what the error was. */
static void errors_stick(void **state)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	uint64_t bytes = 77, id = 1;
	char name[64];

	for (unsigned i = 0; i < 100000 && id; i++) {
		snprintf(name, sizeof(name), "f%u", i * 2654435761u);
		id = pprof_writer__function(w, &(struct pprof_function){name, "", "", 0});
	}
	assert_int_equal(id, 0);
	assert_int_equal(pprof_writer__mapping(w, &(struct pprof_mapping){1, 2, 0, "x", ""}), 0);
	assert_int_equal(pprof_writer__location(w, 0, 1, (struct pprof_line[]){{0, 0}}, 1), 0);
	pprof_writer__sample(w, (uint64_t[]){0}, 1, 1, NULL, 0);
	assert_int_equal(pprof_writer__finish(w, &bytes), -ENOSPC);
	assert_int_equal(bytes, 77);
	assert_null(pprof_writer__free(w));
	assert_null(pprof_writer__free(NULL));
}

static void full_disk_is_said_at_the_end(void **state)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct pprof_writer *w = begin(fd);

	write_small(w); /* too little to be written before the end */
	assert_int_equal(pprof_writer__finish(w, NULL), -ENOSPC);
	pprof_writer__free(w);
}

#define N_SAMPLES 300000
#define DEPTH 24
#define N_LOCATIONS 5000

/* 300,000 different stacks of 24 frames: memory stays where it was after the tables. */
static void memory_stays_flat(void **state)
{
	cleanup_close int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct pprof_writer *w = begin(fd);
	uint64_t ids[DEPTH], start, bytes;
	size_t before, after;
	uint32_t x = 1;
	char name[64];

	for (unsigned i = 1; i <= N_LOCATIONS; i++) {
		snprintf(name, sizeof(name), "some::function_with_a_name_%u", i);
		pprof_writer__function(w, &(struct pprof_function){name, "", "/src/file.cc", i});
		pprof_writer__location(w, 0, 0x1000 + i, (struct pprof_line[]){{i, i}}, 1);
	}
	pprof_writer__sample(w, (uint64_t[]){1}, 1, 1, NULL, 0);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	start = clock_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < N_SAMPLES; i++) {
		struct pprof_label labels[] = {
		    {.key = "pid", .num = 4242, .unit = "pid"},
		    {.key = "tid", .num = 4242 + i % 16, .unit = "tid"},
		    {.key = "thread", .str = "worker"},
		    {.key = "class", .str = "app"},
		};

		for (size_t d = 0; d < DEPTH; d++) {
			x = x * 1664525 + 1013904223;
			ids[d] = 1 + (x >> 8) % N_LOCATIONS;
		}
		pprof_writer__sample(w, ids, DEPTH, 1, labels, ARRAY_SIZE(labels));
	}
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	assert_int_equal(pprof_writer__finish(w, &bytes), 0);
	print_message("%d samples: %.2f s, %.1f MB gzipped, memory +%zd bytes\n", N_SAMPLES,
		      (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9, (double)bytes / 1e6,
		      (ssize_t)(after - before));
	assert_true(after < before + 16384);
	pprof_writer__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_is_complete),
	    cmocka_unit_test(tables_come_back),
	    cmocka_unit_test(samples_come_back),
	    cmocka_unit_test(equal_strings_and_functions_are_written_once),
	    cmocka_unit_test(foreign_bytes_become_utf8),
	    cmocka_unit_test(same_calls_give_same_bytes),
	    cmocka_unit_test(errors_stick),
	    cmocka_unit_test(full_disk_is_said_at_the_end),
	    cmocka_unit_test(memory_stays_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
