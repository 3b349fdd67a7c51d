/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/processes: who is running, from /proc and from events. */
#include "daemon/collector/processes.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/procstat.h"
#include "base/util.h"
#include "tests/unit/made_sample.h"

/* Above any pid there can be (PID_MAX_LIMIT), so that /proc knows none of them. */
#define ALICE 5000001
#define BOB 5000002

struct scene {
	struct objects *objects;
	struct processes *ps;
};

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	return !s || objects__new(&s->objects) < 0 || processes__new(&s->ps, s->objects) < 0 ? -1
											     : 0;
}

static int free_scene(void **state)
{
	struct scene *s = *state;

	processes__free(s->ps);
	objects__free(s->objects);
	free(s);
	return 0;
}

static void apply(struct scene *s, struct sideband_event ev)
{
	assert_int_equal(processes__apply(s->ps, &ev), 0);
}

static void do_fork(struct scene *s, uint32_t parent, uint32_t child)
{
	apply(s, (struct sideband_event){
		     .type = SIDEBAND_FORK, .tgid = child, .tid = child, .parent_tgid = parent});
}

static void do_exec(struct scene *s, uint32_t tgid, const char *comm)
{
	struct sideband_event ev = {.type = SIDEBAND_EXEC, .tgid = tgid, .tid = tgid};

	strncpy(ev.comm, comm, COMM_SIZE - 1);
	apply(s, ev);
}

static void do_comm(struct scene *s, uint32_t tgid, uint32_t tid, const char *comm)
{
	struct sideband_event ev = {.type = SIDEBAND_COMM, .tgid = tgid, .tid = tid};

	strncpy(ev.comm, comm, COMM_SIZE - 1);
	apply(s, ev);
}

static void do_mmap(struct scene *s, uint32_t tgid, uint64_t start, const char *path)
{
	apply(s, (struct sideband_event){.type = SIDEBAND_MMAP,
					 .tgid = tgid,
					 .tid = tgid,
					 .start = start,
					 .len = 4096,
					 .object = {.path = path, .dev = 1, .ino = start}});
}

static void do_exit(struct scene *s, uint32_t tgid, uint32_t tid, uint64_t time_ns)
{
	apply(s, (struct sideband_event){
		     .type = SIDEBAND_EXIT, .tgid = tgid, .tid = tid, .time_ns = time_ns});
}

/* Ourselves, read from /proc: a parent for those that the events tell of. */
static uint32_t parent(struct scene *s)
{
	uint32_t me = (uint32_t)getpid();

	if (!processes__find(s->ps, me))
		assert_int_equal(processes__scan(s->ps, me, me), 0);
	assert_non_null(processes__find(s->ps, me));
	return me;
}

static struct process *alice(struct scene *s)
{
	do_fork(s, parent(s), ALICE);
	do_exec(s, ALICE, "alice");
	do_mmap(s, ALICE, 0x400000, "/bin/alice");
	do_mmap(s, ALICE, 0x7f0000000000, "/lib/ld.so");
	return processes__find(s->ps, ALICE);
}

static struct process *of_sample(struct scene *s, uint32_t tgid, uint64_t start_ns)
{
	struct made_sample sample =
	    made_sample(tgid, tgid, "sampled", NO_FRAMES, NO_FRAMES, STACK_END_ROOT);
	struct process *p = NULL;

	sample.record.start_ns = start_ns;
	assert_int_equal(processes__of_sample(s->ps, &sample.record, &p), 0);
	assert_non_null(p);
	assert_int_equal(p->tgid, tgid);
	assert_int_equal(p->start_ns, start_ns);
	assert_ptr_equal(processes__find(s->ps, tgid), p);
	return p;
}

static void starts_empty(void **state)
{
	struct scene *s = *state;

	assert_int_equal(processes__count(s->ps), 0);
	assert_null(processes__find(s->ps, 1));
	processes__reap(s->ps, UINT64_MAX);
	assert_null(processes__free(NULL));
}

static void fork_shares_until_one_changes(void **state)
{
	struct scene *s = *state;
	struct process *a = alice(s), *b;

	do_fork(s, ALICE, BOB);
	b = processes__find(s->ps, BOB);
	assert_int_equal(b->parent_tgid, ALICE);
	assert_string_equal(b->comm, "alice");
	assert_ptr_equal(b->maps, a->maps);
	assert_int_equal(a->maps->n_refs, 2);
	do_mmap(s, BOB, 0x7f1000000000, "/lib/plugin.so");
	assert_int_equal(a->maps->n, 2);
	assert_int_equal(b->maps->n, 3);
	assert_string_equal(b->maps->exe->object->id.path, "/bin/alice");
	assert_int_equal(a->maps->n_refs, 1);
	/* A thread is no process. */
	apply(s, (struct sideband_event){
		     .type = SIDEBAND_FORK, .tgid = BOB, .tid = BOB + 1, .parent_tgid = BOB});
	assert_int_equal(processes__count(s->ps), 3); /* with the parent of both */
}

static void exec_clears_and_the_first_mapping_is_the_program(void **state)
{
	struct scene *s = *state;
	struct process *p;

	alice(s);
	do_fork(s, ALICE, BOB);
	do_exec(s, BOB, "bob");
	p = processes__find(s->ps, BOB);
	assert_string_equal(p->comm, "bob");
	assert_int_equal(p->maps->n, 0);
	assert_null(p->maps->exe);
	do_mmap(s, BOB, 0x500000, "/bin/bob");
	do_mmap(s, BOB, 0x300000, "/lib/ld.so"); /* below, but later */
	assert_int_equal(p->maps->n, 2);
	assert_string_equal(p->maps->exe->object->id.path, "/bin/bob");
	/* The parent is as it was. */
	p = processes__find(s->ps, ALICE);
	assert_string_equal(p->comm, "alice");
	assert_int_equal(p->maps->n, 2);
	assert_string_equal(p->maps->exe->object->id.path, "/bin/alice");
}

/* A second thread that calls exec ends the first and goes on under its number. */
static void exec_of_another_thread_revives_the_process(void **state)
{
	struct scene *s = *state;
	struct process *p = alice(s);

	do_exit(s, ALICE, ALICE, 5);
	assert_true(p->leader_exited);
	do_exec(s, ALICE, "reborn");
	assert_false(p->leader_exited);
	assert_int_equal(p->dead_ns, 0);
	assert_string_equal(p->comm, "reborn");
}

static void the_name_is_that_of_the_first_thread(void **state)
{
	struct scene *s = *state;
	struct process *p = alice(s);

	do_comm(s, ALICE, ALICE + 5, "worker");
	assert_string_equal(p->comm, "alice");
	do_comm(s, ALICE, ALICE, "fifteen_letters_long");
	assert_string_equal(p->comm, "fifteen_letters");
}

static void mappings_the_kernel_would_not_make_are_left_out(void **state)
{
	struct scene *s = *state;
	struct process *p = alice(s);

	apply(s, (struct sideband_event){.type = SIDEBAND_MMAP,
					 .tgid = ALICE,
					 .tid = ALICE,
					 .start = 0x1000,
					 .len = 0,
					 .object = {.path = "/x"}});
	apply(s, (struct sideband_event){.type = SIDEBAND_MMAP,
					 .tgid = ALICE,
					 .tid = ALICE,
					 .start = UINT64_MAX - 10,
					 .len = 4096,
					 .object = {.path = "/x"}});
	assert_int_equal(p->maps->n, 2);
	assert_non_null(p->maps->exe);
}

static void events_of_strangers_are_passed_over(void **state)
{
	struct scene *s = *state;

	do_exec(s, ALICE, "alice");
	do_mmap(s, ALICE, 0x1000, "/x");
	do_comm(s, ALICE, ALICE, "x");
	do_exit(s, ALICE, ALICE, 1);
	assert_int_equal(processes__count(s->ps), 0);
	/* Nothing is known of the parent: the child is read from /proc if it is ever sampled. */
	do_fork(s, ALICE, BOB);
	assert_null(processes__find(s->ps, BOB));
}

/* The last samples of a process come after its end. */
static void the_dead_linger_for_a_second(void **state)
{
	struct scene *s = *state;
	struct process *p = alice(s);
	uint64_t end = 77 * NSEC_PER_SEC;

	do_exit(s, ALICE, ALICE + 1, end - 1); /* a thread of it */
	assert_int_equal(p->dead_ns, 0);
	assert_false(p->leader_exited);
	do_exit(s, ALICE, ALICE, end);
	processes__reap(s->ps, end + NSEC_PER_SEC - 1);
	assert_ptr_equal(of_sample(s, ALICE, 123), p);
	assert_int_equal(p->maps->n, 2);
	processes__reap(s->ps, end + NSEC_PER_SEC);
	assert_null(processes__find(s->ps, ALICE));
	assert_int_equal(processes__count(s->ps), 1);
}

/* Those that are left are found where they were moved to. */
static void reaping_keeps_the_others(void **state)
{
	struct scene *s = *state;

	for (uint32_t i = 0; i < 1000; i++)
		do_fork(s, parent(s), ALICE + i);
	for (uint32_t i = 0; i < 1000; i++)
		if (i % 3)
			do_exit(s, ALICE + i, ALICE + i, 1);
	processes__reap(s->ps, 10 * NSEC_PER_SEC);
	assert_int_equal(processes__count(s->ps), 335);
	for (uint32_t i = 0; i < 1000; i++) {
		const struct process *p = processes__find(s->ps, ALICE + i);

		assert_int_equal(p != NULL, i % 3 == 0);
		assert_true(!p || p->tgid == ALICE + i);
	}
}

/* The first thread has ended, the process has not: the kernel knows. */
static void a_process_without_its_first_thread_stays(void **state)
{
	struct scene *s = *state;
	uint32_t me = (uint32_t)getpid();

	assert_int_equal(processes__scan(s->ps, me, me), 0);
	do_exit(s, me, me, 1);
	processes__reap(s->ps, 10 * NSEC_PER_SEC);
	assert_non_null(processes__find(s->ps, me));
	assert_int_equal(processes__find(s->ps, me)->dead_ns, 10 * NSEC_PER_SEC);
}

static void a_reused_tgid_is_another_process(void **state)
{
	struct scene *s = *state;

	alice(s);
	assert_int_equal(of_sample(s, ALICE, 1000)->maps->n, 2);
	/* Told by fork. */
	do_exit(s, ALICE, ALICE, 1);
	do_fork(s, parent(s), ALICE);
	assert_int_equal(processes__count(s->ps), 2);
	assert_ptr_equal(processes__find(s->ps, ALICE)->maps,
			 processes__find(s->ps, parent(s))->maps);
	assert_int_equal(processes__find(s->ps, ALICE)->dead_ns, 0);
	do_exec(s, ALICE, "second");
	do_mmap(s, ALICE, 0x1000, "/bin/second");
	assert_int_equal(of_sample(s, ALICE, 2000)->maps->n, 1);
	/* Told by nothing but the sample. */
	assert_int_equal(of_sample(s, ALICE, 3000)->maps->n, 0);
	assert_string_equal(processes__find(s->ps, ALICE)->comm, "sampled");
	assert_int_equal(processes__count(s->ps), 2);
}

/* Its own start time in nanoseconds is not in /proc: anything within the clock tick fits. */
static void reads_itself_for_a_sample(void **state)
{
	struct scene *s = *state;
	uint32_t me = (uint32_t)getpid();
	struct procstat st;
	struct process *p;
	struct mapping *m;

	assert_int_equal(procstat_read(me, &st), 0);
	p = of_sample(s, me, st.start_ns + 1234567);
	assert_string_equal(p->comm, st.comm);
	assert_int_equal(p->parent_tgid, getppid());
	assert_false(p->start_coarse); /* exact now */
	m = mapset__find(p->maps, (uintptr_t)reads_itself_for_a_sample);
	assert_non_null(m);
	assert_ptr_equal(p->maps->exe, m);
	assert_non_null(strstr(m->object->id.path, "test_processes"));
	assert_non_null(mapset__find(p->maps, (uintptr_t)strtoul)); /* libc */
	/* Once more: nothing is read again. */
	assert_ptr_equal(of_sample(s, me, st.start_ns + 1234567), p);
	/* One that started at another time is not we; it is gone, but its sample counts. */
	p = of_sample(s, me, st.start_ns - NSEC_PER_SEC);
	assert_int_equal(p->maps->n, 0);
	assert_string_equal(p->comm, "sampled");
}

/* What the scan saw is newer than what was on the way meanwhile. */
static void events_older_than_the_scan_are_in_it(void **state)
{
	struct scene *s = *state;
	uint32_t me = parent(s);
	struct process *p = processes__find(s->ps, me);
	size_t n = p->maps->n;

	do_exec(s, me, "older");
	do_mmap(s, me, 0x1000, "/older");
	assert_int_equal(p->maps->n, n);
	assert_string_not_equal(p->comm, "older");
	apply(s, (struct sideband_event){.type = SIDEBAND_MMAP,
					 .tgid = me,
					 .tid = me,
					 .time_ns = p->scanned_ns + NSEC_PER_SEC,
					 .start = 0x1000,
					 .len = 4096,
					 .object = {.path = "/newer"}});
	assert_int_equal(p->maps->n, n + 1);
	/* Read once more, what is the same is the same mapping: windows know it. */
	n = p->maps->n - 1;
	{
		struct mapping *m = mapset__find(p->maps, (uintptr_t)apply);

		mapping__ref(m);
		assert_int_equal(processes__scan(s->ps, me, me), 0);
		p = processes__find(s->ps, me);
		assert_ptr_equal(mapset__find(p->maps, (uintptr_t)apply), m);
		mapping__unref(m, s->objects);
	}
	assert_int_equal(p->maps->n, n);
}

static void one_that_is_gone_stands_without_mappings(void **state)
{
	struct scene *s = *state;
	struct process *p = of_sample(s, ALICE, 55);

	assert_int_equal(p->maps->n, 0);
	assert_null(p->maps->exe);
	assert_string_equal(p->comm, "sampled");
}

static void scanning_is_forgiving(void **state)
{
	struct scene *s = *state;
	pid_t zombie = fork();
	siginfo_t si;

	if (zombie == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)zombie, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(processes__scan(s->ps, ALICE, ALICE), 0);
	assert_int_equal(processes__scan(s->ps, (uint32_t)zombie, (uint32_t)zombie), 0);
	assert_int_equal(processes__count(s->ps), 0);
	assert_int_equal(waitpid(zombie, NULL, 0), zombie);
}

/* What is not in /proc any more after a loss of events is held for ended; what is there is read
 * again. */
static void resync_finds_out_who_is_left(void **state)
{
	struct scene *s = *state;
	uint32_t me = (uint32_t)getpid();
	struct process *p;

	alice(s);
	assert_int_equal(processes__resync(s->ps, 100), 0);
	p = processes__find(s->ps, me);
	assert_non_null(p);
	assert_int_equal(p->dead_ns, 0);
	assert_non_null(mapset__find(p->maps, (uintptr_t)resync_finds_out_who_is_left));
	assert_int_equal(processes__find(s->ps, ALICE)->dead_ns, 100);
	processes__reap(s->ps, 100 + NSEC_PER_SEC);
	assert_null(processes__find(s->ps, ALICE));
	assert_non_null(processes__find(s->ps, me));
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(starts_empty),
	    in_scene(fork_shares_until_one_changes),
	    in_scene(exec_clears_and_the_first_mapping_is_the_program),
	    in_scene(exec_of_another_thread_revives_the_process),
	    in_scene(the_name_is_that_of_the_first_thread),
	    in_scene(mappings_the_kernel_would_not_make_are_left_out),
	    in_scene(events_of_strangers_are_passed_over),
	    in_scene(the_dead_linger_for_a_second),
	    in_scene(reaping_keeps_the_others),
	    in_scene(a_process_without_its_first_thread_stays),
	    in_scene(a_reused_tgid_is_another_process),
	    in_scene(reads_itself_for_a_sample),
	    in_scene(events_older_than_the_scan_are_in_it),
	    in_scene(one_that_is_gone_stands_without_mappings),
	    in_scene(scanning_is_forgiving),
	    in_scene(resync_finds_out_who_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
