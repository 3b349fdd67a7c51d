/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/die.h"

struct candidate {
	Dwarf_Die die;
	Dwarf_Off off;
	bool has_ranges;
};

struct hit {
	uint32_t unit; /* index of the candidate */
	uint32_t query;
};

/* The hits of one unit: queries[first .. first + n). */
struct group {
	uint32_t unit;
	size_t first, n;
};

struct units {
	struct candidate *candidates;
	size_t n_candidates, cap_candidates;
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
	free(units->candidates);
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
	    .die = units->candidates[g->unit].die,
	    .queries = units->queries + g->first,
	    .n_queries = g->n,
	};
}

static int read_candidates(struct units *units, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	/* No sub-DIE is asked for: libdw would open the file of a split unit. */
	while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
		int r;

		if (units->n_candidates == LIMIT_UNITS_MAX) {
			units->limits->hits[LIMIT_UNITS]++;
			break;
		}
		if ((type != DW_UT_compile && type != DW_UT_skeleton) ||
		    dwarf_tag(&die) == DW_TAG_partial_unit)
			continue;
		r = array_reserve(&units->candidates, &units->cap_candidates,
				  units->n_candidates + 1, sizeof(*units->candidates));
		if (r < 0)
			return r;
		units->candidates[units->n_candidates++] = (struct candidate){
		    .die = die,
		    .off = dwarf_dieoffset(&die),
		};
	}
	return 0;
}

/* Notes the addresses that lie in [LO, HI) of unit UNIT. */
static int add_range(struct units *units, size_t unit, uint64_t lo, uint64_t hi)
{
	size_t a = 0, b = units->n_vaddrs;

	if (!range_is_live(lo, hi))
		return 0;
	units->candidates[unit].has_ranges = true;
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

static int add_die_ranges(struct units *units, size_t unit, Dwarf_Die *die)
{
	struct die_ranges ranges;
	uint64_t lo, hi;
	int r = 0;

	die_ranges__init(&ranges, die);
	while (r == 0 && die_ranges__next(&ranges, units->limits, &lo, &hi))
		r = add_range(units, unit, lo, hi);
	return r;
}

/* The candidate whose DIE is at OFF, or SIZE_MAX. Candidates are in the order of the file. */
static size_t find_candidate(const struct units *units, Dwarf_Off off)
{
	size_t lo = 0, hi = units->n_candidates;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (units->candidates[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < units->n_candidates && units->candidates[lo].off == off ? lo : SIZE_MAX;
}

static int add_aranges(struct units *units, Dwarf *dwarf)
{
	Dwarf_Aranges *aranges;
	size_t n;

	/* A broken section is as good as none: the units' own ranges have been read already. */
	if (dwarf_getaranges(dwarf, &aranges, &n) != 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Word length;
		Dwarf_Off off;
		Dwarf_Addr lo;
		size_t unit;
		int r;

		if (dwarf_getarangeinfo(dwarf_onearange(aranges, i), &lo, &length, &off) != 0)
			continue;
		unit = find_candidate(units, off);
		if (unit == SIZE_MAX)
			continue;
		r = add_range(units, unit, lo, length > UINT64_MAX - lo ? UINT64_MAX : lo + length);
		if (r < 0)
			return r;
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
	cleanup_free struct die_walk *walk = malloc(sizeof(*walk));
	bool descend = true;
	int r = 0;

	if (!walk)
		return -ENOMEM;
	die_walk__init(walk, &units->candidates[unit].die);
	while (r == 0 && die_walk__next(walk, units->limits, descend)) {
		Dwarf_Die *die = &walk->stack[walk->depth];
		int tag = dwarf_tag(die);

		descend = may_hold_functions(tag);
		if (tag == DW_TAG_subprogram)
			r = add_die_ranges(units, unit, die);
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

int units__new(struct units **ret, Dwarf *dwarf, const uint64_t *vaddrs, size_t n,
	       struct limits *limits)
{
	_cleanup_(units__freep) struct units *units = calloc(1, sizeof(*units));
	int r;

	if (!units)
		return -ENOMEM;
	units->vaddrs = vaddrs;
	units->n_vaddrs = n;
	units->limits = limits;
	r = read_candidates(units, dwarf);
	for (size_t i = 0; r == 0 && i < units->n_candidates; i++)
		r = add_die_ranges(units, i, &units->candidates[i].die);
	if (r == 0)
		r = add_aranges(units, dwarf);
	for (size_t i = 0; r == 0 && i < units->n_candidates; i++)
		if (!units->candidates[i].has_ranges)
			r = add_function_ranges(units, i);
	if (r == 0)
		r = group_hits(units);
	if (r < 0)
		return r;
	*ret = steal_ptr(units);
	return 0;
}
