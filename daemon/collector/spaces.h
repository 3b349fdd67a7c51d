/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the BPF walker which mappings a process has: writes the list of an address space into the
 * memory that it reads, and the process into its table of processes.
 *
 * Only processes that have been sampled are told of, when a sample of theirs could not be walked;
 * so the price of a host is that of what runs there. A list is shared by all processes that share
 * their mappings (struct mapset), and replaced as a whole when those change. One thread.
 */
#ifndef COLLECTOR_SPACES_H
#define COLLECTOR_SPACES_H

#include <stdint.h>

#include "daemon/collector/processes.h"
#include "daemon/collector/unwind_memory.h"
#include "daemon/collector/unwind_tables.h"

struct spaces;

/* Lists lie in MEMORY; processes in the BPF array at PROCESSES_FD, -1 = memory of our own. All are
 * borrowed. 0 or -errno. */
int spaces__new(struct spaces **ret, struct unwind_memory *memory, int processes_fd,
		struct objects *objects);
/* Takes NULL. Returns NULL. */
struct spaces *spaces__free(struct spaces *s);

/*
 * Tells the walker of P, which runs now and has executed EXEC_ID times. A process with more than
 * UNWIND_MAPPINGS_MAX mappings, or for which there is no room, stays unknown to it. 0 or -ENOMEM.
 */
int spaces__publish(struct spaces *s, const struct process *p, uint32_t exec_id, uint64_t now_ns);

/*
 * A walk in user space, by the mappings of P, has failed: for a while the walker need not ask for
 * it where its own, by the same ones, fails. Nothing where it does not know P by them.
 */
void spaces__give_up(struct spaces *s, const struct process *p);

/* Brings the lists up to date with the tables that came or went. */
void spaces__rebind(struct spaces *s);

/*
 * Takes back what was said of processes that have ended, and says anew what has changed of the
 * others. To be called after each batch of events. 0 or -ENOMEM.
 */
int spaces__sync(struct spaces *s, const struct processes *processes, uint64_t now_ns);

/* Processes that the walker knows, and lists. */
size_t spaces__n_processes(const struct spaces *s);
size_t spaces__n_lists(const struct spaces *s);

#endif
