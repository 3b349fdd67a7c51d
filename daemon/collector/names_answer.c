/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/names_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum name_source names_answer_source(const struct symbols_view *v, uint32_t i)
{
	static const enum name_source sources[SYMBOL_SOURCE_MAX] = {
	    [SYMBOL_SOURCE_NONE] = NAME_NONE,	  [SYMBOL_SOURCE_DWARF] = NAME_DWARF,
	    [SYMBOL_SOURCE_SYMTAB] = NAME_SYMTAB, [SYMBOL_SOURCE_GO] = NAME_GO,
	    [SYMBOL_SOURCE_JIT] = NAME_JIT,	  [SYMBOL_SOURCE_FDE] = NAME_FDE,
	};

	return sources[v->addrs[i].source];
}

int names_answer_chain(struct names *names, const struct symbols_view *v, uint32_t i, uint32_t *ret)
{
	const struct msg_symbol_addr *a = &v->addrs[i];
	cleanup_free struct names_line *lines = calloc(a->n_frames, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (uint32_t k = 0; k < a->n_frames; k++) {
		const struct msg_symbol_frame *f = &v->frames[a->first_frame + k];
		const struct msg_symbol_function *fn = &v->functions[f->function];
		int r =
		    names__function(names, v->strings + fn->name, v->strings + fn->system_name,
				    v->strings + fn->filename, fn->start_line, &lines[k].function);

		if (r < 0)
			return r;
		lines[k].line = f->line;
	}
	return names__chain(names, lines, a->n_frames, names_answer_source(v, i), ret);
}
