/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the walk finds the rule for an address: bpf/unwind_tables.bpf.h, and the rule cache in
 * front of it.
 */
#include "unwind_host.h"

/* ---- the rule cache -------------------------------------------------------------------------- */

static void the_cache(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	h->use_cache = true;
	make_chain(h, 100);
	walk_from(h, &regs);
	walked_chain(h, 0, 100, STACK_END_ROOT);
	assert_int_equal(h->walk.n_misses, 2); /* function 0, and the call in function 1 */
	assert_int_equal(h->walk.n_hits, 99);
	walk_from(h, &regs);
	walked_chain(h, 0, 100, STACK_END_ROOT);
	assert_int_equal(h->walk.n_misses, 0);
	/* What it holds counts, not what the tables have become, until the list is another. */
	host__rule(h, 1, ROOT);
	walk_from(h, &regs);
	walked_chain(h, 0, 100, STACK_END_ROOT);
	h->walk.generation = 8;
	walk_from(h, &regs);
	walked_chain(h, 0, 1, STACK_END_ROOT);
	assert_int_equal(h->walk.n_misses, 2);
	/* A space that is not known has no generation, and nothing is kept of it. */
	h->walk.generation = 0;
	walk_from(h, &regs);
	walked_chain(h, 0, 1, STACK_END_ROOT);
	assert_int_equal(h->walk.n_hits + h->walk.n_misses, 0);
	/* The second list's are still there. */
	h->walk.generation = 8;
	walk_from(h, &regs);
	assert_int_equal(h->walk.n_misses, 0);
}

/* Code without a rule is asked for each time, as its table may come. */
static void the_cache_keeps_no_failure(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	h->use_cache = true;
	regs.ip = CODE - 4096;
	walk_from(h, &regs);
	assert_int_equal(h->walk.end, STACK_END_NO_MAPPING);
	host__mappings(h)->start = CODE - 4096;
	host__mappings(h)->off = 0;
	host__rule(h, 0, ROOT);
	walk_from(h, &regs);
	assert_int_equal(h->walk.end, STACK_END_ROOT);
}

/* Two addresses that share a place take turns, and each gets its own rule. */
static void two_in_one_place_of_the_cache(void **state)
{
	struct host *h = *state;
	struct unwind_regs a = h->walk.regs, b = a;

	h->use_cache = true;
	for (b.ip = CODE + FUNCTION_BYTES; cache_place(b.ip, 7) != cache_place(a.ip, 7);)
		b.ip++;
	assert_in_range(b.ip, CODE + FUNCTION_BYTES, CODE + sizeof(h->code) - 1);
	host__rule(h, 0, ROOT);
	for (int i = 0; i < 3; i++) {
		walk_from(h, &a);
		assert_int_equal(h->walk.end, STACK_END_ROOT);
		assert_int_equal(h->walk.n_misses, 1);
		walk_from(h, &b);
		assert_int_equal(h->walk.end, STACK_END_NO_INFO);
		assert_int_equal(h->walk.n_misses, 1);
	}
}

/* ---- code ------------------------------------------------------------------------------------ */

/* Whoever knows more goes on: from the last frame in the list, with its registers. */
static void unknown_code_in_the_middle(void **state)
{
	struct host *h = *state;
	uint64_t unknown = 0x7f0000001234;

	host__rule(h, 0, CFA(RSP, 24, 1, .saved = {[SAVED_RBP] = 2, [SAVED_RBX] = 3}));
	h->stack[0] = 33;
	h->stack[1] = 66;
	h->stack[2] = unknown;
	host__mapping(h, &(struct unwind_mapping){.start = unknown & ~0xfffull,
						  .end = (unknown | 0xfff) + 1,
						  .code = UNWIND_CODE_UNKNOWN});
	walk(h);
	walked(h, STACK_END_UNKNOWN, unknown);
	assert_int_equal(h->walk.regs.ip, unknown);
	assert_int_equal(h->walk.regs.sp, stack_addr(3));
	assert_int_equal(h->walk.regs.r[RSP], stack_addr(3));
	assert_int_equal(h->walk.regs.r[RBP], 66);
	assert_int_equal(h->walk.regs.r[RBX], 33);
	assert_int_equal(h->walk.regs.exact, 0);
}

static void kinds_of_code(void **state)
{
	static const struct {
		enum unwind_code code;
		enum stack_end end;
	} cases[] = {
	    {UNWIND_CODE_UNKNOWN, STACK_END_UNKNOWN},
	    {UNWIND_CODE_NONE, STACK_END_NO_INFO},
	    {UNWIND_CODE_FRAME, STACK_END_NO_INFO}, /* rbp is 0 */
	    {UNWIND_CODE_TABLE, STACK_END_NO_INFO},
	};
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		host__mappings(h)->code = cases[i].code;
		walk_from(h, &regs);
		walked_nowhere(h, cases[i].end);
	}
	/* A process that is not known. */
	h->walk.space = 0;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_UNKNOWN);
}

/*
 * JIT code without a frame pointer: the nearest word that an indirect call may have left is it,
 * also where the table of that file is not made yet, and not one of its callers.
 */
static void words_that_are_looked_at(void **state)
{
	enum { LATE = 0x600000, JIT = 0x800000 };
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;
	struct unwind_mapping *code = host__mappings(h);
	const uint64_t found[] = {JIT + 4, ret_addr(2)};

	host__mapping(h, &(struct unwind_mapping){.start = LATE, .end = LATE + 4096});
	host__mapping(h, &(struct unwind_mapping){
			     .start = JIT, .end = JIT + 4096, .code = UNWIND_CODE_FRAME});
	regs.ip = JIT + 4;
	host__rule(h, 2, ROOT);
	memcpy(&h->code[ret_addr(2) - CODE - 2], "\xff\xd0", 2); /* call *%rax */
	h->stack[0] = ret_addr(1);				 /* a direct call */
	h->stack[1] = ret_addr(2);
	walk_from(h, &regs);
	walked_list(h, STACK_END_ROOT, found, 2);
	code->code = UNWIND_CODE_UNKNOWN;
	walk_from(h, &regs);
	walked_list(h, STACK_END_UNKNOWN, found, 1);
	assert_memory_equal(&h->walk.regs, &regs, sizeof(regs));
	/* Nor where the code cannot be read: once there is a table, it is passed over. */
	code->code = UNWIND_CODE_TABLE;
	h->stack[0] = LATE + 5;
	walk_from(h, &regs);
	walked_list(h, STACK_END_UNKNOWN, found, 1);
	code[1].code = UNWIND_CODE_TABLE;
	walk_from(h, &regs);
	walked_list(h, STACK_END_ROOT, found, 2);
}

/* ---- finding --------------------------------------------------------------------------------- */

static void find_the_space_of_a_process(void **state)
{
	struct host *h = *state;
	struct unwind_line *processes = calloc(UNWIND_PROCESS_LINES, sizeof(*processes));
	struct unwind_process *p = (void *)&processes[unwind_process_line(4711)];

	assert_non_null(processes);
	native_memory = &h->memory;
	assert_int_equal(find_space(4711, 0, 0), 0); /* no such memory */
	h->memory.processes = processes;
	assert_int_equal(find_space(4711, 3, 5000), 0);
	for (uint32_t i = 0; i < UNWIND_PROCESSES_PER_LINE; i++)
		p[i] = (struct unwind_process){.tgid = 4711,
					       .exec_id = 3 + i / 2,
					       .start = unwind_process_start(5000 + i % 2 * 1000),
					       .space = 10 + i};
	/* Four of one number, of which one had another program and one began at another time. */
	assert_int_equal(find_space(4711, 3, 5000), 10);
	assert_int_equal(find_space(4711, 3, 6000), 11);
	assert_int_equal(find_space(4711, 4, 5000), 12);
	assert_int_equal(find_space(4711, 4, 6000), 13);
	assert_int_equal(find_space(4711, 5, 6000), 0);
	assert_int_equal(find_space(4711, 4, 7000), 0);
	assert_int_equal(find_space(4712, 3, 5000), 0);
	free(processes);
}

static void find_a_mapping_among_many(void **state)
{
	static const uint32_t counts[] = {
	    0, 1, 2, 3, 100, UNWIND_MAPPINGS_MAX - 1, UNWIND_MAPPINGS_MAX};
	struct host *h = *state;
	struct unwind_space_head *head = (void *)&h->lines[SPACE_LINE];
	struct unwind_search at;

	native_memory = &h->memory;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		head->n_mappings = 0;
		/* 16 bytes each, every other one right after the one before. */
		for (uint32_t i = 0; i < counts[c]; i++)
			host__mapping(h, &(struct unwind_mapping){
					     .start = CODE + 32 * i + 16 * (i % 2 == 0),
					     .end = CODE + 32 * i + 16 + 16 * (i % 2 == 0),
					     .off = i});
		for (uint64_t addr = CODE - 1; addr <= CODE + 32 * counts[c] + 1; addr++) {
			const struct unwind_mapping *m = find_mapping(&at, SPACE_LINE, addr);
			uint64_t i = (addr - CODE) / 32;
			bool in =
			    addr >= CODE && i < counts[c] && ((addr & 16) != 0) == (i % 2 == 0);

			assert_int_equal(m != NULL, in);
			if (m)
				assert_int_equal(m->off, i);
		}
	}
	assert_null(find_mapping(&at, SPACE_LINE, UINT64_MAX));
	assert_null(find_mapping(&at, SPACE_LINE, 0));
	assert_null(find_mapping(&at, HOST_LINES, CODE)); /* no such line */
	head->n_mappings = UINT32_MAX;			  /* nor those of the mappings */
	h->memory.n_lines = SPACE_LINE + 1;
	assert_null(find_mapping(&at, SPACE_LINE, CODE));
}

/* Against a search from the first row on: random tables, and every place where something
 * changes. */
static void find_a_row(void **state)
{
	static struct unwind_rule rules[4096];
	static uint64_t offs[4096];
	struct host *h = *state;
	struct unwind_search at;

	srand(4);
	native_memory = &h->memory;
	for (int round = 0; round < 60; round++) {
		uint32_t shift = UNWIND_SHIFT_MIN + (uint32_t)round % 5, n = 1, row, expected;
		uint64_t start = (uint64_t)(rand() % 3) << 16, end;
		unsigned gap = 1u << rand() % 12;

		offs[0] = start;
		while (n < 4096 && offs[n - 1] - start < 300000) {
			offs[n] = offs[n - 1] + 1 + (uint64_t)rand() % gap;
			/* Some right at the border of a bucket. */
			if (rand() % 8 == 0)
				offs[n] = (offs[n] + (1u << shift) - 1) >> shift << shift;
			n++;
		}
		end = offs[n - 1] + (uint64_t)rand() % 3000 + 1;
		host__table(h, TABLE_LINE, offs, rules, n, start, end, shift);
		for (uint32_t i = 0; i < 6000; i++) {
			uint64_t off = i < 3 * n ? offs[i / 3] + i % 3 - 1
						 : start + (uint64_t)rand() % (end - start);
			const struct unwind_table_head *table = (const void *)&h->lines[TABLE_LINE];

			if (off < start || off >= end)
				continue;
			for (expected = 0; expected + 1 < n && offs[expected + 1] <= off;)
				expected++;
			assert_true(find_row(&at, table, TABLE_LINE, off, &row));
			assert_int_equal(row, expected);
		}
		/* Outside of the table. */
		if (start)
			assert_false(find_row(&at, (const void *)&h->lines[TABLE_LINE], TABLE_LINE,
					      start - 1, &row));
		assert_false(find_row(&at, (const void *)&h->lines[TABLE_LINE], TABLE_LINE,
				      ((end - 1) >> shift << shift) + (1u << shift), &row));
		assert_false(find_row(&at, (const void *)&h->lines[TABLE_LINE], TABLE_LINE,
				      UINT64_MAX, &row));
	}
}

/* What a torn read may give: lines beyond the memory are read as zeros or not at all. */
static void tables_that_lead_out_of_the_memory(void **state)
{
	struct host *h = *state;
	struct unwind_regs regs = h->walk.regs;
	struct unwind_table_head *head = (void *)&h->lines[TABLE_LINE], good = *head;
	uint32_t *const fields[] = {&head->dir_line, &head->row_line, &head->rule_line,
				    &head->shift, &head->n_buckets};
	static const uint32_t bad[] = {HOST_LINES, UINT32_MAX, 0x80000000, 0};

	host__rule(h, 0, ROOT);
	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			*fields[f] = bad[i];
			walk_from(h, &regs);
			assert_int_equal(h->walk.n, 1);
			*head = good;
		}
	}
	/* A row whose rule there is none of. */
	h->lines[TABLE_LINE + head->row_line].w[0] = unwind_row(0, 0xffff);
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_NO_INFO);
	/* No such table. */
	host__mappings(h)->table = HOST_LINES;
	walk_from(h, &regs);
	walked_nowhere(h, STACK_END_NO_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_host(the_cache),
	    in_host(the_cache_keeps_no_failure),
	    in_host(two_in_one_place_of_the_cache),
	    in_host(unknown_code_in_the_middle),
	    in_host(kinds_of_code),
	    in_host(words_that_are_looked_at),
	    in_host(find_the_space_of_a_process),
	    in_host(find_a_mapping_among_many),
	    in_host(find_a_row),
	    in_host(tables_that_lead_out_of_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
