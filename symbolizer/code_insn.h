/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One x86-64 instruction at a time: its operands, and where the code goes on after it.
 *
 * A thin layer over Zydis, so that the rest of the flow analysis speaks of registers by their DWARF
 * numbers and of jumps by their targets. Knows nothing about stacks. Any bytes may be given.
 */
#ifndef SYMBOLIZER_CODE_INSN_H
#define SYMBOLIZER_CODE_INSN_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DWARF's numbers (System V x86-64 psABI, table 3.36). */
enum code_reg {
	CODE_RAX,
	CODE_RDX,
	CODE_RCX,
	CODE_RBX,
	CODE_RSI,
	CODE_RDI,
	CODE_RBP,
	CODE_RSP,
	CODE_R8,
	CODE_R11 = 11,
	CODE_R12,
	CODE_R13,
	CODE_R14,
	CODE_R15,
	CODE_N_REGS,
	CODE_NO_REG = 255
};

enum code_next {
	CODE_FALLS,    /* to the next instruction */
	CODE_CALLS,    /* and comes back */
	CODE_BRANCHES, /* to the target or the next instruction */
	CODE_JUMPS,    /* to the target */
	CODE_RETURNS,
	CODE_LEAVES, /* to a place that is not known here */
	CODE_TRAPS,  /* nowhere */
};

struct code_insn {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t n_ops;
	uint8_t length;
	uint8_t next;	 /* enum code_next */
	bool has_target; /* false for calls through registers and memory */
	uint32_t at;	 /* of the instruction, as the caller counts */
	int64_t target;	 /* in the same terms; may be anywhere */
};

void code_decoder__init(ZydisDecoder *decoder);

/* Decodes the instruction that starts at BYTES[AT] of N bytes. False where there is none. */
bool code_insn__decode(struct code_insn *insn, const ZydisDecoder *decoder, const uint8_t *bytes,
		       size_t n, uint32_t at);

/* The number of the general-purpose register that R is a part of, or CODE_NO_REG. */
enum code_reg code_reg_of(ZydisRegister r);

/* Whether the function at BYTES[AT] is one of the small ones, calling nobody, that leave the
 * register REG alone, though the ABI would have let them use it. Takes
 * one from *STEPS_LEFT for each instruction looked at; with none left it is not known. */
bool code_keeps_reg(const ZydisDecoder *decoder, const uint8_t *bytes, size_t n, uint32_t at,
		    enum code_reg reg, uint64_t *steps_left);

/* Finds "mov $15, %eax; syscall", where signal handlers return to, at or after *RET_AT. Its length,
 * or 0. */
size_t code_find_restorer(const uint8_t *bytes, size_t n, uint32_t *ret_at);

/* How many bytes of padding between functions begin at BYTES[AT]: NOPs, INT3s and zeros. */
size_t code_padding(const ZydisDecoder *decoder, const uint8_t *bytes, size_t n, size_t at);

#endif
