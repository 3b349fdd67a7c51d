/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/symbolizer_worker: starting a process, asking it, and telling how it failed.
 *
 * The program under one of the names in `fakes` is this test itself, which then plays the
 * symbolizer. The limits are those of somebody in a hurry.
 */
#include "daemon/collector/symbolizer_worker.h"

#undef SYMBOLIZER_CPU_NS
#undef SYMBOLIZER_TIMEOUT_NS
#undef WORKER_QUESTIONS_MAX
#undef WORKER_AGE_MAX_NS
#undef WORKER_GROWTH_BYTES_MAX
#define SYMBOLIZER_CPU_NS (200 * NSEC_PER_MSEC)
#define SYMBOLIZER_TIMEOUT_NS (3000 * NSEC_PER_MSEC)
#define WORKER_QUESTIONS_MAX 40
#define WORKER_AGE_MAX_NS (3000 * NSEC_PER_MSEC)
#define WORKER_GROWTH_BYTES_MAX (32u << 20)
#include "daemon/collector/symbolizer_worker.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "tests/unit/fake_symbolizer.h"
#include "tests/unit/scratch_dir.h"

/* ---- the fakes ------------------------------------------------------------------------------- */

static void honest(void)
{
}

static void spins(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

static void sleeps(void)
{
	pause();
}

static void works_a_while(void)
{
	uint64_t end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + SYMBOLIZER_CPU_NS / 2;

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static void ends(void)
{
	_exit(0);
}

static void crashes(void)
{
	signal(SIGSEGV, SIG_DFL); /* a sanitizer would talk about it */
	raise(SIGSEGV);
}

static void is_killed(void)
{
	raise(SIGKILL);
}

static void hangs_up(void)
{
	close(IPC_SYMBOLIZER_FD);
	pause();
}

static void grows(void)
{
	void *p = malloc(8 << 20);

	memset(p, 1, 8 << 20);
	__asm__ volatile("" : : "r"(p) : "memory"); /* it leaks, and is not optimized away */
}

static void wrong_id(void)
{
}

static void does_not_start(void)
{
}

static void is_killed_at_its_start(void)
{
}

static const struct fake {
	const char *name;
	void (*act)(void);
	int result; /* of the first question */
} fakes[] = {
    {"honest", honest, WORKER_OK},
    {"spins", spins, WORKER_DEAR},
    {"sleeps", sleeps, WORKER_SLOW},
    {"works_a_while", works_a_while, WORKER_OK},
    {"ends", ends, WORKER_DIED},
    {"crashes", crashes, WORKER_DIED},
    {"is_killed", is_killed, WORKER_KILLED},
    {"hangs_up", hangs_up, WORKER_DIED},
    {"grows", grows, WORKER_OK},
    {"wrong_id", wrong_id, WORKER_DIED},
    {"does_not_start", does_not_start, -ECHILD},
    {"is_killed_at_its_start", is_killed_at_its_start, -ECHILD},
};

/* Answers every question with its own tgid. */
static int play(const struct fake *fake)
{
	if (fake->act == does_not_start)
		return 1;
	if (fake->act == is_killed_at_its_start)
		raise(SIGKILL);
	if (fake_symbolizer_ready() < 0)
		return 1;
	for (;;) {
		_cleanup_(ipc_msg__fini) struct ipc_msg question = IPC_MSG_INIT;
		uint32_t tgid = (uint32_t)getpid();
		struct ipc_msg answer = {.payload = &tgid, .n_bytes = sizeof(tgid)};

		if (ipc_recv(IPC_SYMBOLIZER_FD, &question, IPC_FOREVER) < 0)
			return 0;
		fake->act();
		answer.id = question.id + (fake->act == wrong_id);
		if (ipc_send(IPC_SYMBOLIZER_FD, &answer, IPC_FOREVER) < 0)
			return 0;
	}
}

static const struct fake *fake_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && i < ARRAY_SIZE(fakes); i++)
		if (!strcmp(slash + 1, fakes[i].name))
			return &fakes[i];
	return NULL;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static unsigned n_started;

static void on_start(void *ctx, enum owner owner, uint32_t tgid)
{
	assert_int_equal(owner, OWNER_OTHERS);
	n_started++;
}

/* The program is this test, under NAME in its scratch directory. */
static void begin(struct symbolizer_worker *w, const char *name)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	assert_int_equal(symlink(exe, name), 0);
	n_started = 0;
	symbolizer_worker__init(w, name, OWNER_OTHERS, on_start, NULL);
}

/* Asks; *RET_TGID is who answered. */
static int ask(struct symbolizer_worker *w, uint32_t *ret_tgid)
{
	_cleanup_(ipc_msg__fini) struct ipc_msg answer = IPC_MSG_INIT;
	struct ipc_msg question = {.type = MSG_IDENTIFY};
	int r = symbolizer_worker__ask(w, &question, &answer);

	if (r == WORKER_OK)
		memcpy(ret_tgid, answer.payload, sizeof(*ret_tgid));
	return r;
}

/* However the first question goes, afterwards there is a living process or none, and no zombie. */
static void each_failure_has_its_name(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		struct symbolizer_worker w;
		uint32_t tgid = 0;
		char path[64];
		int r;

		snprintf(path, sizeof(path), "./%s", fakes[i].name);
		begin(&w, path);
		assert_true(symbolizer_worker__is_fresh(&w));
		r = ask(&w, &tgid);
		if (r != fakes[i].result)
			fail_msg("%s: %d", fakes[i].name, r);
		assert_int_equal(w.sock >= 0, r == WORKER_OK);
		assert_int_equal(symbolizer_worker__is_fresh(&w), r != WORKER_OK);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), r == WORKER_OK ? 0 : -1);
		symbolizer_worker__fini(&w);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

/* Time that others take is not held against it. */
static void cpu_time_is_its_own(void **state)
{
	struct symbolizer_worker w;
	uint32_t first = 0, tgid = 0;

	begin(&w, "./works_a_while");
	assert_int_equal(ask(&w, &first), WORKER_OK);
	for (unsigned i = 0; i < 3; i++) { /* each question has its own */
		assert_int_equal(ask(&w, &tgid), WORKER_OK);
		assert_int_equal(tgid, first);
	}
	symbolizer_worker__fini(&w);
}

static void it_is_replaced_after_so_many_questions(void **state)
{
	struct symbolizer_worker w;
	uint32_t first = 0, tgid = 0;

	begin(&w, "./honest");
	for (unsigned i = 0; i < WORKER_QUESTIONS_MAX; i++) {
		assert_int_equal(ask(&w, &tgid), WORKER_OK);
		assert_true(i == 0 || tgid == first);
		first = tgid;
	}
	assert_int_equal(ask(&w, &tgid), WORKER_OK);
	assert_int_not_equal(tgid, first);
	assert_int_equal(n_started, 2);
	assert_int_equal(w.n_restarts, 0); /* nobody died */
	symbolizer_worker__fini(&w);
}

static void it_is_replaced_when_it_is_old(void **state)
{
	struct symbolizer_worker w;
	uint32_t first = 0, tgid = 0;

	begin(&w, "./honest");
	assert_int_equal(ask(&w, &first), WORKER_OK);
	usleep(WORKER_AGE_MAX_NS / 1000);
	assert_int_equal(ask(&w, &tgid), WORKER_OK);
	assert_int_not_equal(tgid, first);
	symbolizer_worker__fini(&w);
}

static void it_is_replaced_when_it_has_grown(void **state)
{
	struct symbolizer_worker w;
	uint32_t first = 0, tgid = 0;
	unsigned n = 1;

	begin(&w, "./grows");
	assert_int_equal(ask(&w, &first), WORKER_OK);
	while (ask(&w, &tgid) == WORKER_OK && tgid == first)
		n++;
	assert_in_range(n, 4, 6); /* 8 MiB each */
	symbolizer_worker__fini(&w);
}

/* A host on which it cannot run is not kept busy with trying. */
static void a_false_start_is_not_repeated_at_once(void **state)
{
	struct symbolizer_worker w;
	uint32_t tgid;

	begin(&w, "./does_not_start");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(&w, &tgid), -ECHILD);
		assert_int_equal(n_started, 1);
	}
	assert_true(w.trouble[0]);
	usleep(WORKER_RETRY_NS / 1000);
	assert_int_equal(ask(&w, &tgid), -ECHILD);
	assert_int_equal(n_started, 2);
	assert_true(w.retry_ns - clock_ns(CLOCK_MONOTONIC) > WORKER_RETRY_NS);
	symbolizer_worker__fini(&w);
}

/* Who is killed before it is ready would perhaps have got so far. */
static void one_that_is_killed_is_started_again(void **state)
{
	struct symbolizer_worker w;
	uint32_t tgid;

	begin(&w, "./is_killed_at_its_start");
	assert_int_equal(ask(&w, &tgid), -ECHILD);
	assert_int_equal(n_started, KILLED_STARTS_MAX);
	symbolizer_worker__fini(&w);
}

static void *cancel_soon(void *ctx)
{
	usleep(100000);
	symbolizer_worker__cancel(ctx);
	return NULL;
}

static void cancelled_questions_end_at_once(void **state)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	struct symbolizer_worker w;
	pthread_t thread;
	uint32_t tgid;

	begin(&w, "./sleeps");
	assert_int_equal(thread_start(&thread, cancel_soon, &w), 0);
	assert_true(ask(&w, &tgid) > WORKER_OK);
	pthread_join(thread, NULL);
	assert_true(symbolizer_worker__is_cancelled(&w));
	assert_int_equal(n_started, 1);
	assert_true(ask(&w, &tgid) > WORKER_OK);
	assert_int_equal(n_started, 1);
	assert_true(clock_ns(CLOCK_MONOTONIC) - start < 5 * NSEC_PER_SEC);
	symbolizer_worker__fini(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(each_failure_has_its_name),
	    in_scratch_dir(cpu_time_is_its_own),
	    in_scratch_dir(it_is_replaced_after_so_many_questions),
	    in_scratch_dir(it_is_replaced_when_it_is_old),
	    in_scratch_dir(it_is_replaced_when_it_has_grown),
	    in_scratch_dir(a_false_start_is_not_repeated_at_once),
	    in_scratch_dir(one_that_is_killed_is_started_again),
	    in_scratch_dir(cancelled_questions_end_at_once),
	};
	const struct fake *fake = fake_of(argv[0]);

	return fake ? play(fake) : cmocka_run_group_tests(tests, NULL, NULL);
}
