/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/timeline: samples and events in the order of their time. */
#include "daemon/collector/timeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "daemon/collector/sampler.h"
#include "tests/unit/made_sample.h"

/* What a replay has handed over. tid is the item's number. */
struct heard {
	uint64_t times[8192];
	uint32_t tids[8192];
	bool samples[8192];
	char paths[16][64];
	size_t n, n_paths;
	size_t fail_at; /* the callback of this number fails */
};

static int hear(struct heard *h, uint64_t time_ns, uint32_t tid, bool sample)
{
	if (h->n == h->fail_at)
		return -EIO;
	assert_true(h->n < ARRAY_SIZE(h->times));
	h->times[h->n] = time_ns;
	h->tids[h->n] = tid;
	h->samples[h->n++] = sample;
	return 0;
}

static int on_sample(void *ctx, const struct sample_record *record)
{
	/* Made so that the record proves its own bytes. */
	assert_int_equal((uintptr_t)record % 8, 0);
	for (unsigned i = 0; i < record->n_user; i++)
		assert_int_equal(sample_frames(record)[i], record->tid * 1000 + i);
	return hear(ctx, record->time_ns, record->tid, true);
}

static int on_event(void *ctx, const struct sideband_event *event)
{
	struct heard *h = ctx;

	if (event->object.path && h->n_paths < ARRAY_SIZE(h->paths))
		snprintf(h->paths[h->n_paths++], sizeof(h->paths[0]), "%s", event->object.path);
	return hear(h, event->time_ns, event->tid, false);
}

static const struct timeline_ops ops = {.on_sample = on_sample, .on_event = on_event};

static void add_sample(struct timeline *tl, uint64_t time_ns, uint32_t tid, unsigned n_user)
{
	struct made_sample s = {
	    .record = {.time_ns = time_ns, .tid = tid, .n_user = (uint16_t)n_user}};

	for (unsigned i = 0; i < n_user; i++)
		s.frames[i] = tid * 1000 + i;
	assert_int_equal(
	    timeline__add_sample(tl, &s.record, sizeof(s.record) + n_user * sizeof(s.frames[0])),
	    0);
}

static void add_event(struct timeline *tl, uint64_t time_ns, uint32_t tid, const char *path)
{
	struct sideband_event ev = {
	    .time_ns = time_ns, .type = SIDEBAND_MMAP, .tid = tid, .object = {.path = path}};

	assert_int_equal(timeline__add_event(tl, &ev), 0);
}

static struct heard *replay(struct timeline *tl, uint64_t until_ns)
{
	struct heard *h = calloc(1, sizeof(*h));

	h->fail_at = SIZE_MAX;
	assert_int_equal(timeline__replay(tl, until_ns, &ops, h), 0);
	return h;
}

static void empty_one_says_nothing(void **state)
{
	struct timeline *tl = NULL;
	struct heard *h;

	assert_null(timeline__free(NULL));
	assert_int_equal(timeline__new(&tl), 0);
	h = replay(tl, UINT64_MAX);
	assert_int_equal(h->n, 0);
	free(h);
	assert_null(timeline__free(tl));
}

/* Two rings, each in order of its own, come out as one. */
static void orders_across_sources(void **state)
{
	static const uint32_t want[] = {4, 1, 5, 2, 3, 6};
	struct timeline *tl = NULL;
	struct heard *h;

	assert_int_equal(timeline__new(&tl), 0);
	add_sample(tl, 20, 1, 3);
	add_sample(tl, 40, 2, 1);
	add_sample(tl, 50, 3, 0);
	add_event(tl, 10, 4, "/a");
	add_event(tl, 30, 5, NULL);
	add_event(tl, 60, 6, "/b");
	h = replay(tl, UINT64_MAX);
	assert_int_equal(h->n, 6);
	assert_memory_equal(h->tids, want, sizeof(want));
	assert_int_equal(h->n_paths, 2);
	free(h);
	h = replay(tl, UINT64_MAX);
	assert_int_equal(h->n, 0); /* forgotten */
	free(h);
	timeline__free(tl);
}

/* The mapping that a sample of the same moment lies in must be known first; otherwise first come,
 * first served. */
static void events_come_before_samples_of_the_same_time(void **state)
{
	static const uint32_t want[] = {3, 4, 1, 2};
	struct timeline *tl = NULL;
	struct heard *h;

	assert_int_equal(timeline__new(&tl), 0);
	add_sample(tl, 7, 1, 0);
	add_sample(tl, 7, 2, 0);
	add_event(tl, 7, 3, NULL);
	add_event(tl, 7, 4, NULL);
	h = replay(tl, 8);
	assert_int_equal(h->n, 4);
	assert_memory_equal(h->tids, want, sizeof(want));
	free(h);
	timeline__free(tl);
}

static void holds_the_newest_back(void **state)
{
	struct timeline *tl = NULL;
	struct heard *h;

	assert_int_equal(timeline__new(&tl), 0);
	add_sample(tl, 100, 1, 2);
	add_sample(tl, 300, 3, 4);
	h = replay(tl, 300); /* older than 300, not of it */
	assert_int_equal(h->n, 1);
	assert_int_equal(h->tids[0], 1);
	free(h);
	/* One that came late, but in time: it goes before what was held back. */
	add_event(tl, 200, 2, "/late");
	h = replay(tl, 301);
	assert_int_equal(h->n, 2);
	assert_int_equal(h->tids[0], 2);
	assert_int_equal(h->tids[1], 3);
	free(h);
	timeline__free(tl);
}

/* The path is borrowed for the call to add: the caller's bytes may go. */
static void keeps_a_path_alive(void **state)
{
	struct timeline *tl = NULL;
	char path[64] = "/usr/lib/libm.so.6";
	struct heard *h;

	assert_int_equal(timeline__new(&tl), 0);
	add_event(tl, 5, 1, path);
	memset(path, 'x', sizeof(path));
	for (uint32_t i = 0; i < 1000; i++) /* the buffer grows and moves */
		add_event(tl, 10 + i, i, i % 2 ? "/odd" : NULL);
	h = replay(tl, 6);
	assert_int_equal(h->n, 1);
	assert_string_equal(h->paths[0], "/usr/lib/libm.so.6");
	free(h);
	h = replay(tl, UINT64_MAX); /* and what was kept has been moved together */
	assert_int_equal(h->n, 1000);
	assert_string_equal(h->paths[0], "/odd");
	free(h);
	timeline__free(tl);
}

static void an_error_of_the_receiver_ends_the_replay(void **state)
{
	struct heard *h = calloc(1, sizeof(*h));
	struct timeline *tl = NULL;

	assert_int_equal(timeline__new(&tl), 0);
	add_sample(tl, 1, 1, 0);
	add_event(tl, 2, 2, NULL);
	add_sample(tl, 3, 3, 0);
	h->fail_at = 1;
	assert_int_equal(timeline__replay(tl, UINT64_MAX, &ops, h), -EIO);
	assert_int_equal(h->n, 1);
	free(h);
	timeline__free(tl);
}

struct reference {
	uint64_t time_ns;
	uint32_t tid;
	bool sample;
};

static int by_time(const void *pa, const void *pb)
{
	const struct reference *a = pa, *b = pb;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (a->sample != b->sample)
		return a->sample ? 1 : -1;
	return a->tid < b->tid ? -1 : 1;
}

/* Drains of random size with random times, none older than what was let go already, against one
 * sorted list. */
static void equals_a_sorted_list(void **state)
{
	static struct reference all[6000];
	struct timeline *tl = NULL;
	struct heard *h = calloc(1, sizeof(*h));
	uint64_t until = 0;
	uint32_t n = 0;

	srand(11);
	h->fail_at = SIZE_MAX;
	assert_int_equal(timeline__new(&tl), 0);
	while (n < ARRAY_SIZE(all)) {
		for (int k = rand() % 200; k > 0 && n < ARRAY_SIZE(all); k--, n++) {
			all[n] = (struct reference){.time_ns = until + (uint64_t)rand() % 500,
						    .tid = n,
						    .sample = rand() & 1};
			if (all[n].sample)
				add_sample(tl, all[n].time_ns, n, (unsigned)rand() % 8);
			else
				add_event(tl, all[n].time_ns, n, rand() & 1 ? "/some/path" : NULL);
		}
		until += (uint64_t)rand() % 300;
		assert_int_equal(timeline__replay(tl, until, &ops, h), 0);
	}
	assert_int_equal(timeline__replay(tl, UINT64_MAX, &ops, h), 0);
	qsort(all, n, sizeof(*all), by_time);
	assert_int_equal(h->n, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(h->times[i], all[i].time_ns);
		assert_int_equal(h->tids[i], all[i].tid);
		assert_int_equal(h->samples[i], all[i].sample);
	}
	free(h);
	timeline__free(tl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_one_says_nothing),
	    cmocka_unit_test(orders_across_sources),
	    cmocka_unit_test(events_come_before_samples_of_the_same_time),
	    cmocka_unit_test(holds_the_newest_back),
	    cmocka_unit_test(keeps_a_path_alive),
	    cmocka_unit_test(an_error_of_the_receiver_ends_the_replay),
	    cmocka_unit_test(equals_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
