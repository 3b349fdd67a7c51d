/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/answer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/strpool.h"
#include "base/text.h"
#include "base/util.h"
#include "daemon/ipc/frame.h"
#include "daemon/ipc/symbols.h"
#include "symbolizer/demangle.h"

static_assert(sizeof(struct msg_symbols) + 32 +
		      SYMBOLIZE_ADDRS_MAX * sizeof(struct msg_symbol_addr) +
		      LIMIT_FRAMES_MAX * sizeof(struct msg_symbol_frame) +
		      LIMIT_FUNCTIONS_MAX * sizeof(struct msg_symbol_function) +
		      LIMIT_STRING_BYTES_MAX <=
		  IPC_PAYLOAD_MAX,
	      "the largest answer fits into a message");
static_assert(TEXT_MAX <= SYMBOL_STRING_MAX,
	      "one string of a hostile file is not the whole answer");

struct answer {
	struct limits *limits; /* borrowed */
	bool raw_names;
	struct strpool strings;
	uint32_t *readable; /* of the string of that number: number of its readable form + 1 */
	size_t cap_readable;
	struct hash_key key;
	struct hindex function_index;
	struct answer_function *functions;
	size_t n_functions, cap_functions;
	struct msg_symbol_frame *frames;
	size_t n_frames, cap_frames;
	struct msg_symbol_addr *addrs;
	uint32_t n_addrs;
	uint32_t last_first, last_n; /* the frames added last */
};

DEFINE_CLEANUP(struct answer *, answer__free);

int answer__new(struct answer **ret, uint32_t n_addrs, bool raw_names, struct limits *limits)
{
	_cleanup_(answer__freep) struct answer *answer = calloc(1, sizeof(*answer));
	int r;

	if (!answer)
		return -ENOMEM;
	answer->limits = limits;
	answer->raw_names = raw_names;
	answer->key = hash_key_random();
	answer->n_addrs = n_addrs;
	answer->addrs = calloc((size_t)n_addrs + 1, sizeof(*answer->addrs));
	if (!answer->addrs)
		return -ENOMEM;
	r = strpool__init(&answer->strings);
	if (r < 0)
		return r;
	*ret = steal_ptr(answer);
	return 0;
}

struct answer *answer__free(struct answer *answer)
{
	if (!answer)
		return NULL;
	strpool__fini(&answer->strings);
	hindex__fini(&answer->function_index);
	free(answer->readable);
	free(answer->functions);
	free(answer->frames);
	free(answer->addrs);
	free(answer);
	return NULL;
}

bool answer__has_raw_names(const struct answer *answer)
{
	return answer->raw_names;
}

int answer__string(struct answer *answer, const char *s, size_t n, uint32_t *ret)
{
	char text[TEXT_MAX + 1];

	n = text_escape(text, sizeof(text), s, n);
	if (answer->strings.n_bytes + n + 1 > LIMIT_STRING_BYTES_MAX) {
		answer->limits->hits[LIMIT_ANSWER]++;
		*ret = 0;
		return 0;
	}
	return strpool__intern(&answer->strings, text, n, ret);
}

const char *answer__text(const struct answer *answer, uint32_t string)
{
	return strpool__get(&answer->strings, string);
}

/* Room in readable[] for the string SYSTEM_NAME, new entries zero. */
static int reserve_readable(struct answer *answer, uint32_t system_name)
{
	size_t cap = answer->cap_readable;
	int r = array_reserve(&answer->readable, &answer->cap_readable, (size_t)system_name + 1,
			      sizeof(*answer->readable));

	if (r == 0 && answer->cap_readable > cap)
		memset(answer->readable + cap, 0,
		       (answer->cap_readable - cap) * sizeof(*answer->readable));
	return r;
}

int answer__names(struct answer *answer, const char *linkage, size_t n, uint32_t *ret_system_name,
		  uint32_t *ret_name)
{
	char readable[DEMANGLE_OUT_MAX];
	uint32_t system_name, name;
	int r;

	r = answer__string(answer, linkage, n, &system_name);
	if (r == 0)
		r = reserve_readable(answer, system_name);
	if (r < 0)
		return r;
	if (answer->raw_names)
		answer->readable[system_name] = system_name + 1;
	if (!answer->readable[system_name]) {
		demangle(answer__text(answer, system_name), readable);
		r = answer__string(answer, readable, strlen(readable), &name);
		if (r < 0)
			return r;
		answer->readable[system_name] = name + 1;
	}
	*ret_system_name = system_name;
	*ret_name = answer->readable[system_name] - 1;
	return 0;
}

void answer__set_vaddr(struct answer *answer, uint32_t addr, uint64_t vaddr)
{
	assert(addr < answer->n_addrs);
	answer->addrs[addr].vaddr = vaddr;
}

void answer__set_function(struct answer *answer, uint32_t addr, uint64_t start)
{
	assert(addr < answer->n_addrs && !answer->addrs[addr].n_frames);
	answer->addrs[addr].vaddr = start;
	answer->addrs[addr].source = SYMBOL_SOURCE_FDE;
}

bool answer__is_named(const struct answer *answer, uint32_t addr)
{
	assert(addr < answer->n_addrs);
	return answer->addrs[addr].n_frames > 0;
}

/* The number of function F; UINT32_MAX when the answer is full. 0 or -ENOMEM. */
static int intern_function(struct answer *answer, const struct answer_function *f, uint32_t *ret)
{
	uint64_t hash = hash_bytes(&answer->key, f, sizeof(*f));
	struct hindex_iter it = hindex__find(&answer->function_index, hash);
	int r;

	while (hindex_iter__next(&it, ret))
		if (!memcmp(&answer->functions[*ret], f, sizeof(*f)))
			return 0;
	*ret = UINT32_MAX;
	if (answer->n_functions == LIMIT_FUNCTIONS_MAX)
		return 0;
	r = array_reserve(&answer->functions, &answer->cap_functions, answer->n_functions + 1,
			  sizeof(*f));
	if (r == 0)
		r = hindex__add(&answer->function_index, hash, (uint32_t)answer->n_functions);
	if (r < 0)
		return r;
	answer->functions[answer->n_functions] = *f;
	*ret = (uint32_t)answer->n_functions++;
	return 0;
}

/* Keeps the frames appended after the last ones only if they differ from those. */
static void share_frames(struct answer *answer, uint32_t first, uint32_t n, uint32_t *ret_first)
{
	*ret_first = first;
	if (n == answer->last_n &&
	    !memcmp(answer->frames + first, answer->frames + answer->last_first,
		    n * sizeof(*answer->frames))) {
		answer->n_frames = first;
		*ret_first = answer->last_first;
	}
	answer->last_first = *ret_first;
	answer->last_n = n;
}

int answer__set_frames(struct answer *answer, uint32_t addr, enum symbol_source source,
		       const struct answer_frame *frames, size_t n)
{
	uint32_t first = (uint32_t)answer->n_frames, function;
	struct msg_symbol_addr *a = &answer->addrs[addr];
	int r;

	assert(addr < answer->n_addrs && n > 0 && n <= LIMIT_DEPTH_MAX);
	if (answer->n_frames + n > LIMIT_FRAMES_MAX) {
		answer->limits->hits[LIMIT_ANSWER]++;
		return 0;
	}
	r = array_reserve(&answer->frames, &answer->cap_frames, answer->n_frames + n,
			  sizeof(*answer->frames));
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = intern_function(answer, &frames[i].function, &function);
		if (r < 0)
			return r;
		if (!frames[i].function.name || function == UINT32_MAX) {
			answer->limits->hits[LIMIT_ANSWER] += function == UINT32_MAX;
			return 0;
		}
		answer->frames[first + i] = (struct msg_symbol_frame){function, frames[i].line};
	}
	answer->n_frames = first + n;
	share_frames(answer, first, (uint32_t)n, &a->first_frame);
	a->n_frames = (uint16_t)n;
	a->source = (uint16_t)source;
	return 0;
}

static void put_functions(const struct answer *answer, struct msg_symbol_function *out)
{
	const uint32_t *offs = answer->strings.offs;

	for (size_t i = 0; i < answer->n_functions; i++) {
		const struct answer_function *f = &answer->functions[i];

		out[i] = (struct msg_symbol_function){
		    .name = offs[f->name],
		    .system_name = offs[f->system_name],
		    .filename = offs[f->filename],
		    .start_line = f->start_line,
		};
	}
}

int answer__encode(const struct answer *answer, bool debug_ignored, void **ret, size_t *ret_n)
{
	struct msg_symbols header = {
	    .n_addrs = answer->n_addrs,
	    .n_frames = (uint32_t)answer->n_frames,
	    .n_functions = (uint32_t)answer->n_functions,
	    .n_string_bytes = (uint32_t)answer->strings.n_bytes,
	    .debug_ignored = debug_ignored,
	    .cut = limits__any(answer->limits),
	};
	struct symbols_layout layout = symbols_layout(&header);
	char *payload = calloc(1, layout.end);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, &header, sizeof(header));
	if (answer->n_addrs)
		memcpy(payload + layout.addrs, answer->addrs,
		       answer->n_addrs * sizeof(*answer->addrs));
	if (answer->n_frames)
		memcpy(payload + layout.frames, answer->frames,
		       answer->n_frames * sizeof(*answer->frames));
	put_functions(answer, (void *)(payload + layout.functions));
	memcpy(payload + layout.strings, answer->strings.bytes, answer->strings.n_bytes);
	*ret = payload;
	*ret_n = layout.end;
	return 0;
}
