/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/code_insn.h"

#include <string.h>

#include "base/util.h"

/* Instructions of the largest helper that is looked at whole. */
#define HELPER_INSNS_MAX 1024

/* Zydis has x86's order: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi. */
static const uint8_t dwarf_numbers[] = {CODE_RAX, CODE_RCX, CODE_RDX, CODE_RBX, CODE_RSP, CODE_RBP,
					CODE_RSI, CODE_RDI, 8,	      9,	10,	  11,
					12,	  13,	    14,	      15};

void code_decoder__init(ZydisDecoder *decoder)
{
	ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

enum code_reg code_reg_of(ZydisRegister r)
{
	unsigned id;

	if (r < ZYDIS_REGISTER_AL || r > ZYDIS_REGISTER_R15)
		return CODE_NO_REG;
	if (r >= ZYDIS_REGISTER_RAX)
		id = r - ZYDIS_REGISTER_RAX;
	else if (r >= ZYDIS_REGISTER_EAX)
		id = r - ZYDIS_REGISTER_EAX;
	else if (r >= ZYDIS_REGISTER_AX)
		id = r - ZYDIS_REGISTER_AX;
	else if (r >= ZYDIS_REGISTER_SPL) /* after al .. bl and ah .. bh */
		id = r - ZYDIS_REGISTER_SPL + 4;
	else
		id = (r - ZYDIS_REGISTER_AL) & 3;
	return dwarf_numbers[id];
}

static enum code_next classify(const ZydisDecodedInstruction *z)
{
	switch (z->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return CODE_CALLS;
	case ZYDIS_CATEGORY_RET:
		return CODE_RETURNS;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return CODE_JUMPS;
	case ZYDIS_CATEGORY_COND_BR:
		return CODE_BRANCHES;
	default:
		break;
	}
	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
		return CODE_TRAPS;
	default:
		return CODE_FALLS;
	}
}

bool code_insn__decode(struct code_insn *insn, const ZydisDecoder *decoder, const uint8_t *bytes,
		       size_t n, uint32_t at)
{
	ZydisDecoderContext context;

	if (at >= n ||
	    ZYAN_FAILED(
		ZydisDecoderDecodeInstruction(decoder, &context, bytes + at, n - at, &insn->z)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeOperands(decoder, &context, &insn->z, insn->ops,
						   insn->z.operand_count)))
		return false;
	insn->n_ops = insn->z.operand_count;
	insn->length = insn->z.length;
	insn->at = at;
	insn->next = (uint8_t)classify(&insn->z);
	insn->has_target = false;
	if (insn->next == CODE_FALLS || insn->next == CODE_RETURNS || insn->next == CODE_TRAPS)
		return true;
	if (insn->n_ops && insn->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    insn->ops[0].imm.is_relative) {
		insn->has_target = true;
		/* Wraps where the displacement is absurd; the caller checks the range. */
		insn->target = (int64_t)at + insn->length + insn->ops[0].imm.value.s;
	} else if (insn->next != CODE_CALLS) {
		insn->next = CODE_LEAVES;
	}
	return true;
}

/* In the order of addresses: helpers are short and end with their only return. */
bool code_keeps_reg(const ZydisDecoder *decoder, const uint8_t *bytes, size_t n, uint32_t at,
		    enum code_reg reg, uint64_t *steps_left)
{
	struct code_insn insn;

	for (unsigned i = 0; i < HELPER_INSNS_MAX && *steps_left; i++) {
		--*steps_left;
		if (!code_insn__decode(&insn, decoder, bytes, n, at))
			return false;
		for (unsigned k = 0; k < insn.n_ops; k++)
			if (insn.ops[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			    (insn.ops[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
			    code_reg_of(insn.ops[k].reg.value) == reg)
				return false;
		if (insn.next == CODE_RETURNS)
			return true;
		if (insn.next != CODE_FALLS && insn.next != CODE_BRANCHES)
			return false;
		at += insn.length;
	}
	return false;
}

size_t code_find_restorer(const uint8_t *bytes, size_t n, uint32_t *ret_at)
{
	static const struct {
		uint8_t bytes[9];
		uint8_t n;
	} restorers[] = {
	    {{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, 9},
	    {{0xb8, 15, 0, 0, 0, 0x0f, 0x05}, 7},
	};
	const uint8_t *from = bytes + MIN(*ret_at, n), *found = NULL;
	size_t n_found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(restorers); i++) {
		const uint8_t *at =
		    memmem(from, (size_t)(bytes + n - from), restorers[i].bytes, restorers[i].n);

		if (!at || (found && at > found))
			continue;
		found = at;
		n_found = restorers[i].n;
	}
	if (found)
		*ret_at = (uint32_t)(found - bytes);
	return n_found;
}

/* Zydis is asked last: most padding is one of a few bytes. */
size_t code_padding(const ZydisDecoder *decoder, const uint8_t *bytes, size_t n, size_t at)
{
	ZydisDecodedInstruction z;
	size_t pos = at;

	while (pos < n) {
		uint8_t b = bytes[pos];

		if (b == 0x90 || b == 0xcc || b == 0) {
			pos++;
			continue;
		}
		if (b != 0x66 && b != 0x0f && b != 0x2e && b != 0xf2 && b != 0xf3)
			break;
		if (ZYAN_FAILED(
			ZydisDecoderDecodeInstruction(decoder, NULL, bytes + pos, n - pos, &z)) ||
		    z.mnemonic != ZYDIS_MNEMONIC_NOP)
			break;
		pos += z.length;
	}
	return pos - at;
}
