/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the files that are sampled while the processes that map them are likely to live. */
#ifndef COLLECTOR_PIN_H
#define COLLECTOR_PIN_H

#include "daemon/collector/mapset.h"
#include "daemon/collector/processes.h"

/* Opens the file of M, a mapping of P, through the opener, unless it is open already or has been
 * tried through P in vain. What came of it stands in the object. */
void pin_object(struct objects *objects, const struct process *p, const struct mapping *m);

#endif
