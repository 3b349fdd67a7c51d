/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/spaces: what the walker in the kernel is told of processes and their mappings.
 *
 * Read back by the walker's own code, compiled natively.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/unwind_tables.bpf.h"
#include "daemon/collector/spaces.c"
#include "tests/unit/made_sample.h"

/* Above any pid there can be (PID_MAX_LIMIT), so that /proc knows none of them. */
#define ALICE 5000001
#define BOB 5000002

#define N_LINES 2000
#define START_NS 123456789000
#define T0 (1000 * NSEC_PER_SEC)

#define CODE 0x400000
#define LIB 0x7f0000000000
#define JIT 0x7f1000000000

struct scene {
	struct objects *objects;
	struct processes *ps;
	struct unwind_memory *memory;
	struct spaces *s;
};

static int use_memory(struct scene *scene, uint32_t n_lines)
{
	int r = unwind_memory__new(&scene->memory, -1, n_lines);

	if (r == 0)
		r = spaces__new(&scene->s, scene->memory, -1, scene->objects);
	if (r == 0)
		native_tables = (struct native_tables){.lines = unwind_memory__lines(scene->memory),
						       .n_lines = n_lines,
						       .processes = scene->s->table};
	return r;
}

static int make_scene(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	*state = scene;
	if (!scene || objects__new(&scene->objects) < 0 ||
	    processes__new(&scene->ps, scene->objects) < 0)
		return -1;
	return use_memory(scene, N_LINES);
}

static int free_scene(void **state)
{
	struct scene *scene = *state;

	spaces__free(scene->s);
	unwind_memory__free(scene->memory);
	processes__free(scene->ps);
	objects__free(scene->objects);
	free(scene);
	return 0;
}

/* ---- processes, by events -------------------------------------------------------------------- */

static void apply(struct scene *scene, struct sideband_event ev)
{
	assert_int_equal(processes__apply(scene->ps, &ev), 0);
}

static void do_exec(struct scene *scene, uint32_t tgid)
{
	apply(scene, (struct sideband_event){
			 .type = SIDEBAND_EXEC, .tgid = tgid, .tid = tgid, .comm = "x"});
}

static void do_mmap(struct scene *scene, uint32_t tgid, uint64_t start, uint64_t off,
		    const char *path)
{
	apply(scene, (struct sideband_event){.type = SIDEBAND_MMAP,
					     .tgid = tgid,
					     .tid = tgid,
					     .start = start,
					     .len = 0x2000,
					     .off = off,
					     .object = {.path = path, .dev = 1, .ino = start}});
}

static void do_exit(struct scene *scene, uint32_t tgid)
{
	apply(scene, (struct sideband_event){
			 .type = SIDEBAND_EXIT, .tgid = tgid, .tid = tgid, .time_ns = T0});
}

static struct process *do_fork(struct scene *scene, uint32_t parent, uint32_t child)
{
	struct process *p;

	apply(scene,
	      (struct sideband_event){
		  .type = SIDEBAND_FORK, .tgid = child, .tid = child, .parent_tgid = parent});
	p = processes__find(scene->ps, child);
	assert_non_null(p);
	p->start_ns = START_NS; /* as its first sample tells */
	return p;
}

/* A child of ours that runs a program of its own, without mappings so far. */
static struct process *bare(struct scene *scene, uint32_t tgid)
{
	uint32_t me = (uint32_t)getpid();
	struct process *p;

	if (!processes__find(scene->ps, me))
		assert_int_equal(processes__scan(scene->ps, me, me), 0);
	p = do_fork(scene, me, tgid);
	do_exec(scene, tgid);
	return p;
}

static struct process *process(struct scene *scene, uint32_t tgid)
{
	struct process *p = bare(scene, tgid);

	do_mmap(scene, tgid, CODE, 0x1000, "/bin/x");
	do_mmap(scene, tgid, LIB, 0x5000, "/lib/y.so");
	do_mmap(scene, tgid, JIT, 0, "//anon");
	return p;
}

static void publish(struct scene *scene, const struct process *p, uint32_t exec_id)
{
	assert_int_equal(spaces__publish(scene->s, p, exec_id, T0), 0);
}

static void sync_at(struct scene *scene, uint64_t now_ns)
{
	assert_int_equal(spaces__sync(scene->s, scene->ps, now_ns), 0);
}

/* ---- what the walker finds ------------------------------------------------------------------- */

static uint32_t space_of(uint32_t tgid, uint32_t exec_id)
{
	return find_space(tgid, exec_id, START_NS);
}

static const struct unwind_space_head *head_of(uint32_t space)
{
	return (const void *)unwind_line(space);
}

static const struct unwind_mapping *at(uint32_t space, uint64_t addr)
{
	struct unwind_search search;

	return find_mapping(&search, space, addr);
}

static void starts_empty(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(space_of(ALICE, 1), 0);
	assert_int_equal(space_of(0, 0), 0); /* free entries are nobody's */
	assert_int_equal(spaces__n_processes(scene->s), 0);
	assert_int_equal(spaces__n_lists(scene->s), 0);
	sync_at(scene, T0);
	spaces__rebind(scene->s);
	assert_null(spaces__free(NULL));
}

static void a_process_is_found_by_all_that_tells_it_apart(void **state)
{
	struct scene *scene = *state;
	const struct process *alice = process(scene, ALICE);
	uint32_t space;

	publish(scene, alice, 7);
	space = space_of(ALICE, 7);
	assert_int_not_equal(space, 0);
	assert_int_equal(space_of(ALICE, 8), 0);
	assert_int_equal(space_of(BOB, 7), 0);
	assert_int_equal(find_space(ALICE, 7, START_NS + 1024), 0); /* another with this tgid */
	assert_int_equal(spaces__n_processes(scene->s), 1);
	assert_int_equal(spaces__n_lists(scene->s), 1);
	publish(scene, alice, 7); /* nothing new */
	assert_int_equal(space_of(ALICE, 7), space);
	assert_int_equal(head_of(space)->generation, 1);
}

static void its_mappings_are_found(void **state)
{
	struct scene *scene = *state;
	const struct unwind_mapping *m;
	uint32_t space;

	publish(scene, process(scene, ALICE), 1);
	space = space_of(ALICE, 1);
	assert_int_equal(head_of(space)->n_mappings, 3);
	assert_int_equal(head_of(space)->n_lines, 3); /* the head, and two mappings a line */
	assert_int_equal(head_of(space)->all_regs, 0);
	assert_null(at(space, CODE - 1));
	m = at(space, CODE);
	assert_int_equal(m->start, CODE);
	assert_int_equal(m->end, CODE + 0x2000);
	assert_int_equal(m->off, 0x1000);
	assert_int_equal(m->code, UNWIND_CODE_UNKNOWN); /* it has no table yet */
	assert_ptr_equal(at(space, CODE + 0x1fff), m);
	assert_null(at(space, CODE + 0x2000));
	assert_int_equal(at(space, LIB)->off, 0x5000);
	assert_int_equal(at(space, JIT)->code, UNWIND_CODE_FRAME);
	assert_null(at(space, UINT64_MAX));
	assert_null(at(space, 0));
}

static void a_fork_shares_the_list(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE), *bob = do_fork(scene, ALICE, BOB);
	uint32_t space;

	publish(scene, alice, 1);
	publish(scene, bob, 1);
	space = space_of(ALICE, 1);
	assert_int_equal(space_of(BOB, 1), space);
	assert_int_equal(spaces__n_lists(scene->s), 1);
	assert_int_equal(spaces__n_processes(scene->s), 2);
	/* Until one of them changes it. */
	do_mmap(scene, BOB, 0x900000, 0, "/lib/z.so");
	sync_at(scene, T0);
	assert_int_equal(space_of(ALICE, 1), space);
	assert_null(at(space, 0x900000));
	assert_int_not_equal(space_of(BOB, 1), space);
	assert_non_null(at(space_of(BOB, 1), 0x900000));
	assert_int_equal(spaces__n_lists(scene->s), 2);
	do_exit(scene, ALICE);
	do_exit(scene, BOB);
	sync_at(scene, T0);
	assert_int_equal(spaces__n_lists(scene->s), 0);
	assert_int_equal(spaces__n_processes(scene->s), 0);
}

/* A new list in a new place: the rule cache knows it by its generation. */
static void changed_mappings_are_a_new_list(void **state)
{
	struct scene *scene = *state;
	uint32_t before, after;

	publish(scene, process(scene, ALICE), 1);
	before = space_of(ALICE, 1);
	do_mmap(scene, ALICE, 0x900000, 0x3000, "/lib/z.so");
	assert_int_equal(space_of(ALICE, 1), before);
	sync_at(scene, T0);
	after = space_of(ALICE, 1);
	assert_int_not_equal(after, 0);
	assert_int_not_equal(after, before);
	assert_int_not_equal(head_of(after)->generation, head_of(before)->generation);
	assert_int_equal(at(after, 0x900000)->off, 0x3000);
	assert_int_equal(head_of(after)->n_mappings, 4);
	/* A walk that began before goes on in the old one. */
	assert_int_equal(head_of(before)->n_mappings, 3);
	assert_int_equal(at(before, CODE)->off, 0x1000);
	sync_at(scene, T0 + NSEC_PER_SEC);
	assert_int_equal(unwind_memory__n_used(scene->memory), head_of(after)->n_lines);
	sync_at(scene, T0 + 2 * NSEC_PER_SEC); /* nothing has changed */
	assert_int_equal(space_of(ALICE, 1), after);
}

/* The walker asks for help where its walk fails, unless that failed as well, lately. */
static void a_failed_walk_is_not_tried_again_for_a_while(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE);

	spaces__give_up(scene->s, alice); /* it is not known yet */
	publish(scene, alice, 1);
	sync_at(scene, T0);
	assert_int_equal(head_of(space_of(ALICE, 1))->hopeless, 0);
	spaces__give_up(scene->s, alice);
	sync_at(scene, T0 + NSEC_PER_SEC - 1);
	assert_int_equal(head_of(space_of(ALICE, 1))->hopeless, 1);
	sync_at(scene, T0 + NSEC_PER_SEC);
	assert_int_equal(head_of(space_of(ALICE, 1))->hopeless, 0);
	/* By other mappings it may succeed. */
	spaces__give_up(scene->s, alice);
	do_mmap(scene, ALICE, 0x900000, 0, "/lib/z.so");
	sync_at(scene, T0 + NSEC_PER_SEC);
	assert_int_equal(head_of(space_of(ALICE, 1))->hopeless, 0);
}

/* The new program has other code at the same addresses. */
static void exec_ends_what_was_said(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE);

	publish(scene, alice, 1);
	do_exec(scene, ALICE);
	sync_at(scene, T0);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_int_equal(spaces__n_processes(scene->s), 0);
	do_mmap(scene, ALICE, 0x800000, 0, "/bin/new");
	publish(scene, alice, 2);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_non_null(at(space_of(ALICE, 2), 0x800000));
	assert_null(at(space_of(ALICE, 2), CODE));
}

/* Also where the first sample of the new program comes before any sync. */
static void a_new_program_takes_the_place_of_the_old(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE);

	publish(scene, alice, 1);
	do_exec(scene, ALICE);
	do_mmap(scene, ALICE, 0x800000, 0, "/bin/new");
	publish(scene, alice, 2);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_non_null(at(space_of(ALICE, 2), 0x800000));
	assert_int_equal(spaces__n_processes(scene->s), 1);
	sync_at(scene, T0);
	assert_int_not_equal(space_of(ALICE, 2), 0);
}

static void what_has_ended_is_withdrawn(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE), *bob = process(scene, BOB);

	publish(scene, alice, 1);
	publish(scene, bob, 1);
	do_exit(scene, ALICE);
	sync_at(scene, T0);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_int_not_equal(space_of(BOB, 1), 0);
	/* Forgotten, and its tgid given to another. */
	bob = bare(scene, BOB);
	bob->start_ns = START_NS + 12345;
	sync_at(scene, T0);
	assert_int_equal(space_of(BOB, 1), 0);
	processes__reap(scene->ps, UINT64_MAX);
	sync_at(scene, T0);
	assert_int_equal(spaces__n_lists(scene->s), 0);
	/* And the memory comes back. */
	sync_at(scene, T0 + NSEC_PER_SEC);
	assert_int_equal(unwind_memory__n_used(scene->memory), 0);
}

static void one_without_mappings_stays_unknown(void **state)
{
	struct scene *scene = *state;

	publish(scene, bare(scene, ALICE), 1);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_int_equal(spaces__n_processes(scene->s), 0);
	assert_int_equal(unwind_memory__n_used(scene->memory), 0);
}

/* A line of the hash table has four places; the fifth process goes on in user space. */
static void a_full_line_of_the_hash_table(void **state)
{
	struct scene *scene = *state;
	uint32_t tgids[UNWIND_PROCESSES_PER_LINE + 1], tgid = ALICE;
	struct process *last = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(tgids); tgid++) {
		if (unwind_process_line(tgid) != unwind_process_line(ALICE))
			continue;
		tgids[i++] = tgid;
		last = process(scene, tgid);
		publish(scene, last, 1);
	}
	for (unsigned i = 0; i < UNWIND_PROCESSES_PER_LINE; i++)
		assert_int_not_equal(space_of(tgids[i], 1), 0);
	assert_int_equal(space_of(last->tgid, 1), 0);
	assert_int_equal(spaces__n_processes(scene->s), UNWIND_PROCESSES_PER_LINE);
	assert_int_equal(spaces__n_lists(scene->s), UNWIND_PROCESSES_PER_LINE);
	/* Once another has ended there is a place. */
	do_exit(scene, tgids[1]);
	sync_at(scene, T0);
	publish(scene, last, 1);
	assert_int_not_equal(space_of(last->tgid, 1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(tgids); i++)
		assert_int_equal(space_of(tgids[i], 1) == 0, i == 1);
}

static void map_more(struct scene *scene, struct process *p, size_t n)
{
	struct object *o = made_object(scene->objects, "/lib/many.so", 99);

	for (size_t i = p->maps->n; i < n; i++)
		assert_int_equal(mapset__add(&p->maps, scene->objects, CODE + i * 0x1000,
					     CODE + (i + 1) * 0x1000, i * 0x1000, o),
				 0);
	objects__unref(scene->objects, o);
}

/* The search halves so often, and no more. */
static void there_may_be_2048_mappings(void **state)
{
	struct scene *scene = *state;
	struct process *alice = bare(scene, ALICE);
	uint32_t space;

	map_more(scene, alice, UNWIND_MAPPINGS_MAX);
	publish(scene, alice, 1);
	space = space_of(ALICE, 1);
	for (uint64_t i = 0; i < UNWIND_MAPPINGS_MAX; i++) {
		assert_int_equal(at(space, CODE + i * 0x1000)->off, i * 0x1000);
		assert_int_equal(at(space, CODE + i * 0x1000 + 0xfff)->off, i * 0x1000);
	}
	assert_null(at(space, CODE - 1));
	assert_null(at(space, CODE + UNWIND_MAPPINGS_MAX * 0x1000ull));
	/* One more: it is not known any more. */
	map_more(scene, alice, UNWIND_MAPPINGS_MAX + 1);
	sync_at(scene, T0);
	assert_int_equal(space_of(ALICE, 1), 0);
	publish(scene, alice, 1);
	assert_int_equal(space_of(ALICE, 1), 0);
	assert_int_equal(spaces__n_lists(scene->s), 0);
}

static void without_room_it_stays_unknown(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE), *bob = process(scene, BOB);

	scene->s = spaces__free(scene->s);
	unwind_memory__free(scene->memory);
	assert_int_equal(use_memory(scene, 1 + 3 + 2), 0); /* one list takes three lines */
	publish(scene, alice, 1);
	publish(scene, bob, 1);
	assert_int_not_equal(space_of(ALICE, 1), 0);
	assert_int_equal(space_of(BOB, 1), 0);
	assert_int_equal(spaces__n_processes(scene->s), 1);
	assert_int_equal(spaces__n_lists(scene->s), 1);
	do_exit(scene, ALICE);
	sync_at(scene, T0);
	publish(scene, bob, 1); /* what was ALICE's rests for a second */
	assert_int_equal(space_of(BOB, 1), 0);
	sync_at(scene, T0 + NSEC_PER_SEC);
	publish(scene, bob, 1);
	assert_int_not_equal(space_of(BOB, 1), 0);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Tables that come and go change what is to be done in a mapping, not where the mappings are. */
static void rebind_tells_of_tables(void **state)
{
	struct scene *scene = *state;
	struct process *alice = process(scene, ALICE);
	struct unwind_file file = {.state = UNWIND_FILE_READY, .line = 1234, .n_refs = 1};
	struct object *o = mapset__find(alice->maps, LIB)->object;
	const struct unwind_mapping *m;
	uint32_t space, generation;

	publish(scene, alice, 1);
	space = space_of(ALICE, 1);
	generation = head_of(space)->generation;
	m = at(space, LIB);
	o->unwind = &file;
	assert_int_equal(m->code, UNWIND_CODE_UNKNOWN);
	spaces__rebind(scene->s);
	assert_int_equal(m->code, UNWIND_CODE_TABLE);
	assert_int_equal(m->table, 1234);
	assert_int_equal(head_of(space)->all_regs, 0);
	assert_int_equal(at(space, CODE)->code, UNWIND_CODE_UNKNOWN);
	assert_int_equal(at(space, JIT)->code, UNWIND_CODE_FRAME);
	/* It is put elsewhere, and some of its rules need all registers. */
	file.line = 777;
	file.all_regs = true;
	spaces__rebind(scene->s);
	assert_int_equal(m->table, 777);
	assert_int_equal(head_of(space)->all_regs, 1);
	/* It goes. */
	file.state = UNWIND_FILE_NEW;
	spaces__rebind(scene->s);
	assert_int_equal(m->code, UNWIND_CODE_UNKNOWN);
	assert_int_equal(m->table, 777); /* for a walk that has read the code already */
	file.state = UNWIND_FILE_NONE;
	spaces__rebind(scene->s);
	assert_int_equal(m->code, UNWIND_CODE_NONE);
	assert_int_equal(head_of(space)->generation, generation);
	assert_ptr_equal(at(space, LIB), m);
	/* A list that is made now has it at once. */
	file.state = UNWIND_FILE_READY;
	do_mmap(scene, ALICE, 0x900000, 0, "/lib/z.so");
	sync_at(scene, T0);
	assert_int_equal(at(space_of(ALICE, 1), LIB)->table, 777);
	assert_int_equal(head_of(space_of(ALICE, 1))->all_regs, 1);
	o->unwind = NULL;
}

/* ---- the array ------------------------------------------------------------------------------- */

static void the_processes_lie_in_the_array(void **state)
{
	struct scene *scene = *state;
	cleanup_close int fd = memfd_create("array", MFD_CLOEXEC);
	struct spaces *s = NULL;
	struct unwind_process line[UNWIND_PROCESSES_PER_LINE];

	assert_int_equal(ftruncate(fd, TABLE_BYTES), 0);
	assert_int_equal(spaces__new(&s, scene->memory, fd, scene->objects), 0);
	assert_int_equal(spaces__publish(s, process(scene, ALICE), 5, T0), 0);
	assert_int_equal(
	    pread_full(fd, line, sizeof(line), unwind_process_line(ALICE) * sizeof(line)),
	    sizeof(line));
	assert_int_equal(line[0].tgid, ALICE);
	assert_int_equal(line[0].exec_id, 5);
	assert_int_equal(line[0].start, unwind_process_start(START_NS));
	assert_int_equal(head_of(line[0].space)->n_mappings, 3);
	spaces__free(s); /* with a process and a list */
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	fd = close_fd(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s = NULL;
	assert_true(spaces__new(&s, scene->memory, fd, scene->objects) < 0);
	assert_null(s);
}

/* In and out of order, again and again: places are found again, and nobody is mixed up. */
static void many_come_and_go(void **state)
{
	struct scene *scene = *state;

	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 100; i++)
			publish(scene, process(scene, ALICE + i), round);
		assert_int_equal(spaces__n_processes(scene->s), 100);
		for (uint32_t i = 0; i < 100; i++)
			if (i % 3)
				do_exit(scene, ALICE + i);
		sync_at(scene, T0 + (2 * round + 1) * NSEC_PER_SEC);
		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(space_of(ALICE + i, round) == 0, i % 3 != 0);
		assert_int_equal(spaces__n_lists(scene->s), 34);
		for (uint32_t i = 0; i < 100; i += 3)
			do_exit(scene, ALICE + i);
		sync_at(scene, T0 + (2 * round + 2) * NSEC_PER_SEC);
		assert_int_equal(spaces__n_lists(scene->s), 0);
	}
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(starts_empty),
	    in_scene(a_process_is_found_by_all_that_tells_it_apart),
	    in_scene(its_mappings_are_found),
	    in_scene(a_fork_shares_the_list),
	    in_scene(changed_mappings_are_a_new_list),
	    in_scene(a_failed_walk_is_not_tried_again_for_a_while),
	    in_scene(exec_ends_what_was_said),
	    in_scene(a_new_program_takes_the_place_of_the_old),
	    in_scene(what_has_ended_is_withdrawn),
	    in_scene(one_without_mappings_stays_unknown),
	    in_scene(a_full_line_of_the_hash_table),
	    in_scene(there_may_be_2048_mappings),
	    in_scene(without_room_it_stays_unknown),
	    in_scene(rebind_tells_of_tables),
	    in_scene(the_processes_lie_in_the_array),
	    in_scene(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
