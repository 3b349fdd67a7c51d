/* SPDX-License-Identifier: Apache-2.0 */
/* Small ELF files made in memory, right or wrong as the test wants them. */
#ifndef TESTS_ELF_IMAGE_H
#define TESTS_ELF_IMAGE_H

#include <assert.h>
#include <elf.h>
#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IMAGE_SECTIONS_MAX 16

struct elf_image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[4];
	Elf64_Shdr shdrs[IMAGE_SECTIONS_MAX];
	char bytes[16384]; /* contents of the sections; names first */
	size_t n_bytes;
};

#define IMAGE_BYTES_AT offsetof(struct elf_image, bytes)

/* Appends bytes and returns their offset in the file. */
static inline uint64_t elf_image__put(struct elf_image *image, const void *bytes, size_t n)
{
	uint64_t at = image->n_bytes;

	assert(at + n <= sizeof(image->bytes));
	memcpy(image->bytes + at, bytes, n);
	image->n_bytes = (at + n + 7) & ~7ul;
	return IMAGE_BYTES_AT + at;
}

static inline void elf_image__init(struct elf_image *image)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->ehdr.e_ident, ELFMAG, SELFMAG);
	image->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	image->ehdr.e_ident[EI_DATA] = BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
	image->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	image->ehdr.e_type = ET_DYN;
	image->ehdr.e_machine = EM_X86_64;
	image->ehdr.e_version = EV_CURRENT;
	image->ehdr.e_ehsize = sizeof(Elf64_Ehdr);
	image->ehdr.e_phentsize = sizeof(Elf64_Phdr);
	image->ehdr.e_shentsize = sizeof(Elf64_Shdr);
	image->ehdr.e_phoff = offsetof(struct elf_image, phdrs);
	image->ehdr.e_shoff = offsetof(struct elf_image, shdrs);
	image->ehdr.e_shnum = 2;
	image->ehdr.e_shstrndx = 1;
	image->shdrs[1].sh_type = SHT_STRTAB;
	image->shdrs[1].sh_offset = IMAGE_BYTES_AT;
	image->shdrs[1].sh_size = 512;
	image->n_bytes = 512;
}

/* Adds a section and returns its header, whose number is e_shnum - 1, to be changed further. */
static inline Elf64_Shdr *elf_image__section(struct elf_image *image, const char *name,
					     uint32_t type, const void *bytes, size_t n)
{
	size_t at = 1;
	Elf64_Shdr *shdr;

	while (image->bytes[at])
		at += strlen(image->bytes + at) + 1;
	assert(at + strlen(name) < 511 && image->ehdr.e_shnum < IMAGE_SECTIONS_MAX);
	strcpy(image->bytes + at, name);
	shdr = &image->shdrs[image->ehdr.e_shnum++];
	shdr->sh_name = (uint32_t)at;
	shdr->sh_type = type;
	shdr->sh_offset = elf_image__put(image, bytes, n);
	shdr->sh_size = n;
	shdr->sh_addralign = 1;
	return shdr;
}

static inline void elf_image__segment(struct elf_image *image, uint32_t type, uint32_t flags,
				      uint64_t off, uint64_t vaddr, uint64_t n_bytes)
{
	assert(image->ehdr.e_phnum < 4);
	image->phdrs[image->ehdr.e_phnum++] = (Elf64_Phdr){
	    .p_type = type,
	    .p_flags = flags,
	    .p_offset = off,
	    .p_vaddr = vaddr,
	    .p_filesz = n_bytes,
	    .p_memsz = n_bytes + 4096,
	    .p_align = 4,
	};
}

/* The file, to be closed. */
static inline int elf_image__fd(const struct elf_image *image)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	ssize_t n = write(fd, image, sizeof(*image));

	assert(fd >= 0 && n == sizeof(*image));
	return fd;
}

#endif
