/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the stack pointer through one of the Go runtime's assembler functions that set it in ways
 * that the table of stack depths cannot say: to another stack, or down to a multiple of 16.
 *
 * It reads the instructions in order, once, and carries what it knows along forward jumps. That is
 * enough for the functions there are (see go_switch.c), and bounded for any bytes. It keeps nothing
 * of the input.
 */
#ifndef SYMBOLIZER_GO_SWITCH_H
#define SYMBOLIZER_GO_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/gopclntab.h"

/* Where the caller's frame is found. */
enum go_switch_mode {
	GO_SWITCH_DEPTH,  /* by the table of depths; the stack is OFF bytes deeper than it says */
	GO_SWITCH_COPY,	  /* REG holds what rsp was when the stack was OFF bytes deep */
	GO_SWITCH_FRAME,  /* by the frame pointer */
	GO_SWITCH_RESUME, /* rsp is the caller's, and the address to go on at is in REG */
	GO_SWITCH_ROOT,	  /* there is no caller on this stack */
	GO_SWITCH_NONE,	  /* unknown */
};

struct go_switch_span {
	uint64_t from; /* up to the next span's, or the function's end */
	enum go_switch_mode mode;
	uint8_t reg; /* DWARF's number */
	int32_t off;
};

/* The longest, runtime.cgocallback, changes 6 times. */
#define GO_SWITCH_SPANS_MAX 32

/* What to make of a change to another stack that leaves no way back. */
enum go_switch_end {
	GO_SWITCH_END_UNKNOWN,
	GO_SWITCH_END_ROOT,   /* it never comes back: the new stack begins here */
	GO_SWITCH_END_RESUME, /* it goes on there, with what was interrupted there */
};

struct go_switch_function {
	uint64_t start;
	const unsigned char *code; /* of all of it */
	size_t n_bytes;
	const struct gopclntab_run *depths;
	size_t n_depths;
	uint64_t framed_from; /* the caller's rbp is saved from here on; UINT64_MAX = never */
	enum go_switch_end end;
};

/* Writes the spans to RET and returns their number: at least one, from the function's start. */
size_t go_switch_follow(const struct go_switch_function *f,
			struct go_switch_span ret[GO_SWITCH_SPANS_MAX]);

#endif
