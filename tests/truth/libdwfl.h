/* SPDX-License-Identifier: Apache-2.0 */
/* elfutils' walk of a stopped thread, by the call frame information of the mapped files alone. */
#ifndef TRUTH_LIBDWFL_H
#define TRUTH_LIBDWFL_H

#include "tests/truth/walk.h"

struct libdwfl;

/* Of the process PID, whose thread looked at is stopped by ptrace. NULL where that cannot be. */
struct libdwfl *libdwfl__new(pid_t pid);
/* Takes NULL. Returns NULL. */
struct libdwfl *libdwfl__free(struct libdwfl *l);

void libdwfl__walk(struct libdwfl *l, pid_t tid, struct walk *ret);

/* Whether the mapped files have call frame information for the code at PC. */
bool libdwfl__has_cfi(struct libdwfl *l, uint64_t pc);

#endif
