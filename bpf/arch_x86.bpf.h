/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* x86-64: what the registers are called and what they say. Same names as the other arch_*.bpf.h. */
#ifndef ARCH_X86_BPF_H
#define ARCH_X86_BPF_H

#include <asm/ptrace.h>

#include "bpf/cprofd_abi.h"

typedef struct pt_regs arch_regs;

#define ARCH_REGS_IP(r) ((r)->rip)
#define ARCH_REGS_SP(r) ((r)->rsp)
#define ARCH_REGS_FP(r) ((r)->rbp)
/* The privilege level in the code segment selector (Intel SDM vol. 3A, 3.4.2): 3 is user mode. */
#define ARCH_REGS_USER(r) (((r)->cs & 3) == 3)
/* __USER32_CS of arch/x86/include/asm/segment.h: 32-bit code. */
#define ARCH_REGS_COMPAT(r) ((r)->cs == 0x23)

/* Addresses from here on are not user space (47 bits; 57 with la57 only for who asks for it). */
#define ARCH_USER_END (1ULL << 56)

#endif
