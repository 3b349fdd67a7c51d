/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the programs of call frame information (DWARF 5, section 6.4.2): how the rules for getting
 * to the caller change from one instruction of a function to the next.
 *
 * The programs are untrusted. Each runs in time linear in its bytes, since expressions are turned
 * into symbols where they are set, not where they are used.
 */
#ifndef SYMBOLIZER_CFI_PROGRAM_H
#define SYMBOLIZER_CFI_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/cfi_pointer.h"
#include "symbolizer/cfi_rule.h"
#include "symbolizer/cursor.h"
#include "symbolizer/unwind_table.h"

/* Compilers nest one level, around an epilogue in the middle. */
#define CFI_REMEMBER_MAX 64

/* What functions have in common: the part of a CIE that their programs need. */
struct cfi_common {
	struct cfi_state initial;
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;     /* of addresses */
	uint8_t address_size; /* 4 or 8 */
	bool is_signal;	      /* 'S': the frame that a signal handler returns to */
};

enum cfi_result {
	CFI_OK,
	CFI_BAD, /* the program makes no sense */
};

/* Of a run; the caller's, since it is too large to be cleared each time. */
struct cfi_scratch {
	struct cfi_state remembered[CFI_REMEMBER_MAX];
};

/* Runs PROGRAM, shared by the functions of COMMON, and sets common->initial. CFI_OK or CFI_BAD. */
int cfi_program_run_common(const struct cfi_abi *abi, struct cfi_common *common,
			   struct cursor program, struct cfi_scratch *scratch);

/* The part of an FDE that its program needs. */
struct cfi_function {
	const struct cfi_common *common;
	struct cfi_bases bases; /* of the addresses in the program */
	struct cursor program;
	uint64_t start, end;
};

/*
 * Runs the program of FUNCTION and adds its rows to the function that was begun last in T. CFI_OK;
 * CFI_BAD, some rows may have been added then; -ENOMEM.
 */
int cfi_program_run(const struct cfi_abi *abi, const struct cfi_function *function,
		    struct unwind_table *t, struct cfi_scratch *scratch);

#endif
