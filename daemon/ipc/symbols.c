/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ipc/symbols.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint64_t align8(uint64_t off)
{
	return (off + 7) & ~7ull;
}

struct symbols_layout symbols_layout(const struct msg_symbols *h)
{
	struct symbols_layout l;

	l.addrs = align8(sizeof(*h));
	l.frames = align8(l.addrs + (uint64_t)h->n_addrs * sizeof(struct msg_symbol_addr));
	l.functions = align8(l.frames + (uint64_t)h->n_frames * sizeof(struct msg_symbol_frame));
	l.strings =
	    align8(l.functions + (uint64_t)h->n_functions * sizeof(struct msg_symbol_function));
	l.end = l.strings + h->n_string_bytes;
	return l;
}

static bool addrs_valid(const struct symbols_view *v)
{
	uint64_t n_all = 0;

	for (uint32_t i = 0; i < v->header->n_addrs; i++) {
		const struct msg_symbol_addr *a = &v->addrs[i];

		if ((uint64_t)a->first_frame + a->n_frames > v->header->n_frames)
			return false;
		n_all += a->n_frames;
		if (a->n_frames > SYMBOL_CHAIN_MAX || n_all > SYMBOL_CHAINS_MAX)
			return false;
		if (a->source >= SYMBOL_SOURCE_MAX)
			return false;
		if ((a->source == SYMBOL_SOURCE_NONE || a->source == SYMBOL_SOURCE_FDE) !=
		    (a->n_frames == 0))
			return false;
	}
	return true;
}

/* Whether a string begins at OFF, not inside of another, and is not too long. */
static bool string_valid(const struct symbols_view *v, uint32_t off)
{
	if (off >= v->header->n_string_bytes || (off && v->strings[off - 1]))
		return false;
	return strnlen(v->strings + off, SYMBOL_STRING_MAX + 1) <= SYMBOL_STRING_MAX;
}

static bool functions_valid(const struct symbols_view *v)
{
	for (uint32_t i = 0; i < v->header->n_functions; i++) {
		const struct msg_symbol_function *f = &v->functions[i];

		if (!string_valid(v, f->name) || !string_valid(v, f->system_name) ||
		    !string_valid(v, f->filename))
			return false;
	}
	return true;
}

int symbols_view__init(struct symbols_view *ret, const void *payload, size_t n, uint32_t n_addrs)
{
	const char *p = payload;
	struct symbols_view v = {.header = payload};
	struct symbols_layout l;

	if (n < sizeof(*v.header) || v.header->n_addrs != n_addrs)
		return -EBADMSG;
	l = symbols_layout(v.header);
	if (l.end != n || v.header->n_string_bytes == 0 || p[l.strings] || p[n - 1])
		return -EBADMSG;
	v.addrs = (const void *)(p + l.addrs);
	v.frames = (const void *)(p + l.frames);
	v.functions = (const void *)(p + l.functions);
	v.strings = p + l.strings;
	for (uint32_t i = 0; i < v.header->n_frames; i++)
		if (v.frames[i].function >= v.header->n_functions)
			return -EBADMSG;
	if (!addrs_valid(&v) || !functions_valid(&v))
		return -EBADMSG;
	*ret = v;
	return 0;
}
