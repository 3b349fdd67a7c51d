/* SPDX-License-Identifier: Apache-2.0 */
/* cprofd's walk of a stopped thread: the source that runs in the kernel, compiled natively. */
#ifndef TRUTH_OURS_H
#define TRUTH_OURS_H

#include "tests/truth/space.h"
#include "tests/truth/walk.h"

/* Walks the thread of STOP. With a file name in RECORD, leaves there what tests/bpf replays. */
void ours_walk(const struct spaces *spaces, const struct space *space, const struct stop *stop,
	       struct walk *ret);

/* The rule for the code at PC, in short words, such as "REG rbp+16 guessed". */
void ours_rule_text(const struct spaces *spaces, const struct space *space, uint64_t pc, char *ret,
		    size_t n);

/*
 * Writes STOP in the form that tests/bpf/test_unwind.c replays: registers, the rules that the walk
 * uses, the memory that it reads, and the frames of EXPECTED. 0 or -errno.
 */
int ours_record(const struct spaces *spaces, const struct space *space, const struct stop *stop,
		const struct walk *expected, const char *path, const char *recipe);

#endif
