/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be told of the sampler without a kernel that lets us sample: the account of ticks that
 * never came, the sizes of the rings, and what is let in from them. The rest is tested on real
 * programs, as root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/collector/sampler.c"
#include "tests/unit/made_sample.h"

#define PERIOD_NS 10101010ULL /* 99 Hz */

/* One CPU that has run for a while. */
struct scene {
	struct sampler s;
	unsigned cpu;
	struct unseen unseen;
	struct cputime now, then;
};

static void setup(struct scene *scene)
{
	*scene = (struct scene){.s = {.period_ns = PERIOD_NS, .n_cpus = 1, .n_possible = 1}};
	scene->s.cpus = &scene->cpu;
	scene->s.unseen = &scene->unseen;
	scene->s.times = &scene->now;
	scene->s.start_times = &scene->then;
}

/* What the account says when N_UNSEEN ticks did not reach the program, which saw N_IDLE idle
 * ones. */
static struct sampler_ticks account(struct scene *scene, uint64_t n_unseen, uint64_t n_idle)
{
	struct sampler_ticks t = {.idle = n_idle};

	explain_unseen(&scene->s, 0, n_unseen, &t);
	return t;
}

static void ticks_that_came_need_no_explanation(void **state)
{
	struct scene scene;
	struct sampler_ticks t;

	setup(&scene);
	scene.now.idle_ns = 1000 * PERIOD_NS;
	t = account(&scene, 0, 10);
	assert_int_equal(t.idle, 10);
	assert_int_equal(t.stolen, 0);
	assert_int_equal(t.missed, 0);
}

/* A kernel that does not deliver the ticks of an idle CPU: they were idle nevertheless. */
static void ticks_of_an_idle_cpu(void **state)
{
	struct scene scene;
	struct sampler_ticks t;

	setup(&scene);
	scene.now.idle_ns = 100 * PERIOD_NS;
	t = account(&scene, 60, 40);
	assert_int_equal(t.idle, 100);
	assert_int_equal(t.missed, 0);

	/* But not more than the CPU was idle. */
	t = account(&scene, 90, 40);
	assert_in_range(t.idle, 100, 101);
	assert_int_equal(t.idle + t.missed, 130);
}

static void ticks_of_stolen_time(void **state)
{
	struct scene scene;
	struct sampler_ticks t;

	setup(&scene);
	scene.now.steal_ns = 5 * PERIOD_NS;
	t = account(&scene, 8, 0);
	assert_in_range(t.stolen, 5, 6);
	assert_int_equal(t.stolen + t.missed, 8);
}

static void without_a_reason_they_are_missed(void **state)
{
	struct scene scene;

	setup(&scene);
	assert_int_equal(account(&scene, 7, 0).missed, 7);
}

/* Windows are differences, so no part may shrink, whatever /proc/stat says later. */
static void no_part_ever_shrinks(void **state)
{
	struct sampler_ticks before = {0};
	struct scene scene;

	setup(&scene);
	for (unsigned i = 1; i < 500; i++) {
		struct sampler_ticks t;

		scene.now.idle_ns = i % 7 == 0 ? 0 : i * PERIOD_NS / 3;
		scene.now.steal_ns = i * PERIOD_NS / 50;
		t = account(&scene, i % 11 == 0 ? i / 2 : i, 0);
		assert_true(t.idle >= before.idle);
		assert_true(t.stolen >= before.stolen);
		assert_true(t.missed >= before.missed);
		before = t;
	}
	assert_int_equal(before.idle + before.stolen + before.missed, 499);
}

static void rings_hold_half_a_second(void **state)
{
	struct sampler s = {.n_cpus = 2};

	/* Seldom ticks: never less than the minimum. */
	assert_int_equal(ring_bytes(&s, 2, 19), RING_BYTES_MIN);
	assert_true(ring_bytes(&s, 2, 99) >= 99 * SAMPLE_BYTES_MAX / 2);
	assert_true(ring_bytes(&s, 2, 99) < 99 * SAMPLE_BYTES_MAX);
	/* The budget holds for all rings together, however many CPUs and ticks. */
	s.n_cpus = 512;
	assert_int_equal(RINGS_MAX * ring_bytes(&s, RINGS_MAX, 10000), RINGS_BYTES_MAX);
}

static void powers_of_two(void **state)
{
	assert_int_equal(pow2_at_most(0), 1);
	assert_int_equal(pow2_at_most(1), 1);
	assert_int_equal(pow2_at_most(7), 4);
	assert_int_equal(pow2_at_most(8), 8);
}

/* ---- records --------------------------------------------------------------------------------- */

static int count_record(void *ctx, const struct sample_record *record, size_t size)
{
	*(size_t *)ctx += 1;
	return 0;
}

/* What becomes of the first SIZE bytes of RECORD. */
static int receive(const struct sample_record *record, size_t size)
{
	size_t n = 0;
	struct sampler s = {.fn = count_record, .fn_ctx = &n};
	int r = on_ring_record(&s, (void *)record, size);

	assert_int_equal(n, r == 0); /* passed on, or not seen by anybody */
	return r;
}

static void a_record_is_as_long_as_it_says(void **state)
{
	struct made_sample s =
	    made_sample(1, 1, "a", FRAMES(10, 11), FRAMES(1, 2, 3), STACK_END_ROOT);
	size_t size = sizeof(s.record) + 5 * sizeof(uint64_t);

	assert_int_equal(receive(&s.record, size), 0);
	assert_int_equal(receive(&s.record, size - 1), -EBADMSG);
	assert_int_equal(receive(&s.record, size + 8), -EBADMSG);
	assert_int_equal(receive(&s.record, sizeof(s.record) - 1), -EBADMSG);
	assert_int_equal(receive(&s.record, 0), -EBADMSG);
	s.record.stack_bytes = 8; /* belongs to those that go on */
	assert_int_equal(receive(&s.record, size + 8), -EBADMSG);
	s = made_sample(1, 1, "a", NO_FRAMES, NO_FRAMES, STACK_END_NO_USER);
	assert_int_equal(receive(&s.record, sizeof(s.record)), 0);
}

/* User space goes on with the walk from the registers and the stack that follow the frames. */
static void a_record_that_goes_on(void **state)
{
	struct {
		struct made_sample sample;
		char rest[sizeof(struct unwind_regs) + STACK_COPY_MAX + 8];
	} s = {.sample = made_sample(1, 1, "a", FRAMES(10), FRAMES(1, 2), STACK_END_UNKNOWN)};
	struct sample_record *record = &s.sample.record;
	size_t size = sizeof(*record) + 3 * sizeof(uint64_t) + sizeof(struct unwind_regs);

	assert_int_equal(receive(record, size), 0); /* no page of the stack was in memory */
	assert_int_equal(receive(record, size - 8), -EBADMSG);
	assert_int_equal(receive(record, size - sizeof(struct unwind_regs)), -EBADMSG);
	assert_int_equal(receive(record, sizeof(*record)), -EBADMSG);
	assert_int_equal(receive(record, size + 4096), -EBADMSG);
	record->stack_bytes = 4096;
	assert_int_equal(receive(record, size + 4096), 0);
	assert_int_equal(receive(record, size), -EBADMSG);
	record->stack_bytes = STACK_COPY_MAX;
	assert_int_equal(receive(record, size + STACK_COPY_MAX), 0);
	record->stack_bytes = STACK_COPY_MAX + 8;
	assert_int_equal(receive(record, size + STACK_COPY_MAX + 8), -EBADMSG);
	/* A sum that wraps around. */
	record->stack_bytes = UINT32_MAX;
	assert_int_equal(receive(record, size - 1), -EBADMSG);
	/* The registers are those of a frame. */
	record->stack_bytes = 0;
	record->n_user = 0;
	assert_int_equal(receive(record, size - 2 * sizeof(uint64_t)), -EBADMSG);
}

static void the_limits_of_a_record(void **state)
{
	static const uint64_t frames[USER_FRAMES_MAX + 1];
	struct {
		struct made_sample sample;
		uint64_t more;
	} s;
	struct sample_record *record = &s.sample.record;
	size_t all = sizeof(*record) + SAMPLE_FRAMES_MAX * sizeof(uint64_t);

	s.sample = made_sample(1, 1, "a", KERNEL_FRAMES_MAX, frames, USER_FRAMES_MAX, frames,
			       STACK_END_DEPTH);
	assert_int_equal(receive(record, all), 0);
	record->n_kernel++;
	assert_int_equal(receive(record, all + 8), -EBADMSG);
	record->n_kernel = 0;
	record->n_user++;
	assert_int_equal(receive(record, sizeof(*record) + record->n_user * 8u), -EBADMSG);
	record->n_user = 0;
	for (unsigned end = 0; end <= UINT8_MAX; end++) {
		if (end == STACK_END_UNKNOWN)
			continue;
		record->user_end = (uint8_t)end;
		assert_int_equal(receive(record, sizeof(*record)),
				 end < STACK_END_MAX ? 0 : -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ticks_that_came_need_no_explanation),
	    cmocka_unit_test(ticks_of_an_idle_cpu),
	    cmocka_unit_test(ticks_of_stolen_time),
	    cmocka_unit_test(without_a_reason_they_are_missed),
	    cmocka_unit_test(no_part_ever_shrinks),
	    cmocka_unit_test(rings_hold_half_a_second),
	    cmocka_unit_test(powers_of_two),
	    cmocka_unit_test(a_record_is_as_long_as_it_says),
	    cmocka_unit_test(a_record_that_goes_on),
	    cmocka_unit_test(the_limits_of_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
