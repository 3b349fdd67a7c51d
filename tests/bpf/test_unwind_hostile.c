/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks by tables that say anything: whatever unwind_table_valid() lets through leads nowhere but
 * into the table itself, and a walk by it ends.
 *
 * The tables are good ones with fields changed at random; the memory ends where the table does.
 */
#include "unwind_host.h"

#include "base/util.h"
#include "daemon/collector/table_builder.h"
#include "tests/unit/valid_table.h"

#define ROUNDS 200000
#define FIRST_LINE 3 /* of the table: after the list of mappings */

static uint64_t random_u64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 2685821657736338717u;
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
	return random_u64(state) % n;
}

/* A number of those that are near some limit more often than others. */
static uint32_t odd_u32(uint64_t *state)
{
	uint32_t bit = 1u << random_below(state, 32), n = (uint32_t)random_u64(state);
	const uint32_t all[] = {0, 1, bit, bit - 1, ~bit, n, n & 0xff, n & 0xffff};

	return all[random_below(state, ARRAY_SIZE(all))];
}

/* What the head, the directory, the rows or the rules say, changed in up to three places. */
static void spoil(struct made_table *t, uint64_t *state)
{
	uint64_t n = random_below(state, 4);

	/* All of the rules, in half of the tables: these may say almost anything. */
	for (uint32_t i = 0; i < 3 && random_u64(state) & 1; i++) {
		struct unwind_rule *rule = &made_rules(t)[i];
		uint32_t words[4];

		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			words[k] = odd_u32(state);
		memcpy(rule, words, sizeof(*rule));
		rule->cfa %= UNWIND_CFA_MAX;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint32_t line = (uint32_t)random_below(state, t->n_lines);

		t->lines[line].w[random_below(state, UNWIND_LINE_WORDS)] = odd_u32(state);
	}
}

/* Walks from file offset OFF by the table at LINES, which has just N_LINES. */
static void walk_at(struct host *h, const struct unwind_line *lines, uint32_t n_lines, uint64_t off)
{
	struct unwind_line *all = calloc(FIRST_LINE + n_lines, sizeof(*all));
	struct unwind_space_head *head = (void *)&all[1];
	struct unwind_search search;
	uint32_t row;
	struct unwind_regs regs = {.ip = CODE + off, .sp = STACK, .valid = 0xffff, .exact = 1};

	assert_non_null(all);
	head->n_mappings = 1;
	*(struct unwind_mapping *)&all[2] = (struct unwind_mapping){
	    .start = CODE, .end = CODE + (1 << 20), .code = UNWIND_CODE_TABLE, .table = FIRST_LINE};
	memcpy(all + FIRST_LINE, lines, n_lines * sizeof(*lines));
	h->memory.lines = all;
	h->memory.n_lines = UINT32_MAX; /* so that a sanitizer sees what is beyond */
	h->walk.space = 1;
	for (size_t i = 0; i < ARCH_N_REGS; i++)
		regs.r[i] = STACK + 64 * i;
	regs.r[ARCH_SP] = STACK;
	walk_from(h, &regs);
	assert_true(h->walk.end != STACK_END_NOT && h->walk.end < STACK_END_MAX);
	assert_true(h->walk.n <= USER_FRAMES_MAX);
	assert_int_equal(h->frames[h->walk.n], UNTOUCHED);
	/* The row that holds, if any does, is one that there is. */
	assert_true(!find_row(&search, (const void *)(all + FIRST_LINE), FIRST_LINE, off, &row) ||
		    row < ((const struct unwind_table_head *)lines)->n_rows);
	free(all);
}

static void whatever_is_valid_leads_into_the_table(void **state)
{
	struct host *h = *state;
	uint64_t random = 88172645463325252u;
	unsigned n_valid = 0;

	for (size_t i = 0; i < STACK_WORDS; i++)
		h->stack[i] = i % 3 ? CODE + 0x20000 + 8 * (i % 4096) : STACK + 8 * (i + i % 7);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct made_table t = made_table_example();
		uint64_t off;

		spoil(&t, &random);
		if (!unwind_table_valid(t.lines, t.n_lines))
			continue;
		n_valid++;
		off = made_head(&t)->start + random_below(&random, 5 << MADE_TABLE_SHIFT);
		walk_at(h, t.lines, t.n_lines, off);
	}
	assert_true(n_valid > ROUNDS / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_host(whatever_is_valid_leads_into_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
