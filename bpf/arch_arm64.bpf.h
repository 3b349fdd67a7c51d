/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* aarch64: what the registers are called and what they say. Same names as the other
 * arch_*.bpf.h. */
#ifndef ARCH_ARM64_BPF_H
#define ARCH_ARM64_BPF_H

#include <asm/ptrace.h>

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"

typedef struct user_pt_regs arch_regs;

#define ARCH_REGS_IP(r) ((r)->pc)
/* PSTATE.M (Arm ARM, C5.2.18): EL0 in AArch64 is 0, in AArch32 bit 4 is set. */
#define ARCH_REGS_USER(r) (((r)->pstate & 0xf) == 0)
#define ARCH_REGS_COMPAT(r) (((r)->pstate & 0x10) != 0)

/* The child of clone (220) or clone3 (435) on its way out of the kernel: asm-generic/unistd.h. */
#define ARCH_REGS_NEW_THREAD(r) ((r)->regs[0] == 0 && ((r)->regs[8] == 220 || (r)->regs[8] == 435))

/* Addresses from here on are not user space (52 bits at most). */
#define ARCH_USER_END (1ULL << 52)

/* Whether a call leaves the return address on the stack. */
#define ARCH_CALL_PUSHES 0

/* By DWARF numbers (AArch64 DWARF 4.1). */
#define ARCH_FP 29
#define ARCH_SP 31
#define ARCH_N_REGS 32
#define ARCH_SAVED UNWIND_SAVED_AARCH64
/* Registers that a callee keeps: x19 .. x29; x30 until it calls. */
#define ARCH_KEPT_MASK 0x7ff80000u

static inline void arch_regs_to_unwind(const arch_regs *from, struct unwind_regs *to)
{
	to->ip = from->pc;
	to->sp = from->sp;
	for (unsigned i = 0; i < 31; i++)
		to->r[i] = from->regs[i];
	to->r[ARCH_SP] = from->sp;
	to->valid = 0xffffffff;
	to->unsure = 0;
	to->exact = 1;
}

/*
 * struct rt_sigframe of arch/arm64/kernel/signal.c: a siginfo of 128 bytes, then a ucontext whose
 * struct sigcontext begins at its byte 176 with the fault address.
 */
struct arch_sigcontext {
	abi_u64 regs[31];
	abi_u64 sp, pc;
};
#define ARCH_SIGCONTEXT_OFF (128 + 176 + 8)

static inline void arch_sigcontext_to_unwind(const struct arch_sigcontext *from,
					     struct unwind_regs *to)
{
	to->ip = from->pc;
	to->sp = from->sp;
	for (unsigned i = 0; i < 31; i++)
		to->r[i] = from->regs[i];
	to->r[ARCH_SP] = from->sp;
	to->valid = 0xffffffff;
	to->unsure = 0;
	to->exact = 1;
}

/* The bytes before a return address that arch_follows_call() looks at. */
#define ARCH_CALL_BYTES 8

static inline abi_u32 arch_last_instruction(const abi_u8 bytes[ARCH_CALL_BYTES])
{
	return (abi_u32)bytes[4] | (abi_u32)bytes[5] << 8 | (abi_u32)bytes[6] << 16 |
	       (abi_u32)bytes[7] << 24;
}

/* Whether BYTES, those before an address, end in BLR or BLRA* (Arm ARM, C4.1.94). */
static inline bool arch_follows_indirect_call(const abi_u8 bytes[ARCH_CALL_BYTES])
{
	return (arch_last_instruction(bytes) & 0xfefff000) == 0xd63f0000;
}

/* The same, or in BL. */
static inline bool arch_follows_call(const abi_u8 bytes[ARCH_CALL_BYTES])
{
	return arch_last_instruction(bytes) >> 26 == 0x25 || arch_follows_indirect_call(bytes);
}

#endif
