/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* aarch64: what the registers are called and what they say. Same names as the other
 * arch_*.bpf.h. */
#ifndef ARCH_ARM64_BPF_H
#define ARCH_ARM64_BPF_H

#include <asm/ptrace.h>

#include "bpf/cprofd_abi.h"

typedef struct user_pt_regs arch_regs;

#define ARCH_REGS_IP(r) ((r)->pc)
#define ARCH_REGS_SP(r) ((r)->sp)
#define ARCH_REGS_FP(r) ((r)->regs[29])
/* PSTATE.M (Arm ARM, C5.2.18): EL0 in AArch64 is 0, in AArch32 bit 4 is set. */
#define ARCH_REGS_USER(r) (((r)->pstate & 0xf) == 0)
#define ARCH_REGS_COMPAT(r) (((r)->pstate & 0x10) != 0)

/* Addresses from here on are not user space (52 bits at most). */
#define ARCH_USER_END (1ULL << 52)

#endif
