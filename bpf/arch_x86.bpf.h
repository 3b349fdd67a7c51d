/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* x86-64: what the registers are called and what they say. Same names as the other arch_*.bpf.h. */
#ifndef ARCH_X86_BPF_H
#define ARCH_X86_BPF_H

#include <asm/ptrace.h>

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"

/* In user space glibc's headers give struct pt_regs the same names. */
typedef struct pt_regs arch_regs;

#define ARCH_REGS_IP(r) ((r)->rip)
/* The privilege level in the code segment selector (Intel SDM vol. 3A, 3.4.2): 3 is user mode. */
#define ARCH_REGS_USER(r) (((r)->cs & 3) == 3)
/* __USER32_CS of arch/x86/include/asm/segment.h: 32-bit code. */
#define ARCH_REGS_COMPAT(r) ((r)->cs == 0x23)

/* The child of clone (56) or clone3 (435) on its way out of the kernel: asm/unistd_64.h. */
#define ARCH_REGS_NEW_THREAD(r) ((r)->rax == 0 && ((r)->orig_rax == 56 || (r)->orig_rax == 435))

/* Addresses from here on are not user space (47 bits; 57 with la57 only for who asks for it). */
#define ARCH_USER_END (1ULL << 56)

/* Whether a call leaves the return address on the stack. */
#define ARCH_CALL_PUSHES 1

/* By DWARF numbers (psABI table 3.36). */
#define ARCH_FP 6
#define ARCH_SP 7
#define ARCH_N_REGS 16
#define ARCH_SAVED UNWIND_SAVED_X86_64
/* Registers that a callee keeps: rbx, rbp, r12 .. r15. */
#define ARCH_KEPT_MASK (1u << 3 | 1u << 6 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15)

/* Both the registers of an interrupt and those of a signal frame go by these names. */
#define ARCH_COPY_REGS(from, to)                                                                   \
	do {                                                                                       \
		(to)->ip = (from)->rip;                                                            \
		(to)->sp = (from)->rsp;                                                            \
		(to)->r[0] = (from)->rax;                                                          \
		(to)->r[1] = (from)->rdx;                                                          \
		(to)->r[2] = (from)->rcx;                                                          \
		(to)->r[3] = (from)->rbx;                                                          \
		(to)->r[4] = (from)->rsi;                                                          \
		(to)->r[5] = (from)->rdi;                                                          \
		(to)->r[6] = (from)->rbp;                                                          \
		(to)->r[7] = (from)->rsp;                                                          \
		(to)->r[8] = (from)->r8;                                                           \
		(to)->r[9] = (from)->r9;                                                           \
		(to)->r[10] = (from)->r10;                                                         \
		(to)->r[11] = (from)->r11;                                                         \
		(to)->r[12] = (from)->r12;                                                         \
		(to)->r[13] = (from)->r13;                                                         \
		(to)->r[14] = (from)->r14;                                                         \
		(to)->r[15] = (from)->r15;                                                         \
		(to)->valid = 0xffff;                                                              \
		(to)->unsure = 0;                                                                  \
		(to)->exact = 1;                                                                   \
	} while (0)

static inline void arch_regs_to_unwind(const arch_regs *from, struct unwind_regs *to)
{
	ARCH_COPY_REGS(from, to);
}

/*
 * struct rt_sigframe of arch/x86/include/asm/sigframe.h without the return address, which the
 * handler has taken: a ucontext, whose registers begin at byte 40 in the order of struct
 * sigcontext.
 */
struct arch_sigcontext {
	abi_u64 r8, r9, r10, r11, r12, r13, r14, r15;
	abi_u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
};
#define ARCH_SIGCONTEXT_OFF 40

static inline void arch_sigcontext_to_unwind(const struct arch_sigcontext *from,
					     struct unwind_regs *to)
{
	ARCH_COPY_REGS(from, to);
}

/* The bytes before a return address that arch_follows_call() looks at. */
#define ARCH_CALL_BYTES 8

/* FF /2, the indirect call, whose ModRM byte says how long it is (Intel SDM vol. 2, CALL). */
static inline bool arch_is_indirect_call(abi_u8 opcode, abi_u8 modrm)
{
	return opcode == 0xff && (modrm >> 3 & 7) == 2;
}

/* Whether BYTES, those before an address, end in a call of an address that is no constant. */
static inline bool arch_follows_indirect_call(const abi_u8 bytes[ARCH_CALL_BYTES])
{
	return arch_is_indirect_call(bytes[6], bytes[7]) ||
	       arch_is_indirect_call(bytes[5], bytes[6]) ||
	       arch_is_indirect_call(bytes[4], bytes[5]) ||
	       arch_is_indirect_call(bytes[2], bytes[3]) ||
	       arch_is_indirect_call(bytes[1], bytes[2]);
}

/* The same of any call. */
static inline bool arch_follows_call(const abi_u8 bytes[ARCH_CALL_BYTES])
{
	return bytes[3] == 0xe8 || arch_follows_indirect_call(bytes);
}

#endif
