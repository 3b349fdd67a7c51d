/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/pin.h"

#include "daemon/opener/opener.h"

void pin_object(struct objects *objects, const struct process *p, const struct mapping *m)
{
	struct object *o = m->object;
	struct opener_mapping wanted = {
	    .tgid = p->tgid,
	    .start_ns = p->start_ns,
	    .start = m->start,
	    .end = m->end,
	    .path = o->id.path,
	    .dev = o->id.dev,
	    .ino = o->id.ino,
	    .has_build_id = o->id.build_id.size > 0,
	};
	int fd;

	if (o->kind != OBJECT_FILE || o->open == OBJECT_OPEN ||
	    (o->open == OBJECT_ABSENT && o->absent_tgid == p->tgid))
		return;
	/* Without the file its frames have no names: said in the profile, and no reason to stop. */
	o->open = OBJECT_ABSENT;
	o->absent_tgid = p->tgid;
	if (objects__may_open(objects) && opener_open_mapping(&wanted, &fd) == OPENER_OK)
		objects__opened(objects, o, fd);
}
