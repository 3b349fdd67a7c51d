/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to unwind Go code on x86-64, from the table of functions that the Go runtime itself unwinds
 * with, and from the few instructions that this table does not tell about.
 *
 * Go's own .debug_frame is made from the same table and is worse: it knows nothing of functions
 * that change to another stack, of the runtime's signal handling, or of the saved frame pointer. A
 * caller that has both should leave out .debug_frame, which would otherwise come first.
 */
#ifndef SYMBOLIZER_GO_FRAMES_H
#define SYMBOLIZER_GO_FRAMES_H

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_table.h"

enum go_frames_result {
	GO_FRAMES_READ,
	GO_FRAMES_NONE,	  /* no Go program, of Go before 1.16, or not for x86-64 */
	GO_FRAMES_BROKEN, /* the table contradicts itself: nothing was added */
};

/*
 * Adds the functions of FILE to T, as UNWIND_SOURCE_GO. Functions that cannot be read, and those
 * over a limit, are counted in T's statistics. An enum go_frames_result, -ENOMEM, or -errno of
 * reading the file.
 */
int go_frames_read(const struct elf_file *file, struct unwind_table *t);

#endif
