/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the symbolizer gives up before it reads the first byte that somebody else wrote.
 *
 * Afterwards whoever takes the process over, by a file that its parsers get wrong, holds the socket
 * of its questions and the files of the question at hand, and nothing else: no path leads anywhere,
 * there is no other socket, program or process to be had, no memory becomes code, and no user's
 * rights are left. Of the kernel it can reach some twenty system calls. What is not on the list
 * fails with EPERM and does not kill: libraries differ in what they try, and a refused call tells
 * no more than a dead process.
 *
 * Needed: seccomp, no_new_privs, and as root the rights to become somebody else. A kernel without
 * Landlock (before 5.13) has one fence less, which is said. Built with AddressSanitizer, whose
 * runtime opens files and starts processes, there is no sandbox.
 */
#ifndef SYMBOLIZER_SANDBOX_H
#define SYMBOLIZER_SANDBOX_H

#include <stdbool.h>

/* "nobody": a process of no user's. Who does not start as root stays who he is. */
#define SANDBOX_UID 65534u

/*
 * All that it may take, in all its mappings. Most is sections that must be in memory as a whole:
 * LIMIT_INFLATED_BYTES_MAX and what these are inflated from, LIMIT_SYMBOL_TABLE_BYTES_MAX, a unit,
 * a line program and abbreviations.
 */
#define SANDBOX_MEMORY_BYTES_MAX (1ull << 30)

#define SANDBOX_STACK_BYTES_MAX (8ull << 20)

/*
 * What it writes are files in memory only: unwind tables, and .gnu_debugdata inflated. Neither is
 * larger than this, and nothing that it was given is open for writing.
 */
#define SANDBOX_FILE_BYTES_MAX (64ull << 20)

/* Three standard streams, the socket, a question's files, those in memory. */
#define SANDBOX_FDS_MAX 16

struct sandbox {
	bool is_entered; /* false in a build with AddressSanitizer */
	bool has_landlock;
	const char *step; /* which failed, where sandbox_enter() did; else NULL */
};

/*
 * Enters it for good. Closes all descriptors but the standard streams, which lead to /dev/null
 * afterwards, and SOCK. One thread only. 0 or -errno, after which the process must not go on.
 */
int sandbox_enter(int sock, struct sandbox *ret);

#endif
