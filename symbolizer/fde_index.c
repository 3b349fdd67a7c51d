/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/fde_index.h"

#include <string.h>

#include "symbolizer/cfi_pointer.h"
#include "symbolizer/cursor.h"

/* DW_EH_PE_udata4 as the number of entries, DW_EH_PE_datarel | DW_EH_PE_sdata4 for these: what all
 * linkers make. */
#define ENCODING_COUNT 0x03
#define ENCODING_TABLE 0x3b

#define TABLE_AT 12 /* version, three encodings, pointer to .eh_frame, count */
#define ENTRY_BYTES 8

/* What is read of an entry of .eh_frame: more than the pointers of any that are real. */
#define RECORD_BYTES 64

void fde_index__init(struct fde_index *index, const struct elf_file *file)
{
	unsigned char head[TABLE_AT];
	uint64_t n_bytes;
	uint32_t n;

	*index = (struct fde_index){.file = file};
	if (!elf_file__segment(file, PT_GNU_EH_FRAME, &index->vaddr, &n_bytes) ||
	    n_bytes < TABLE_AT ||
	    elf_file__read_vaddr(file, index->vaddr, head, sizeof(head)) < 0 || head[0] != 1 ||
	    head[2] != ENCODING_COUNT || head[3] != ENCODING_TABLE)
		return;
	memcpy(&n, head + 8, sizeof(n));
	if (n <= (n_bytes - TABLE_AT) / ENTRY_BYTES)
		index->n = n;
}

/* Entry I < n: where a function starts, and where its entry of .eh_frame lies. */
static bool read_entry(const struct fde_index *index, uint64_t i, uint64_t *ret_start,
		       uint64_t *ret_fde)
{
	int32_t entry[2];

	if (elf_file__read_vaddr(index->file, index->vaddr + TABLE_AT + i * ENTRY_BYTES, entry,
				 sizeof(entry)) < 0)
		return false;
	*ret_start = index->vaddr + (uint64_t)(int64_t)entry[0];
	*ret_fde = index->vaddr + (uint64_t)(int64_t)entry[1];
	return true;
}

/* Up to RECORD_BYTES at VADDR: the segment may end before. */
static bool read_record(const struct fde_index *index, uint64_t vaddr, uint8_t buf[RECORD_BYTES],
			struct cursor *ret)
{
	size_t n = RECORD_BYTES;

	while (n >= 16 && elf_file__read_vaddr(index->file, vaddr, buf, n) < 0)
		n /= 2;
	cursor__init(ret, buf, n);
	return n >= 16;
}

/* How the addresses of the functions of the CIE at VADDR are encoded. */
static bool read_encoding(const struct fde_index *index, uint64_t vaddr, uint8_t *ret)
{
	struct cfi_bases bases = {.vaddr = vaddr, .address_size = 8};
	uint8_t buf[RECORD_BYTES], version;
	const char *letters;
	struct cursor c;

	if (!read_record(index, vaddr, buf, &c) || cursor__u32(&c) < 8 || cursor__u32(&c) != 0)
		return false;
	bases.bytes = buf;
	version = cursor__u8(&c);
	letters = cursor__string(&c);
	*ret = CFI_POINTER_ABSOLUTE;
	if (!letters || (letters[0] && letters[0] != 'z'))
		return false;
	cursor__uleb(&c);
	cursor__sleb(&c);
	if (version == 1)
		cursor__u8(&c);
	else
		cursor__uleb(&c);
	if (*letters++ == 'z')
		cursor__uleb(&c);
	else
		return !c.failed;
	for (; *letters; letters++) {
		uint64_t unused;

		if (*letters == 'R') {
			*ret = cursor__u8(&c);
			return !c.failed;
		}
		if (*letters == 'L')
			cursor__u8(&c);
		else if (*letters == 'P')
			/* Its value is of no interest, and may be indirect. */
			cfi_pointer_read(&c, cursor__u8(&c) & CFI_POINTER_FORMAT, &bases, &unused);
		else if (*letters != 'S' && *letters != 'B')
			return false;
	}
	return !c.failed;
}

/* The stretch [*RET_START, *RET_START + *RET_N) of the FDE at VADDR. */
static bool read_range(const struct fde_index *index, uint64_t vaddr, uint64_t *ret_start,
		       uint64_t *ret_n)
{
	struct cfi_bases bases = {.vaddr = vaddr, .data_vaddr = index->vaddr, .address_size = 8};
	uint8_t buf[RECORD_BYTES], encoding;
	struct cursor c;
	uint32_t back;

	if (!read_record(index, vaddr, buf, &c) || cursor__u32(&c) < 8)
		return false;
	back = cursor__u32(&c);
	bases.bytes = buf;
	return back && read_encoding(index, vaddr + 4 - back, &encoding) &&
	       cfi_pointer_read(&c, encoding, &bases, ret_start) &&
	       cfi_pointer_read(&c, encoding & CFI_POINTER_FORMAT, &bases, ret_n);
}

bool fde_index__find(const struct fde_index *index, uint64_t vaddr, uint64_t *ret_start)
{
	uint64_t lo = 0, hi = index->n, start, fde, n;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (!read_entry(index, mid, &start, &fde))
			return false;
		if (start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || !read_entry(index, lo - 1, &start, &fde) ||
	    !read_range(index, fde, ret_start, &n))
		return false;
	return *ret_start == start && vaddr - start < n;
}
