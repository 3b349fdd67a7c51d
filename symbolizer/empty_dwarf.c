/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/empty_dwarf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <libelf.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum {
	SECTION_NULL,
	SECTION_DEBUG_INFO,
	SECTION_NAMES,
	SECTION_MAX,
};

#define NAMES "\0.debug_info\0.names"

/* A whole ELF file: one .debug_info, too short to hold a unit. */
struct image {
	Elf64_Ehdr ehdr;
	Elf64_Shdr sections[SECTION_MAX];
	char names[sizeof(NAMES)];
	char debug_info[8];
};

static const struct image image = {
    .ehdr =
	{
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB, EV_CURRENT},
	    .e_type = ET_DYN,
	    .e_machine = EM_X86_64,
	    .e_version = EV_CURRENT,
	    .e_shoff = offsetof(struct image, sections),
	    .e_ehsize = sizeof(Elf64_Ehdr),
	    .e_shentsize = sizeof(Elf64_Shdr),
	    .e_shnum = SECTION_MAX,
	    .e_shstrndx = SECTION_NAMES,
	},
    .sections =
	{
	    [SECTION_DEBUG_INFO] =
		{
		    .sh_name = 1,
		    .sh_type = SHT_PROGBITS,
		    .sh_offset = offsetof(struct image, debug_info),
		    .sh_size = sizeof(((struct image *)NULL)->debug_info),
		    .sh_addralign = 1,
		},
	    [SECTION_NAMES] =
		{
		    .sh_name = 13,
		    .sh_type = SHT_STRTAB,
		    .sh_offset = offsetof(struct image, names),
		    .sh_size = sizeof(NAMES),
		    .sh_addralign = 1,
		},
	},
    .names = NAMES,
};

struct empty_dwarf {
	struct image image; /* libelf wants memory that it could write to */
	Elf *elf;
	Dwarf *dwarf;
};

DEFINE_CLEANUP(struct empty_dwarf *, empty_dwarf__free);

int empty_dwarf__new(struct empty_dwarf **ret)
{
	_cleanup_(empty_dwarf__freep) struct empty_dwarf *empty = calloc(1, sizeof(*empty));

	if (!empty)
		return -ENOMEM;
	empty->image = image;
	elf_version(EV_CURRENT);
	empty->elf = elf_memory((char *)&empty->image, sizeof(empty->image));
	if (!empty->elf)
		return -EIO;
	empty->dwarf = dwarf_begin_elf(empty->elf, DWARF_C_READ, NULL);
	if (!empty->dwarf)
		return -EIO;
	*ret = steal_ptr(empty);
	return 0;
}

struct empty_dwarf *empty_dwarf__free(struct empty_dwarf *empty)
{
	if (!empty)
		return NULL;
	dwarf_end(empty->dwarf);
	elf_end(empty->elf);
	free(empty);
	return NULL;
}

Dwarf *empty_dwarf__dwarf(const struct empty_dwarf *empty)
{
	return empty->dwarf;
}
