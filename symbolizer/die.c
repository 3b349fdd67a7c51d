/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/die.h"

bool die_number(Dwarf_Die *die, unsigned int name, uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word word;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &word) != 0)
		return false;
	*ret = word;
	return true;
}

const char *die_string(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	const char *s;

	if (!dwarf_attr(die, name, &attr))
		return NULL;
	s = dwarf_formstring(&attr);
	return s && *s ? s : NULL;
}

bool die_reference(Dwarf_Die *die, unsigned int name, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, name, &attr) && dwarf_formref_die(&attr, ret);
}

bool range_is_live(uint64_t lo, uint64_t hi)
{
	return lo > 1 && lo < UINT64_MAX - 1 && lo < hi;
}

void die_ranges__init(struct die_ranges *it, Dwarf_Die *die)
{
	*it = (struct die_ranges){.die = die};
}

bool die_ranges__next(struct die_ranges *it, struct limits *limits, uint64_t *ret_lo,
		      uint64_t *ret_hi)
{
	while (it->state >= 0) {
		Dwarf_Addr lo, hi;

		if (it->n++ == LIMIT_RANGES_PER_DIE_MAX) {
			limits->hits[LIMIT_RANGES]++;
			break;
		}
		it->state = dwarf_ranges(it->die, it->state, &it->base, &lo, &hi);
		if (it->state <= 0)
			break;
		if (!range_is_live(lo, hi))
			continue;
		*ret_lo = lo;
		*ret_hi = hi;
		return true;
	}
	it->state = -1;
	return false;
}

void die_walk__init(struct die_walk *walk, const Dwarf_Die *unit)
{
	walk->stack[0] = *unit;
	walk->depth = 0;
}

static bool enter_children(struct die_walk *walk, struct limits *limits)
{
	Dwarf_Die *die = &walk->stack[walk->depth];

	if (dwarf_haschildren(die) != 1)
		return false;
	if (walk->depth + 1 == LIMIT_DEPTH_MAX) {
		limits->hits[LIMIT_DEPTH]++;
		return false;
	}
	if (dwarf_child(die, die + 1) != 0)
		return false;
	walk->depth++;
	return true;
}

bool die_walk__next(struct die_walk *walk, struct limits *limits, bool descend)
{
	if (limits->dies_left == 0) {
		limits->hits[LIMIT_DIES]++;
		return false;
	}
	limits->dies_left--;
	if (descend && enter_children(walk, limits))
		return true;
	for (; walk->depth > 0; walk->depth--) {
		Dwarf_Die *die = &walk->stack[walk->depth], next;

		/* A sibling that stands before would be walked for ever. */
		if (dwarf_siblingof(die, &next) == 0 && (char *)next.addr > (char *)die->addr) {
			*die = next;
			return true;
		}
	}
	return false;
}
