/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads on in stacks of which a sample holds only a part, from the memory of the process itself.
 *
 * Only anonymous memory is read: a file may be one of a server that does not answer (FUSE), and
 * even a killed process waits for that. A process that changes its mappings between the look and
 * the read can still make it hang; so this is done in a thread of its own, whose questions are
 * then refused, and nothing else suffers.
 */
#ifndef COLLECTOR_STACK_READER_H
#define COLLECTOR_STACK_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is read at most: a thousand frames of 160 bytes, and a page to compare. */
#define STACK_READ_MAX (132u << 10)

/* Questions that may wait. */
#define STACK_READS_MAX 16

struct stack_reader;

struct stack_read {
	uint64_t id; /* the caller's, given back with the answer */
	uint32_t tgid;
	uint64_t start_ns; /* of the process, to tell it from another with its tgid */
	uint64_t addr;	   /* reads STACK_READ_MAX bytes from here on */
};

/* Starts the thread. 0 or -errno. */
int stack_reader__new(struct stack_reader **ret);
/* Takes NULL. Does not wait for a read that hangs. Returns NULL. */
struct stack_reader *stack_reader__free(struct stack_reader *r);

/* False where too many wait already. */
bool stack_reader__ask(struct stack_reader *r, const struct stack_read *read);

/*
 * An answer that has come, in any order: *RET_ID, and *RET_BYTES (the caller's to free) with what
 * there is up to the first page that is not mapped, of *RET_N bytes; NULL where nothing could be
 * read. False where none has come.
 */
bool stack_reader__take(struct stack_reader *r, uint64_t *ret_id, void **ret_bytes, size_t *ret_n);

#endif
