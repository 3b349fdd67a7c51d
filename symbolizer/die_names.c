/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/die_names.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"
#include "symbolizer/demangle.h"
#include "symbolizer/die.h"

struct entry {
	const void *addr; /* of the DIE's bytes: the same DIE always has the same */
	struct die_name name;
};

struct die_names {
	struct answer *answer; /* borrowed */
	struct limits *limits; /* borrowed */
	struct hindex index;
	struct entry *entries;
	size_t n, cap;
};

/* What was found on the way from a DIE to its declaration; strings are libdw's. */
struct found {
	const char *linkage, *plain;
	uint64_t line, file;
	Dwarf_CU *file_unit;
};

int die_names__new(struct die_names **ret, struct answer *answer, struct limits *limits)
{
	struct die_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->answer = answer;
	names->limits = limits;
	*ret = names;
	return 0;
}

struct die_names *die_names__free(struct die_names *names)
{
	if (!names)
		return NULL;
	hindex__fini(&names->index);
	free(names->entries);
	free(names);
	return NULL;
}

/* Reads what DIE itself says about what is still missing. */
static void collect(Dwarf_Die *die, struct found *found)
{
	if (!found->linkage)
		found->linkage = die_string(die, DW_AT_linkage_name);
	if (!found->linkage)
		found->linkage = die_string(die, DW_AT_MIPS_linkage_name);
	if (!found->plain)
		found->plain = die_string(die, DW_AT_name);
	if (!found->line)
		die_number(die, DW_AT_decl_line, &found->line);
	if (!found->file_unit && die_number(die, DW_AT_decl_file, &found->file))
		found->file_unit = die->cu;
}

static void follow(Dwarf_Die *die, struct found *found, struct limits *limits)
{
	Dwarf_Die at = *die, next;

	for (unsigned int hops = 0;; hops++) {
		collect(&at, found);
		if (found->linkage && found->line && found->file_unit)
			return;
		if (!die_reference(&at, DW_AT_abstract_origin, &next) &&
		    !die_reference(&at, DW_AT_specification, &next))
			return;
		if (hops == LIMIT_NAME_HOPS_MAX) {
			limits->hits[LIMIT_HOPS]++;
			return;
		}
		at = next;
	}
}

static int resolve(struct die_names *names, Dwarf_Die *die, struct die_name *ret)
{
	struct found found = {0};
	struct die_name name = {0};
	int r = 0;

	follow(die, &found, names->limits);
	if (found.linkage) {
		r = answer__names(names->answer, found.linkage, linkage_name_length(found.linkage),
				  &name.system_name, &name.name);
		name.has_linkage_name = true;
	} else if (found.plain) {
		r = answer__string(names->answer, found.plain, strlen(found.plain), &name.name);
		name.system_name = name.name;
	}
	if (r < 0)
		return r;
	name.start_line = found.line <= UINT32_MAX ? (uint32_t)found.line : 0;
	if (found.file <= UINT32_MAX) {
		name.decl_file = (uint32_t)found.file;
		name.decl_unit = found.file_unit;
	}
	*ret = name;
	return 0;
}

int die_names__get(struct die_names *names, Dwarf_Die *die, struct die_name *ret)
{
	Dwarf_Die origin = *die;
	struct hindex_iter it;
	uint64_t hash;
	uint32_t i;
	int r;

	/* Calls that were inlined are many, what they call is few. */
	if (dwarf_tag(die) == DW_TAG_inlined_subroutine &&
	    !die_reference(die, DW_AT_abstract_origin, &origin))
		origin = *die;
	hash = hash_mix((uintptr_t)origin.addr, 0);
	for (it = hindex__find(&names->index, hash); hindex_iter__next(&it, &i);) {
		if (names->entries[i].addr == origin.addr) {
			*ret = names->entries[i].name;
			return 0;
		}
	}
	r = array_reserve(&names->entries, &names->cap, names->n + 1, sizeof(*names->entries));
	if (r < 0)
		return r;
	names->entries[names->n].addr = origin.addr;
	r = resolve(names, &origin, &names->entries[names->n].name);
	if (r == 0)
		r = hindex__add(&names->index, hash, (uint32_t)names->n);
	if (r < 0)
		return r;
	*ret = names->entries[names->n++].name;
	return 0;
}
