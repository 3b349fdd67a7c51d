/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line programs: seven bytes are the head, the rest is the program. Whatever it does, the work is
 * bounded by its length and by the limit of matches, and no row is of an address outside of it.
 */
#include <assert.h>
#include <string.h>

#include "symbolizer/line_program.h"

#define N_QUERIES 32
#define HEAD_BYTES 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_row rows[N_QUERIES] = {0};
	struct line_program program = {0};
	uint32_t queries[N_QUERIES];
	uint64_t vaddrs[N_QUERIES];
	struct limits limits;

	if (size < HEAD_BYTES)
		return 0;
	limits__init(&limits, N_QUERIES);
	program.min_insn_bytes = data[0];
	program.max_ops = data[1];
	program.line_base = (int8_t)data[2];
	program.line_range = data[3];
	program.opcode_base = data[4];
	program.address_size = data[5] & 1 ? 4 : 8;
	memset(program.n_operands, data[6], sizeof(program.n_operands));
	cursor__init(&program.bytes, data + HEAD_BYTES, size - HEAD_BYTES);
	for (uint32_t i = 0; i < N_QUERIES; i++) {
		queries[i] = i;
		vaddrs[i] = i < N_QUERIES / 2 ? 0x1000 + i * 3 : UINT64_MAX - N_QUERIES + i;
	}
	line_program_run(&program, vaddrs, queries, N_QUERIES, rows, &limits);
	for (uint32_t i = 0; i < N_QUERIES; i++)
		assert(rows[i].is_known || (!rows[i].line && !rows[i].file));
	return 0;
}
