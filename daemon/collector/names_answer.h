/* SPDX-License-Identifier: Apache-2.0 */
/* Takes what the symbolizer has answered over into the names. */
#ifndef COLLECTOR_NAMES_ANSWER_H
#define COLLECTOR_NAMES_ANSWER_H

#include <stdint.h>

#include "daemon/collector/names.h"
#include "daemon/ipc/symbols.h"

/* One answer on its way into the names. */
struct names_answer {
	struct names *names;		 /* borrowed, not emptied meanwhile */
	const struct symbols_view *view; /* borrowed */
	uint32_t
	    *functions; /* owned: of each in view, its number in names + 1; 0 = not there yet */
};

/* 0 or -ENOMEM. */
int names_answer__init(struct names_answer *a, struct names *names,
		       const struct symbols_view *view);
void names_answer__fini(struct names_answer *a);

/* Where the name of address I comes from. */
enum name_source names_answer__source(const struct names_answer *a, uint32_t i);

/* Stores the frames of address I, which has some, as a chain. 0 or -ENOMEM. */
int names_answer__chain(struct names_answer *a, uint32_t i, uint32_t *ret);

#endif
