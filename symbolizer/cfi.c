/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/cfi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/cfi_program.h"

/* In the place of a length: a length of 64 bits follows. */
#define LENGTH_64 0xffffffffu

/* A CIE or an FDE. */
struct entry {
	size_t off;	/* in the section */
	bool is_common; /* a CIE */
	uint64_t common_off;
	struct cursor body; /* after the id */
};

struct cie {
	size_t off;
	struct cfi_common common;
	bool has_length; /* 'z': what was added to FDEs begins with its length */
};

struct reader {
	const struct cfi_section *section;
	const struct cfi_abi *abi;
	struct unwind_table *t;
	size_t pos; /* of the next entry */
	/* In the order of their offsets, which is that of reading. */
	struct cie *cies;
	size_t n_cies, cap_cies;
	const struct cie *last_cie;
	struct cfi_scratch *scratch;
};

/* Reads the id of the entry, which says what it is. */
static void read_id(const struct reader *reader, bool is_64, struct entry *entry)
{
	const uint8_t *bytes = reader->section->bytes;
	uint64_t at = (uint64_t)(entry->body.pos - bytes), id;

	if (!reader->section->is_debug_frame) {
		/* Four bytes, even if the length has eight. */
		id = cursor__u32(&entry->body);
		entry->is_common = id == 0 && !entry->body.failed;
		entry->common_off = at - id;
	} else if (is_64) {
		id = cursor__u64(&entry->body);
		entry->is_common = id == UINT64_MAX;
		entry->common_off = id;
	} else {
		id = cursor__u32(&entry->body);
		entry->is_common = id == UINT32_MAX;
		entry->common_off = id;
	}
}

/* Goes to the next entry. False at the end; *RET_BROKEN where there are bytes after it that are no
 * entry. */
static bool next_entry(struct reader *reader, struct entry *entry, bool *ret_broken)
{
	const uint8_t *bytes = reader->section->bytes;
	struct cursor c;

	*ret_broken = false;
	for (;;) {
		uint64_t length;
		bool is_64;

		cursor__init(&c, bytes + reader->pos, reader->section->n_bytes - reader->pos);
		if (cursor__left(&c) == 0)
			return false;
		entry->off = reader->pos;
		length = cursor__u32(&c);
		is_64 = length == LENGTH_64;
		if (is_64)
			length = cursor__u64(&c);
		entry->body = cursor__take(&c, length);
		if (c.failed) {
			*ret_broken = true;
			return false;
		}
		reader->pos = (size_t)(c.pos - bytes);
		if (length) {
			read_id(reader, is_64, entry);
			return true;
		}
		/* Linkers put a terminator at the end, but also copy those of their inputs. */
		if (reader->section->ends_at_zero)
			return false;
	}
}

static struct cfi_bases bases_of(const struct reader *reader, const struct cfi_common *common)
{
	const struct cfi_section *section = reader->section;

	return (struct cfi_bases){
	    .bytes = section->bytes,
	    .vaddr = section->vaddr,
	    .text_vaddr = section->text_vaddr,
	    .data_vaddr = section->data_vaddr,
	    .address_size = common->address_size,
	};
}

/* Reads what the letters of AUGMENTATION stand for. False where that cannot be known. */
static bool read_augmentation(const struct reader *reader, const char *augmentation,
			      struct cursor *c, struct cie *cie)
{
	struct cursor added, *from = c;
	struct cfi_bases bases = bases_of(reader, &cie->common);
	uint64_t personality;
	uint8_t encoding;

	if (*augmentation == 'z') {
		cie->has_length = true;
		added = cursor__take(c, cursor__uleb(c));
		from = &added;
		augmentation++;
	}
	for (; *augmentation; augmentation++) {
		switch (*augmentation) {
		case 'L':
			cursor__u8(from);
			break;
		case 'R':
			cie->common.encoding = cursor__u8(from);
			break;
		case 'P':
			encoding = cursor__u8(from);
			/* Only how long it is matters. */
			if (!cfi_pointer_read(from, encoding & 0x7f, &bases, &personality))
				return false;
			break;
		case 'S':
			cie->common.is_signal = true;
			break;
		case 'B': /* AArch64: return addresses are signed with the B key */
		case 'G': /* AArch64: stacks are tagged */
			break;
		default:
			/* The length tells where the program is, if not what this means. */
			return cie->has_length && !c->failed;
		}
	}
	return !from->failed && !c->failed;
}

/* Reads the CIE in ENTRY. False where it makes no sense. */
static bool parse_cie(struct reader *reader, const struct entry *entry, struct cie *cie)
{
	struct cfi_common *common = &cie->common;
	struct cursor c = entry->body;
	uint8_t version = cursor__u8(&c);
	const char *augmentation = cursor__string(&c);
	uint64_t ra;

	*cie = (struct cie){.off = entry->off};
	common->encoding = CFI_POINTER_ABSOLUTE;
	common->address_size = reader->section->address_size;
	if (!augmentation || (version != 1 && version != 3 && version != 4))
		return false;
	/* The address of GCC 2's exception table. */
	if (!strncmp(augmentation, "eh", 2)) {
		cursor__skip(&c, common->address_size);
		augmentation += 2;
	}
	if (version >= 4) {
		common->address_size = cursor__u8(&c);
		/* Segment selectors. */
		if (cursor__u8(&c) != 0)
			return false;
	}
	if (common->address_size != 4 && common->address_size != 8)
		return false;
	common->code_align = cursor__uleb(&c);
	common->data_align = cursor__sleb(&c);
	ra = version == 1 ? cursor__u8(&c) : cursor__uleb(&c);
	if (ra != reader->abi->ra || !read_augmentation(reader, augmentation, &c, cie))
		return false;
	return cfi_program_run_common(reader->abi, common, c, reader->scratch) == CFI_OK;
}

/* First all CIEs: each is run once, and in .debug_frame an FDE may come before its own. */
static int read_cies(struct reader *reader)
{
	struct entry entry;
	bool broken;

	reader->pos = 0;
	while (next_entry(reader, &entry, &broken) && reader->n_cies < CFI_CIES_MAX) {
		int r;

		if (!entry.is_common)
			continue;
		r = array_reserve(&reader->cies, &reader->cap_cies, reader->n_cies + 1,
				  sizeof(*reader->cies));
		if (r < 0)
			return r;
		if (parse_cie(reader, &entry, &reader->cies[reader->n_cies]))
			reader->n_cies++;
	}
	return 0;
}

static const struct cie *find_cie(struct reader *reader, uint64_t off)
{
	size_t lo = 0, hi = reader->n_cies;

	if (reader->last_cie && reader->last_cie->off == off)
		return reader->last_cie;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (reader->cies[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == reader->n_cies || reader->cies[lo].off != off)
		return NULL;
	reader->last_cie = &reader->cies[lo];
	return reader->last_cie;
}

/* Reads the FDE in ENTRY up to its program. False where it makes no sense. */
static bool parse_fde(struct reader *reader, const struct entry *entry,
		      struct cfi_function *function)
{
	const struct cie *cie = find_cie(reader, entry->common_off);
	struct cursor c = entry->body;
	uint64_t n;

	if (!cie)
		return false;
	function->common = &cie->common;
	function->bases = bases_of(reader, &cie->common);
	if (!cfi_pointer_read(&c, cie->common.encoding, &function->bases, &function->start) ||
	    !cfi_pointer_read(&c, cie->common.encoding & CFI_POINTER_FORMAT, &function->bases, &n))
		return false;
	function->end = function->start + n;
	if (function->end < function->start)
		return false;
	function->bases.function = function->start;
	if (cie->has_length)
		cursor__skip(&c, cursor__uleb(&c));
	function->program = c;
	return !c.failed;
}

static int read_fde(struct reader *reader, const struct entry *entry)
{
	const struct cfi_section *section = reader->section;
	struct cfi_function function;
	int r;

	if (!parse_fde(reader, entry, &function)) {
		unwind_table__stats(reader->t)->n_bad++;
		return 0;
	}
	if (function.start == function.end || function.start < section->code_start ||
	    function.start >= section->code_end)
		return 0;
	r = unwind_table__begin(
	    reader->t, section->is_debug_frame ? UNWIND_SOURCE_DEBUG_FRAME : UNWIND_SOURCE_EH_FRAME,
	    function.start, function.end);
	if (r < 0)
		return r;
	r = cfi_program_run(reader->abi, &function, reader->t, reader->scratch);
	if (r == CFI_BAD) {
		unwind_table__abandon(reader->t);
		r = 0;
	}
	return r;
}

static int read_fdes(struct reader *reader)
{
	struct entry entry;
	bool broken;

	reader->pos = 0;
	while (next_entry(reader, &entry, &broken)) {
		int r = entry.is_common ? 0 : read_fde(reader, &entry);

		if (r < 0)
			return r;
	}
	/* What follows the terminator of a section of unknown length is something else. */
	if (broken && !reader->section->ends_at_zero)
		unwind_table__stats(reader->t)->n_bad++;
	return 0;
}

int cfi_read(const struct cfi_section *section, uint16_t machine, struct unwind_table *t)
{
	cleanup_free struct cfi_scratch *scratch = NULL;
	cleanup_free struct cie *cies = NULL;
	struct reader reader = {
	    .section = section,
	    .abi = cfi_abi_of(machine),
	    .t = t,
	};
	int r;

	if (!reader.abi || section->n_bytes == 0)
		return 0;
	scratch = malloc(sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	reader.scratch = scratch;
	r = read_cies(&reader);
	cies = reader.cies;
	return r < 0 ? r : read_fdes(&reader);
}
