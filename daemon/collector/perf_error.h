/* SPDX-License-Identifier: Apache-2.0 */
/* Says in one line why the kernel refused to sample, and what would help. */
#ifndef COLLECTOR_PERF_ERROR_H
#define COLLECTOR_PERF_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* STEP failed with ERROR (-errno). CYCLES: the hardware event was asked for. Writes to OUT. */
void perf_error_explain(char *out, size_t size, const char *step, int error, bool cycles);

#endif
