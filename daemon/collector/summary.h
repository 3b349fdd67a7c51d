/* SPDX-License-Identifier: Apache-2.0 */
/* What a one-shot run says at its end, on stderr. */
#ifndef COLLECTOR_SUMMARY_H
#define COLLECTOR_SUMMARY_H

#include <stdbool.h>

#include "daemon/collector/finisher.h"

/* Prints files, samples, lost, duration, share of whole stacks, hottest functions, and the
 * command to look further. TO_STDOUT: the profile went there, so there is no file to name. */
void summary_print(const struct report *r, bool folded, bool to_stdout);

#endif
