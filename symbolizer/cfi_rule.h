/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What call frame information says about one place in the code, and its translation into an unwind
 * rule of bpf/cprofd_abi.h, which can say less.
 */
#ifndef SYMBOLIZER_CFI_RULE_H
#define SYMBOLIZER_CFI_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "symbolizer/cfi_expr.h"

enum cfi_reg_kind {
	CFI_REG_SAME,	   /* unchanged; of the stack pointer: the CFA */
	CFI_REG_UNDEFINED, /* cannot be known */
	CFI_REG_OFFSET,	   /* saved at CFA + off */
	CFI_REG_AT,	   /* saved at r[reg] + off */
	CFI_REG_REGISTER,  /* in r[reg] */
	CFI_REG_OTHER,	   /* something that no rule can say */
};

struct cfi_reg {
	uint8_t kind; /* enum cfi_reg_kind */
	uint8_t reg;
	int64_t off;
};

/* The registers that are followed: those of unwind_rule.saved, the return address where it is none
 * of these, and the stack pointer. */
enum { CFI_SLOT_RA = UNWIND_N_SAVED, CFI_SLOT_SP, CFI_SLOT_MAX };

struct cfi_state {
	struct cfi_value cfa;
	struct cfi_reg regs[CFI_SLOT_MAX];
};

/* What tells one CPU from another. Register numbers are DWARF's. */
struct cfi_abi {
	uint8_t saved[UNWIND_N_SAVED];
	uint8_t ra;	     /* the column of the return address … */
	uint8_t ra_slot;     /* … and where in cfi_state.regs it is */
	bool ra_is_register; /* a call leaves the return address there, not on the stack */
	uint8_t sp;
	uint8_t pc;		   /* what expressions read as the program counter */
	uint8_t n_regs;		   /* those whose values are known to the unwinder */
	struct cfi_state at_entry; /* what holds where a CIE says nothing */
};

/* NULL for a machine (EM_X86_64 …) that is not known. Static. */
const struct cfi_abi *cfi_abi_of(uint16_t machine);

/* Where in cfi_state.regs REG is, CFI_SLOT_MAX = nowhere. */
unsigned cfi_abi__slot(const struct cfi_abi *abi, uint64_t reg);

/*
 * STATE as a rule: UNWIND_CFA_NONE where the caller cannot be found by one; registers that cannot
 * are UNWIND_SAVED_LOST. IS_SIGNAL: the frame is marked as one that a signal handler returns to.
 */
struct unwind_rule cfi_state__rule(const struct cfi_state *state, const struct cfi_abi *abi,
				   bool is_signal);

#endif
