/* SPDX-License-Identifier: Apache-2.0 */
/* Starting threads. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that runs RUN(CTX), with all signals blocked: those are for the main thread,
 * which polls for them. *RET is to be joined or detached. 0 or -errno. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *ctx);

#endif
