/* SPDX-License-Identifier: Apache-2.0 */
/* Takes what the symbolizer has answered over into the names. */
#ifndef COLLECTOR_NAMES_ANSWER_H
#define COLLECTOR_NAMES_ANSWER_H

#include <stdint.h>

#include "daemon/collector/names.h"
#include "daemon/ipc/symbols.h"

/* Where the name of address I of V comes from. */
enum name_source names_answer_source(const struct symbols_view *v, uint32_t i);

/* Stores the frames of address I of V, which has some, as a chain. 0 or -ENOMEM. */
int names_answer_chain(struct names *names, const struct symbols_view *v, uint32_t i,
		       uint32_t *ret);

#endif
