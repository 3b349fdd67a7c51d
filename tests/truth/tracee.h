/* SPDX-License-Identifier: Apache-2.0 */
/* Stops threads of other processes with ptrace, and steps them. */
#ifndef TRUTH_TRACEE_H
#define TRUTH_TRACEE_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/truth/walk.h"

struct tracee {
	pid_t tid;
	int signal; /* to be delivered when it goes on */
};

/* Each returns false where the thread is gone; then there is nothing to detach from. */
bool tracee__attach(struct tracee *t, pid_t tid);
/* Runs N instructions, fewer where the thread waits. */
bool tracee__step(struct tracee *t, unsigned n);
bool tracee__regs(const struct tracee *t, struct stop *ret);
void tracee__detach(struct tracee *t);

/* A random thread among the descendants of ROOT whose program is called COMM (in /proc/PID/comm;
 * which is not ROOT itself): rather one that runs. False where there is none. */
bool tracee_choose(pid_t root, const char *comm, pid_t *ret_pid, pid_t *ret_tid);

/* Ends all descendants of ROOT. */
void tracee_kill_tree(pid_t root);

#endif
