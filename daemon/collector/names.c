/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"

int names__new(struct names **ret)
{
	struct names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	r = strpool__init(&names->strings);
	if (r < 0) {
		free(names);
		return r;
	}
	*ret = names;
	return 0;
}

static void fini(struct names *names)
{
	strpool__fini(&names->strings);
	free(names->functions);
	free(names->lines);
	free(names->chains);
	free(names->addresses);
	hindex__fini(&names->function_index);
	hindex__fini(&names->address_index);
	*names = (struct names){0};
}

struct names *names__free(struct names *names)
{
	if (names)
		fini(names);
	free(names);
	return NULL;
}

static size_t bytes_used(const struct names *names)
{
	return names->strings.n_bytes + names->n_functions * sizeof(*names->functions) +
	       names->n_lines * sizeof(*names->lines) + names->n_chains * sizeof(*names->chains) +
	       names->n_addresses * sizeof(*names->addresses) +
	       (names->function_index.n_slots + names->address_index.n_slots +
		names->strings.index.n_slots) *
		   sizeof(struct hindex_slot);
}

int names__trim(struct names *names)
{
	if (bytes_used(names) <= NAMES_BYTES_MAX)
		return 0;
	fini(names);
	return strpool__init(&names->strings);
}

static uint64_t function_hash(const struct names_function *f)
{
	return hash_mix((uint64_t)f->name << 32 | f->system_name,
			(uint64_t)f->filename << 32 | f->start_line);
}

static bool same_function(const struct names_function *a, const struct names_function *b)
{
	return a->name == b->name && a->system_name == b->system_name &&
	       a->filename == b->filename && a->start_line == b->start_line;
}

int names__function(struct names *names, const char *name, const char *system_name,
		    const char *filename, uint32_t start_line, uint32_t *ret)
{
	struct names_function f = {.start_line = start_line, .plain = NAMES_NONE};
	struct hindex_iter it;
	uint64_t hash;
	int r;

	r = strpool__intern(&names->strings, name, strlen(name), &f.name);
	if (r == 0)
		r = strpool__intern(&names->strings, system_name, strlen(system_name),
				    &f.system_name);
	if (r == 0)
		r = strpool__intern(&names->strings, filename, strlen(filename), &f.filename);
	if (r < 0)
		return r;
	if (f.system_name == f.name)
		f.system_name = 0;
	hash = function_hash(&f);
	for (it = hindex__find(&names->function_index, hash); hindex_iter__next(&it, ret);)
		if (same_function(&names->functions[*ret], &f))
			return 0;
	r = array_reserve(&names->functions, &names->cap_functions, names->n_functions + 1,
			  sizeof(f));
	if (r == 0)
		r = hindex__add(&names->function_index, hash, (uint32_t)names->n_functions);
	if (r < 0)
		return r;
	*ret = (uint32_t)names->n_functions++;
	names->functions[*ret] = f;
	return 0;
}

int names__chain(struct names *names, const struct names_line *lines, size_t n,
		 enum name_source source, uint32_t *ret)
{
	int r = array_reserve(&names->lines, &names->cap_lines, names->n_lines + n, sizeof(*lines));

	if (r == 0)
		r = array_reserve(&names->chains, &names->cap_chains, names->n_chains + 1,
				  sizeof(*names->chains));
	if (r < 0)
		return r;
	memcpy(names->lines + names->n_lines, lines, n * sizeof(*lines));
	names->chains[names->n_chains] = (struct names_chain){
	    .first = (uint32_t)names->n_lines,
	    .n = (uint16_t)n,
	    .source = (uint16_t)source,
	};
	names->n_lines += n;
	*ret = (uint32_t)names->n_chains++;
	return 0;
}

int names__plain(struct names *names, const char *name, enum name_source source, uint32_t *ret)
{
	struct names_line line = {0};
	int r = names__function(names, name, "", "", 0, &line.function);

	if (r < 0)
		return r;
	*ret = names->functions[line.function].plain;
	if (*ret != NAMES_NONE && names->chains[*ret].source == source)
		return 0;
	r = names__chain(names, &line, 1, source, ret);
	if (r == 0)
		names->functions[line.function].plain = *ret;
	return r;
}

static uint64_t address_hash(const struct names *names, uint64_t object, uint64_t off)
{
	return hash_mix(off ^ names->strings.key.k0, object ^ names->strings.key.k1);
}

uint32_t names__find(const struct names *names, uint64_t object, uint64_t off)
{
	struct hindex_iter it =
	    hindex__find(&names->address_index, address_hash(names, object, off));
	uint32_t i;

	while (hindex_iter__next(&it, &i))
		if (names->addresses[i].object == object && names->addresses[i].off == off)
			return names->addresses[i].chain;
	return NAMES_NONE;
}

int names__remember(struct names *names, uint64_t object, uint64_t off, uint32_t chain)
{
	int r = array_reserve(&names->addresses, &names->cap_addresses, names->n_addresses + 1,
			      sizeof(*names->addresses));

	if (r == 0)
		r = hindex__add(&names->address_index, address_hash(names, object, off),
				(uint32_t)names->n_addresses);
	if (r < 0)
		return r;
	names->addresses[names->n_addresses++] =
	    (struct names_address){.object = object, .off = off, .chain = chain};
	return 0;
}
