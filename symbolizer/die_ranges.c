/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>

#include "symbolizer/die.h"
#include "symbolizer/form.h"

/* The longest entry of a list: its kind and two numbers. */
#define ENTRY_BYTES_MAX 32

bool range_is_live(uint64_t lo, uint64_t hi)
{
	return lo > 1 && lo < UINT64_MAX - 1 && lo < hi;
}

static struct form_value *pc_of(struct dwarf_pcs *pcs, uint16_t name)
{
	switch (name) {
	case DW_AT_low_pc:
		return &pcs->low;
	case DW_AT_high_pc:
		return &pcs->high;
	case DW_AT_ranges:
		return &pcs->ranges;
	default:
		return NULL;
	}
}

static void find_pcs(const struct die *die, struct dwarf_pcs *ret)
{
	const struct abbrev *abbrev = die->abbrev;
	struct cursor c = die->attrs;

	*ret = (struct dwarf_pcs){0};
	for (uint32_t i = 0; i < abbrev->n_attrs && !c.failed; i++) {
		const struct attr_spec *a = &abbrev->attrs[i];
		struct form_value *v = pc_of(ret, a->name);

		if (!v) {
			form_skip(&c, a->form, &die->unit->encoding);
			continue;
		}
		*v = form_read(&c, 0, a->form, a->constant, &die->unit->encoding);
		if (c.failed)
			*v = (struct form_value){0};
		if (ret->ranges.class || (ret->low.class && ret->high.class))
			return;
	}
}

/* Where the list is that INDEX of the unit's table of lists names (section 7.28). */
static bool list_of(const struct dwarf_unit *unit, uint64_t index, uint64_t *ret)
{
	unsigned size = unit->encoding.offset_size;
	struct cursor c;

	if (index > UINT32_MAX ||
	    dwarf_file__read(unit->file, DWARF_RNGLISTS, unit->rnglists_base + index * size, size,
			     &c) < 0)
		return false;
	*ret = unit->rnglists_base + cursor__number(&c, size);
	return !c.failed;
}

/* The lists of DWARF 4 hold addresses, which are the linker's: they are in the linked file. */
static const struct dwarf_unit *linked_half(const struct dwarf_unit *unit)
{
	return unit->skeleton ? unit->skeleton : unit;
}

static void start(struct die_ranges *it, const struct dwarf_unit *unit, const struct dwarf_pcs *pcs)
{
	*it = (struct die_ranges){.unit = unit, .base = unit->low_pc};
	if (pcs->ranges.class == FORM_RANGES_INDEX) {
		if (list_of(unit, pcs->ranges.number, &it->off))
			it->kind = RANGES_V5;
	} else if (pcs->ranges.class == FORM_NUMBER) {
		it->kind = unit->encoding.version >= 5 ? RANGES_V5 : RANGES_V4;
		it->off =
		    pcs->ranges.number +
		    (it->kind == RANGES_V4 ? linked_half(unit)->ranges_base : unit->rnglists_off);
	} else if (dwarf_unit__address(unit, &pcs->low, &it->lo)) {
		it->kind = RANGES_ONE;
		if (pcs->high.class == FORM_NUMBER)
			it->hi = it->lo + pcs->high.number;
		else if (!dwarf_unit__address(unit, &pcs->high, &it->hi))
			it->kind = RANGES_NONE;
	}
}

void die_ranges__init_unit(struct die_ranges *it, const struct dwarf_unit *unit)
{
	start(it, unit, &unit->pcs);
}

void die_ranges__init(struct die_ranges *it, const struct die *die)
{
	struct dwarf_pcs pcs = {0};

	if (die->abbrev->has_code)
		find_pcs(die, &pcs);
	start(it, die->unit, &pcs);
}

/* What one step over a list gave. */
enum step { STEP_END, STEP_RANGE, STEP_OTHER };

/* [LO, HI) as seen from the base, unless the code there was discarded. */
static enum step relative(const struct die_ranges *it, uint64_t lo, uint64_t hi, uint64_t *ret_lo,
			  uint64_t *ret_hi)
{
	*ret_lo = it->base + lo;
	*ret_hi = it->base + hi;
	return it->base < UINT64_MAX - 1 && lo < hi ? STEP_RANGE : STEP_OTHER;
}

/* .debug_ranges (DWARF 4, section 2.17.3). */
static enum step step_v4(struct die_ranges *it, uint64_t *ret_lo, uint64_t *ret_hi)
{
	unsigned size = it->unit->encoding.address_size;
	uint64_t last = size == 8 ? UINT64_MAX : UINT32_MAX, lo, hi;
	struct cursor c;

	if (dwarf_file__read(linked_half(it->unit)->file, DWARF_RANGES, it->off, 2 * size, &c) < 0)
		return STEP_END;
	lo = cursor__number(&c, size);
	hi = cursor__number(&c, size);
	it->off += 2 * size;
	if (c.failed || (!lo && !hi))
		return STEP_END;
	if (lo == last) {
		it->base = hi;
		return STEP_OTHER;
	}
	return relative(it, lo, hi, ret_lo, ret_hi);
}

/* The address whose index stands at C. */
static bool indexed(const struct dwarf_unit *unit, struct cursor *c, uint64_t *ret)
{
	struct form_value value = {FORM_ADDRESS_INDEX, cursor__uleb(c)};

	return dwarf_unit__address(unit, &value, ret);
}

/* One entry of KIND of .debug_rnglists at C. */
static enum step read_v5(struct die_ranges *it, uint8_t kind, struct cursor *c, uint64_t *ret_lo,
			 uint64_t *ret_hi)
{
	const struct dwarf_unit *unit = it->unit;
	unsigned size = unit->encoding.address_size;
	uint64_t lo;

	switch (kind) {
	case DW_RLE_base_addressx:
		return indexed(unit, c, &it->base) ? STEP_OTHER : STEP_END;
	case DW_RLE_base_address:
		it->base = cursor__number(c, size);
		return STEP_OTHER;
	case DW_RLE_startx_endx:
		if (!indexed(unit, c, ret_lo) || !indexed(unit, c, ret_hi))
			return STEP_END;
		return STEP_RANGE;
	case DW_RLE_startx_length:
		if (!indexed(unit, c, ret_lo))
			return STEP_END;
		*ret_hi = *ret_lo + cursor__uleb(c);
		return STEP_RANGE;
	case DW_RLE_offset_pair:
		lo = cursor__uleb(c);
		return relative(it, lo, cursor__uleb(c), ret_lo, ret_hi);
	case DW_RLE_start_end:
		*ret_lo = cursor__number(c, size);
		*ret_hi = cursor__number(c, size);
		return STEP_RANGE;
	case DW_RLE_start_length:
		*ret_lo = cursor__number(c, size);
		*ret_hi = *ret_lo + cursor__uleb(c);
		return STEP_RANGE;
	default:
		return STEP_END;
	}
}

/* .debug_rnglists (section 2.17.3). */
static enum step step_v5(struct die_ranges *it, uint64_t *ret_lo, uint64_t *ret_hi)
{
	enum step step;
	struct cursor c;
	const uint8_t *start;

	if (dwarf_file__read(it->unit->file, DWARF_RNGLISTS, it->off, ENTRY_BYTES_MAX, &c) < 0)
		return STEP_END;
	start = c.pos;
	step = read_v5(it, cursor__u8(&c), &c, ret_lo, ret_hi);
	if (c.failed)
		return STEP_END;
	it->off += (uint64_t)(c.pos - start);
	return step;
}

bool die_ranges__next(struct die_ranges *it, struct limits *limits, uint64_t *ret_lo,
		      uint64_t *ret_hi)
{
	while (it->kind != RANGES_NONE) {
		enum step step = STEP_RANGE;

		if (it->kind == RANGES_ONE) {
			*ret_lo = it->lo;
			*ret_hi = it->hi;
			it->kind = RANGES_NONE;
		} else if (it->n++ == LIMIT_RANGES_PER_DIE_MAX) {
			limits->hits[LIMIT_RANGES]++;
			step = STEP_END;
		} else {
			step = it->kind == RANGES_V4 ? step_v4(it, ret_lo, ret_hi)
						     : step_v5(it, ret_lo, ret_hi);
		}
		if (step == STEP_END)
			it->kind = RANGES_NONE;
		if (step == STEP_RANGE && range_is_live(*ret_lo, *ret_hi))
			return true;
	}
	return false;
}
