/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/die.h"

struct hit {
	uint32_t unit; /* number of the unit in the file */
	uint32_t query;
};

/* The hits of one unit: queries[first .. first + n). */
struct group {
	uint32_t unit;
	size_t first, n;
};

struct units {
	struct dwarf_file *file; /* borrowed */
	bool *have_ranges;	 /* of each unit of the file */
	struct hit *hits;
	size_t n_hits, cap_hits;
	struct group *groups;
	size_t n_groups, cap_groups;
	uint32_t *queries;
	const uint64_t *vaddrs; /* borrowed, during units__new() */
	size_t n_vaddrs;
	struct limits *limits; /* borrowed, during units__new() */
};

DEFINE_CLEANUP(struct units *, units__free);

struct units *units__free(struct units *units)
{
	if (!units)
		return NULL;
	free(units->have_ranges);
	free(units->hits);
	free(units->groups);
	free(units->queries);
	free(units);
	return NULL;
}

size_t units__count(const struct units *units)
{
	return units->n_groups;
}

struct unit units__get(const struct units *units, size_t i)
{
	const struct group *g = &units->groups[i];

	return (struct unit){
	    .unit = dwarf_file__unit(units->file, g->unit),
	    .queries = units->queries + g->first,
	    .n_queries = g->n,
	};
}

/* Whether the unit may have code of its own. */
static bool is_candidate(const struct dwarf_unit *unit)
{
	return (unit->type == DW_UT_compile || unit->type == DW_UT_skeleton) &&
	       unit->tag != DW_TAG_partial_unit && unit->tag;
}

/* Notes the addresses that lie in [LO, HI) of unit UNIT. */
static int add_range(struct units *units, size_t unit, uint64_t lo, uint64_t hi)
{
	size_t a = 0, b = units->n_vaddrs;

	if (!range_is_live(lo, hi))
		return 0;
	units->have_ranges[unit] = true;
	while (a < b) {
		size_t mid = a + (b - a) / 2;

		if (units->vaddrs[mid] < lo)
			a = mid + 1;
		else
			b = mid;
	}
	for (; a < units->n_vaddrs && units->vaddrs[a] < hi; a++) {
		int r;

		if (units->limits->matches_left == 0) {
			units->limits->hits[LIMIT_MATCHES]++;
			return 0;
		}
		units->limits->matches_left--;
		r = array_reserve(&units->hits, &units->cap_hits, units->n_hits + 1,
				  sizeof(*units->hits));
		if (r < 0)
			return r;
		units->hits[units->n_hits++] = (struct hit){(uint32_t)unit, (uint32_t)a};
	}
	return 0;
}

static int add_ranges(struct units *units, size_t unit, struct die_ranges *ranges)
{
	uint64_t lo, hi;
	int r = 0;

	while (r == 0 && die_ranges__next(ranges, units->limits, &lo, &hi))
		r = add_range(units, unit, lo, hi);
	return r;
}

/* The number of the unit at OFF, or SIZE_MAX where there is none that may have code. */
static size_t find_candidate(const struct units *units, uint64_t off)
{
	const struct dwarf_unit *unit = dwarf_file__unit_at(units->file, off);

	if (!unit || unit->start != off || !is_candidate(unit))
		return SIZE_MAX;
	return (size_t)(unit - dwarf_file__unit(units->file, 0));
}

/* Reads the addresses that belong to one unit, N bytes of C at OFF of the section, behind their
 * own length. */
static int add_arange_set(struct units *units, struct cursor *c, unsigned offset_size)
{
	const uint8_t *start = c->pos;
	size_t unit;
	unsigned size;
	int r = 0;

	if (cursor__u16(c) != 2)
		return 0;
	unit = find_candidate(units, cursor__number(c, offset_size));
	size = cursor__u8(c);
	if (cursor__u8(c) || (size != 4 && size != 8) || unit == SIZE_MAX)
		return 0;
	/* Pairs are aligned to their size, counted from the set's start. */
	cursor__skip(c,
		     (0u - (unsigned)(c->pos - start) - (offset_size == 8 ? 12 : 4)) % (2 * size));
	while (r == 0 && cursor__left(c) >= 2 * size) {
		uint64_t lo = cursor__number(c, size), n = cursor__number(c, size);

		r = add_range(units, unit, lo, n > UINT64_MAX - lo ? UINT64_MAX : lo + n);
	}
	return r;
}

static int add_aranges(struct units *units)
{
	uint64_t off = 0, size = dwarf_file__size(units->file, DWARF_ARANGES);

	while (off < size) {
		unsigned offset_size = 4;
		struct cursor c;
		uint64_t n;
		int r = dwarf_file__read(units->file, DWARF_ARANGES, off, 12, &c);

		if (r < 0)
			return r;
		n = cursor__u32(&c);
		off += 4;
		if (n == UINT32_MAX) {
			n = cursor__u64(&c);
			off += 8;
			offset_size = 8;
		}
		/* A broken section is as good as none: the units say where they are, too. */
		if (c.failed || n > size - off || n > LIMIT_ARANGES_BYTES_MAX)
			return 0;
		r = dwarf_file__read(units->file, DWARF_ARANGES, off, n, &c);
		if (r == 0)
			r = add_arange_set(units, &c, offset_size);
		if (r < 0)
			return r;
		off += n;
	}
	return 0;
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_compile_unit:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return true;
	default:
		return false;
	}
}

static int add_function_ranges(struct units *units, size_t unit)
{
	struct die_walk walk;
	struct die_ranges ranges;
	bool descend = true, started;
	const struct dwarf_unit *whole = dwarf_unit__whole(dwarf_file__unit(units->file, unit));
	int r = die_walk__init(&walk, whole, &started);

	if (!started)
		return r;
	while (r == 0 && die_walk__next(&walk, units->limits, descend)) {
		uint16_t tag = walk.die.abbrev->tag;

		descend = may_hold_functions(tag);
		if (tag != DW_TAG_subprogram)
			continue;
		die_ranges__init(&ranges, &walk.die);
		r = add_ranges(units, unit, &ranges);
	}
	return r;
}

static int compare_hits(const void *pa, const void *pb)
{
	const struct hit *a = pa, *b = pb;

	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return (a->query > b->query) - (a->query < b->query);
}

/* Sorts the hits, drops those that were found twice and groups them by unit. */
static int group_hits(struct units *units)
{
	size_t n = 0;

	if (!units->n_hits)
		return 0;
	qsort(units->hits, units->n_hits, sizeof(*units->hits), compare_hits);
	units->queries = calloc(units->n_hits, sizeof(*units->queries));
	if (!units->queries)
		return -ENOMEM;
	for (size_t i = 0; i < units->n_hits; i++) {
		const struct hit *h = &units->hits[i];

		if (i > 0 && !compare_hits(h, h - 1))
			continue;
		if (i == 0 || h->unit != h[-1].unit) {
			int r = array_reserve(&units->groups, &units->cap_groups,
					      units->n_groups + 1, sizeof(*units->groups));

			if (r < 0)
				return r;
			units->groups[units->n_groups++] = (struct group){h->unit, n, 0};
		}
		units->queries[n++] = h->query;
		units->groups[units->n_groups - 1].n++;
	}
	return 0;
}

static int find_all(struct units *units)
{
	size_t n = dwarf_file__n_units(units->file);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct dwarf_unit *unit = dwarf_file__unit(units->file, i);
		struct die_ranges ranges;

		if (!is_candidate(unit))
			continue;
		die_ranges__init_unit(&ranges, unit);
		r = add_ranges(units, i, &ranges);
	}
	if (r == 0)
		r = add_aranges(units);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (is_candidate(dwarf_file__unit(units->file, i)) && !units->have_ranges[i])
			r = add_function_ranges(units, i);
	return r == 0 ? group_hits(units) : r;
}

int units__new(struct units **ret, struct dwarf_file *file, const uint64_t *vaddrs, size_t n,
	       struct limits *limits)
{
	_cleanup_(units__freep) struct units *units = calloc(1, sizeof(*units));
	int r;

	if (!units)
		return -ENOMEM;
	units->file = file;
	units->have_ranges = calloc(dwarf_file__n_units(file) + 1, sizeof(*units->have_ranges));
	if (!units->have_ranges)
		return -ENOMEM;
	units->vaddrs = vaddrs;
	units->n_vaddrs = n;
	units->limits = limits;
	r = find_all(units);
	if (r < 0)
		return r;
	*ret = steal_ptr(units);
	return 0;
}
