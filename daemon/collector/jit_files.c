/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/jit_files.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "daemon/collector/pin.h"
#include "daemon/collector/processes.h"

/* Whether PATH ends in "/jit-NUMBER.dump". */
static bool is_jitdump(const char *path)
{
	const char *name = strrchr(path, '/');

	if (!name || strncmp(name, "/jit-", 5) || !isdigit((unsigned char)name[5]))
		return false;
	for (name += 5; isdigit((unsigned char)*name);)
		name++;
	return !strncmp(name, ".dump", 5) && object_path_length(name) == 5;
}

static void look_for_dump(struct jit_files *files, struct objects *objects, const struct process *p)
{
	for (size_t i = 0; i < p->maps->n && !files->dump; i++) {
		const struct mapping *m = p->maps->mappings[i];

		if (m->object->kind != OBJECT_FILE || !is_jitdump(m->object->id.path))
			continue;
		pin_object(objects, p, m);
		if (m->object->open != OBJECT_OPEN)
			continue;
		files->dump = m->object;
		objects__ref(files->dump);
	}
}

static void look_for_map(struct jit_files *files, struct objects *objects, uint32_t tgid,
			 uint64_t start_ns)
{
	cleanup_close int fd = -1;
	char path[64];
	/* Of this process alone: the number of an inode comes again. */
	struct object_id id = {.path = path, .ino_gen = start_ns};
	struct object *object;
	struct stat st;

	if (!objects__may_open(objects) ||
	    opener_open_perf_map(tgid, start_ns, &files->runtime, &fd) != OPENER_OK ||
	    fstat(fd, &st) < 0)
		return;
	snprintf(path, sizeof(path), "/perf-%" PRIu32 ".map", tgid);
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	if (objects__get(objects, &id, &object) < 0)
		return;
	if (object->open != OBJECT_OPEN)
		objects__opened(objects, object, steal_fd(&fd));
	files->map = object;
}

void jit_files__look(struct jit_files *files, struct objects *objects, const struct process *p,
		     uint64_t now_ns)
{
	if ((files->map && files->dump) ||
	    (files->tried_ns && now_ns < files->tried_ns + JIT_FILES_RETRY_NS))
		return;
	files->tried_ns = now_ns;
	if (!files->dump)
		look_for_dump(files, objects, p);
	if (!files->map)
		look_for_map(files, objects, p->tgid, p->start_ns);
}

void jit_files__look_again(struct jit_files *files, struct objects *objects, uint32_t tgid,
			   uint64_t start_ns)
{
	if (files->tried_ns && !files->map)
		look_for_map(files, objects, tgid, start_ns);
}

void jit_files__fini(struct jit_files *files, struct objects *objects)
{
	if (files->map)
		objects__unref(objects, files->map);
	if (files->dump)
		objects__unref(objects, files->dump);
	*files = (struct jit_files){0};
}
