/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/line_program.h"

#include <dwarf.h>

#include "symbolizer/die.h"

struct run {
	const struct line_program *program;
	struct cursor c;
	/* What is asked for, and the first of it that is not below the last row. */
	const uint64_t *vaddrs;
	const uint32_t *queries;
	size_t n, next, n_left; /* those without a row */
	struct line_row *rows;
	struct limits *limits;
	/* The registers that we need. */
	uint64_t vaddr, file;
	uint32_t op_index, line;
	/* The last row of this sequence, and the last with a line. */
	bool has_row, is_dead;
	uint64_t row_vaddr;
	struct line_row row;
};

static uint64_t query_vaddr(const struct run *run, size_t i)
{
	return run->vaddrs[run->queries[i]];
}

/* The first query at or above VADDR. */
static size_t first_query(const struct run *run, uint64_t vaddr)
{
	size_t lo = 0, hi = run->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (query_vaddr(run, mid) < vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void start_sequence(struct run *run)
{
	run->vaddr = run->op_index = 0;
	run->file = run->line = 1;
	run->has_row = run->is_dead = false;
	run->row = (struct line_row){0};
}

/* The last row ends at the present address: gives it to the addresses in between that have none. */
static void end_row(struct run *run)
{
	if (run->vaddr < run->row_vaddr) {
		run->next = first_query(run, run->vaddr);
		return;
	}
	for (; run->next < run->n && query_vaddr(run, run->next) < run->vaddr; run->next++) {
		struct line_row *row = &run->rows[run->next];

		if (run->limits->matches_left == 0) {
			run->limits->hits[LIMIT_MATCHES]++;
			run->next = run->n;
			return;
		}
		run->limits->matches_left--;
		run->n_left -= !row->is_known;
		if (!row->is_known)
			*row = run->row;
	}
}

static void add_row(struct run *run)
{
	if (!run->has_row) {
		/* Where the linker put nothing. */
		run->is_dead = !range_is_live(run->vaddr, UINT64_MAX);
		run->next = first_query(run, run->vaddr);
	} else if (!run->is_dead) {
		end_row(run);
	}
	run->has_row = true;
	run->row_vaddr = run->vaddr;
	run->row.is_known = true;
	if (run->line || !run->row.line) {
		run->row.file = run->file;
		run->row.line = run->line;
	}
}

static void advance(struct run *run, uint64_t operations)
{
	const struct line_program *p = run->program;

	if (p->max_ops <= 1) {
		run->vaddr += operations * p->min_insn_bytes;
		return;
	}
	run->vaddr += p->min_insn_bytes * ((run->op_index + operations) / p->max_ops);
	run->op_index = (uint32_t)((run->op_index + operations) % p->max_ops);
}

static void run_special(struct run *run, uint8_t opcode)
{
	const struct line_program *p = run->program;
	unsigned adjusted = opcode - p->opcode_base;

	advance(run, adjusted / p->line_range);
	run->line += (uint32_t)(p->line_base + (int)(adjusted % p->line_range));
	add_row(run);
}

static void run_extended(struct run *run)
{
	struct cursor body = cursor__take(&run->c, cursor__uleb(&run->c));

	switch (cursor__u8(&body)) {
	case DW_LNE_end_sequence:
		if (run->has_row && !run->is_dead)
			end_row(run);
		start_sequence(run);
		break;
	case DW_LNE_set_address:
		run->vaddr = cursor__number(&body, cursor__left(&body) == 4 ? 4 : 8);
		run->op_index = 0;
		break;
	default:
		break; /* discriminators, files of old compilers, what vendors add */
	}
}

/* An opcode that only later standards know says how many numbers to pass over. */
static void skip_operands(struct run *run, uint8_t opcode)
{
	for (unsigned i = 0; i < run->program->n_operands[opcode]; i++)
		cursor__uleb(&run->c);
}

static void run_standard(struct run *run, uint8_t opcode)
{
	const struct line_program *p = run->program;

	switch (opcode) {
	case DW_LNS_copy:
		add_row(run);
		break;
	case DW_LNS_advance_pc:
		advance(run, cursor__uleb(&run->c));
		break;
	case DW_LNS_advance_line:
		run->line += (uint32_t)cursor__sleb(&run->c);
		break;
	case DW_LNS_set_file:
		run->file = cursor__uleb(&run->c);
		break;
	case DW_LNS_const_add_pc:
		advance(run, (255u - p->opcode_base) / p->line_range);
		break;
	case DW_LNS_fixed_advance_pc:
		run->vaddr += cursor__u16(&run->c);
		run->op_index = 0;
		break;
	default:
		skip_operands(run, opcode);
		break;
	}
}

void line_program_run(const struct line_program *program, const uint64_t *vaddrs,
		      const uint32_t *queries, size_t n, struct line_row *rows,
		      struct limits *limits)
{
	struct run run = {
	    .program = program,
	    .c = program->bytes,
	    .vaddrs = vaddrs,
	    .queries = queries,
	    .n = n,
	    .n_left = n,
	    .rows = rows,
	    .limits = limits,
	};

	if (!program->line_range || program->bytes.failed)
		return;
	start_sequence(&run);
	while (run.n_left && cursor__left(&run.c)) {
		uint8_t opcode = cursor__u8(&run.c);

		if (opcode >= program->opcode_base)
			run_special(&run, opcode);
		else if (opcode)
			run_standard(&run, opcode);
		else
			run_extended(&run);
	}
}
