/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/names_answer.h"

#include <errno.h>
#include <stdlib.h>

int names_answer__init(struct names_answer *a, struct names *names, const struct symbols_view *view)
{
	uint32_t *functions = calloc(view->header->n_functions + 1, sizeof(*functions));

	if (!functions)
		return -ENOMEM;
	*a = (struct names_answer){.names = names, .view = view, .functions = functions};
	return 0;
}

void names_answer__fini(struct names_answer *a)
{
	free(a->functions);
	*a = (struct names_answer){0};
}

enum name_source names_answer__source(const struct names_answer *a, uint32_t i)
{
	static const enum name_source sources[SYMBOL_SOURCE_MAX] = {
	    [SYMBOL_SOURCE_NONE] = NAME_NONE,	  [SYMBOL_SOURCE_DWARF] = NAME_DWARF,
	    [SYMBOL_SOURCE_SYMTAB] = NAME_SYMTAB, [SYMBOL_SOURCE_GO] = NAME_GO,
	    [SYMBOL_SOURCE_JIT] = NAME_JIT,	  [SYMBOL_SOURCE_FDE] = NAME_FDE,
	};

	return sources[a->view->addrs[i].source];
}

static int function_of(struct names_answer *a, uint32_t i, uint32_t *ret)
{
	const struct msg_symbol_function *f = &a->view->functions[i];
	const char *strings = a->view->strings;
	int r;

	if (a->functions[i]) {
		*ret = a->functions[i] - 1;
		return 0;
	}
	r = names__function(a->names, strings + f->name, strings + f->system_name,
			    strings + f->filename, f->start_line, ret);
	if (r == 0)
		a->functions[i] = *ret + 1;
	return r;
}

int names_answer__chain(struct names_answer *a, uint32_t i, uint32_t *ret)
{
	const struct msg_symbol_addr *addr = &a->view->addrs[i];
	struct names_line lines[SYMBOL_CHAIN_MAX]; /* 2 KiB; a view has no longer ones */

	for (uint32_t k = 0; k < addr->n_frames; k++) {
		const struct msg_symbol_frame *f = &a->view->frames[addr->first_frame + k];
		int r = function_of(a, f->function, &lines[k].function);

		if (r < 0)
			return r;
		lines[k].line = f->line;
	}
	return names__chain(a->names, lines, addr->n_frames, names_answer__source(a, i), ret);
}
