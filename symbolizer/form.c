/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/form.h"

#include <dwarf.h>

/* A form may say that the next number is the form; nobody says so twice. */
#define INDIRECTIONS_MAX 4

int form_size(uint16_t form, const struct encoding *encoding)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_flag:
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return encoding->address_size;
	case DW_FORM_ref_addr:
		/* Section 7.5.4 of DWARF 2 has it as an address. */
		return encoding->version == 2 ? encoding->address_size : encoding->offset_size;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return encoding->offset_size;
	default:
		return -1;
	}
}

static struct form_value value(enum form_class class, uint64_t number)
{
	return (struct form_value){class, number};
}

/* Blocks are passed over: no attribute that we read is one. */
static struct form_value skip_block(struct cursor *c, uint64_t n)
{
	cursor__skip(c, n);
	return value(FORM_NONE, 0);
}

/* Forms of a size that the encoding does not change. */
static bool read_plain(struct cursor *c, uint16_t form, struct form_value *ret)
{
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_flag:
		*ret = value(FORM_NUMBER, cursor__u8(c));
		return true;
	case DW_FORM_data2:
		*ret = value(FORM_NUMBER, cursor__u16(c));
		return true;
	case DW_FORM_data4:
		*ret = value(FORM_NUMBER, cursor__u32(c));
		return true;
	case DW_FORM_data8:
		*ret = value(FORM_NUMBER, cursor__u64(c));
		return true;
	case DW_FORM_udata:
		*ret = value(FORM_NUMBER, cursor__uleb(c));
		return true;
	case DW_FORM_sdata:
		*ret = value(FORM_NUMBER, (uint64_t)cursor__sleb(c));
		return true;
	case DW_FORM_flag_present:
		*ret = value(FORM_NUMBER, 1);
		return true;
	default:
		return false;
	}
}

/* Indices into tables of the unit. */
static bool read_index(struct cursor *c, uint16_t form, struct form_value *ret)
{
	switch (form) {
	case DW_FORM_addrx:
	case DW_FORM_GNU_addr_index:
		*ret = value(FORM_ADDRESS_INDEX, cursor__uleb(c));
		return true;
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
		*ret = value(FORM_ADDRESS_INDEX, cursor__number(c, form - DW_FORM_addrx1 + 1u));
		return true;
	case DW_FORM_strx:
	case DW_FORM_GNU_str_index:
		*ret = value(FORM_STRING_INDEX, cursor__uleb(c));
		return true;
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
		*ret = value(FORM_STRING_INDEX, cursor__number(c, form - DW_FORM_strx1 + 1u));
		return true;
	case DW_FORM_rnglistx:
		*ret = value(FORM_RANGES_INDEX, cursor__uleb(c));
		return true;
	case DW_FORM_loclistx:
		*ret = value(FORM_NONE, cursor__uleb(c));
		return true;
	default:
		return false;
	}
}

/* Offsets in this and other sections, and addresses. */
static bool read_offset(struct cursor *c, uint16_t form, const struct encoding *encoding,
			struct form_value *ret)
{
	switch (form) {
	case DW_FORM_addr:
		*ret = value(FORM_ADDRESS, cursor__number(c, encoding->address_size));
		return true;
	case DW_FORM_sec_offset:
		*ret = value(FORM_NUMBER, cursor__number(c, encoding->offset_size));
		return true;
	case DW_FORM_strp:
		*ret = value(FORM_STRP, cursor__number(c, encoding->offset_size));
		return true;
	case DW_FORM_line_strp:
		*ret = value(FORM_LINE_STRP, cursor__number(c, encoding->offset_size));
		return true;
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		*ret = value(FORM_ALT_STRP, cursor__number(c, encoding->offset_size));
		return true;
	default:
		return false;
	}
}

static bool read_reference(struct cursor *c, uint16_t form, const struct encoding *encoding,
			   struct form_value *ret)
{
	switch (form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
		*ret = value(FORM_UNIT_REF, cursor__number(c, (unsigned)form_size(form, encoding)));
		return true;
	case DW_FORM_ref_udata:
		*ret = value(FORM_UNIT_REF, cursor__uleb(c));
		return true;
	case DW_FORM_ref_addr:
		*ret = value(FORM_INFO_REF, cursor__number(c, (unsigned)form_size(form, encoding)));
		return true;
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
	case DW_FORM_GNU_ref_alt:
		*ret = value(FORM_ALT_REF, cursor__number(c, (unsigned)form_size(form, encoding)));
		return true;
	default:
		return false;
	}
}

void form_skip(struct cursor *c, uint16_t form, const struct encoding *encoding)
{
	int size;

	switch (form) {
	case DW_FORM_udata:
	case DW_FORM_sdata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
		cursor__skip_leb(c);
		break;
	case DW_FORM_exprloc:
	case DW_FORM_block:
		cursor__skip(c, cursor__uleb(c));
		break;
	case DW_FORM_block1:
		cursor__skip(c, cursor__u8(c));
		break;
	case DW_FORM_string:
		cursor__string(c);
		break;
	default:
		size = form_size(form, encoding);
		if (size >= 0)
			cursor__skip(c, (uint64_t)size);
		else
			form_read(c, 0, form, 0, encoding);
	}
}

struct form_value form_read(struct cursor *c, uint64_t here, uint16_t form, int64_t constant,
			    const struct encoding *encoding)
{
	const uint8_t *start = c->pos;
	struct form_value v;

	for (int i = 0; form == DW_FORM_indirect && i < INDIRECTIONS_MAX; i++) {
		uint64_t next = cursor__uleb(c);

		form = next <= UINT16_MAX ? (uint16_t)next : 0;
	}
	if (read_plain(c, form, &v) || read_reference(c, form, encoding, &v) ||
	    read_offset(c, form, encoding, &v) || read_index(c, form, &v))
		return v;
	switch (form) {
	case DW_FORM_implicit_const:
		return value(FORM_NUMBER, (uint64_t)constant);
	case DW_FORM_string:
		v = value(FORM_STRING, here + (uint64_t)(c->pos - start));
		cursor__string(c);
		return v;
	case DW_FORM_block1:
		return skip_block(c, cursor__u8(c));
	case DW_FORM_block2:
		return skip_block(c, cursor__u16(c));
	case DW_FORM_block4:
		return skip_block(c, cursor__u32(c));
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return skip_block(c, cursor__uleb(c));
	case DW_FORM_ref_sig8:
		return skip_block(c, 8);
	case DW_FORM_data16:
		return skip_block(c, 16);
	default:
		return skip_block(c, UINT64_MAX);
	}
}
