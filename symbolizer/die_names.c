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

struct entry {
	const struct dwarf_file *file; /* the DIE, by the file that it is in and the offset there */
	uint64_t off;
	struct die_name name;
};

struct die_names {
	struct answer *answer; /* borrowed */
	struct limits *limits; /* borrowed */
	struct hindex index;
	struct entry *entries;
	size_t n, cap;
};

/* What was found on the way from a DIE to its declaration. */
struct found {
	struct dwarf_string linkage, plain;
	uint64_t line, file;
	const struct dwarf_unit *file_unit;
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
static void collect(const struct die *die, struct found *found)
{
	uint64_t file;

	if (!found->linkage.file)
		die_string(die, DW_AT_linkage_name, &found->linkage);
	if (!found->linkage.file)
		die_string(die, DW_AT_MIPS_linkage_name, &found->linkage);
	if (!found->plain.file)
		die_string(die, DW_AT_name, &found->plain);
	if (!found->line && !die_number(die, DW_AT_decl_line, &found->line))
		found->line = 0;
	if (!found->file_unit && die_number(die, DW_AT_decl_file, &file)) {
		found->file = file;
		found->file_unit = die->unit;
	}
}

static int follow(const struct die *die, struct found *found, struct limits *limits)
{
	struct die at = *die;
	bool more = true;

	for (unsigned int hops = 0;; hops++) {
		int r;

		collect(&at, found);
		if (found->linkage.file && found->line && found->file_unit)
			return 0;
		if (hops == LIMIT_NAME_HOPS_MAX) {
			limits->hits[LIMIT_HOPS]++;
			return 0;
		}
		r = die_origin(&at, &at, &more);
		if (r < 0 || !more)
			return r;
	}
}

static int resolve(struct die_names *names, const struct die *die, struct die_name *ret)
{
	struct found found = {0};
	struct die_name name = {0};
	const char *s = NULL;
	size_t n = 0;
	int r = follow(die, &found, names->limits);

	if (r == 0)
		r = dwarf_string__get(found.linkage.file ? &found.linkage : &found.plain, &s, &n);
	if (r == 0 && n && found.linkage.file) {
		n = linkage_name_length(s, n);
		r = answer__names(names->answer, s, n, &name.system_name, &name.name);
		name.has_linkage_name = true;
	} else if (r == 0 && n) {
		r = answer__string(names->answer, s, n, &name.name);
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

/* The entry of the DIE at OFF of FILE, or NULL. */
static const struct entry *find(const struct die_names *names, const struct dwarf_file *file,
				uint64_t off, uint64_t hash)
{
	struct hindex_iter it = hindex__find(&names->index, hash);
	uint32_t i;

	while (hindex_iter__next(&it, &i))
		if (names->entries[i].file == file && names->entries[i].off == off)
			return &names->entries[i];
	return NULL;
}

static int add(struct die_names *names, const struct die *die, uint64_t hash, struct die_name *ret)
{
	struct entry *e;
	int r = array_reserve(&names->entries, &names->cap, names->n + 1, sizeof(*names->entries));

	if (r < 0)
		return r;
	e = &names->entries[names->n];
	*e = (struct entry){.file = die->unit->file, .off = die->off};
	r = resolve(names, die, &e->name);
	if (r == 0)
		r = hindex__add(&names->index, hash, (uint32_t)names->n);
	if (r < 0)
		return r;
	names->n++;
	*ret = e->name;
	return 0;
}

int die_names__get(struct die_names *names, const struct die *die, struct die_name *ret)
{
	const struct entry *known;
	struct dwarf_file *file;
	struct die origin;
	uint64_t off, hash;
	bool found = true;
	int r = 0;

	/* Calls that were inlined are many, what they call is few. */
	if (die->abbrev->tag != DW_TAG_inlined_subroutine || !die_origin_place(die, &file, &off)) {
		file = die->unit->file;
		off = die->off;
	}
	hash = hash_mix((uintptr_t)file, off);
	known = find(names, file, off, hash);
	if (known) {
		*ret = known->name;
		return 0;
	}
	origin = *die;
	if (off != die->off || file != die->unit->file)
		r = die_origin(die, &origin, &found);
	if (r < 0 || !found) {
		*ret = (struct die_name){0};
		return r;
	}
	return add(names, &origin, hash, ret);
}
