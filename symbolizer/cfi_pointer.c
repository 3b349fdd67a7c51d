/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi_pointer.h"

enum {
	FORMAT_ADDRESS = 0x00,
	FORMAT_ULEB = 0x01,
	FORMAT_U16 = 0x02,
	FORMAT_U32 = 0x03,
	FORMAT_U64 = 0x04,
	FORMAT_SIGNED = 0x08,
	FORMAT_SLEB = 0x09,
	FORMAT_S16 = 0x0a,
	FORMAT_S32 = 0x0b,
	FORMAT_S64 = 0x0c,

	RELATIVE_TO = 0x70, /* mask */
	RELATIVE_TO_PC = 0x10,
	RELATIVE_TO_TEXT = 0x20,
	RELATIVE_TO_DATA = 0x30,
	RELATIVE_TO_FUNCTION = 0x40,
	RELATIVE_ALIGNED = 0x50,

	INDIRECT = 0x80,
};

static uint64_t read_address(struct cursor *c, uint8_t size)
{
	return size == 4 ? cursor__u32(c) : cursor__u64(c);
}

static bool read_number(struct cursor *c, uint8_t format, uint8_t address_size, uint64_t *ret)
{
	switch (format) {
	case FORMAT_ADDRESS:
		*ret = read_address(c, address_size);
		break;
	case FORMAT_SIGNED:
		*ret = address_size == 4 ? (uint64_t)(int32_t)cursor__u32(c) : cursor__u64(c);
		break;
	case FORMAT_ULEB:
		*ret = cursor__uleb(c);
		break;
	case FORMAT_SLEB:
		*ret = (uint64_t)cursor__sleb(c);
		break;
	case FORMAT_U16:
		*ret = cursor__u16(c);
		break;
	case FORMAT_S16:
		*ret = (uint64_t)(int16_t)cursor__u16(c);
		break;
	case FORMAT_U32:
		*ret = cursor__u32(c);
		break;
	case FORMAT_S32:
		*ret = (uint64_t)(int32_t)cursor__u32(c);
		break;
	case FORMAT_U64:
	case FORMAT_S64:
		*ret = cursor__u64(c);
		break;
	default:
		return false;
	}
	return !c->failed;
}

bool cfi_pointer_read(struct cursor *c, uint8_t encoding, const struct cfi_bases *bases,
		      uint64_t *ret)
{
	uint64_t here = bases->vaddr + (uint64_t)(c->pos - bases->bytes), base, v;

	switch (encoding & RELATIVE_TO) {
	case 0:
		base = 0;
		break;
	case RELATIVE_TO_PC:
		base = here;
		break;
	case RELATIVE_TO_TEXT:
		base = bases->text_vaddr;
		break;
	case RELATIVE_TO_DATA:
		base = bases->data_vaddr;
		break;
	case RELATIVE_TO_FUNCTION:
		base = bases->function;
		break;
	case RELATIVE_ALIGNED:
		/* Padded to a multiple of an address. */
		base = 0;
		cursor__skip(c, -here & (bases->address_size - 1u));
		break;
	default:
		return false;
	}
	if ((encoding & INDIRECT) ||
	    !read_number(c, encoding & CFI_POINTER_FORMAT, bases->address_size, &v))
		return false;
	v += base;
	*ret = bases->address_size == 4 ? (uint32_t)v : v;
	return true;
}
