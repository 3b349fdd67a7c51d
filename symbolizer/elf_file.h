/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ELF file, read through a descriptor: what it is, and where its code and debug sections are.
 *
 * The file is hostile and may change or shrink while it is read, so nothing is mapped: libelf reads
 * with pread, section by section, and no section is read before its size has been held against the
 * file's size and the blocks that it really occupies. No path is ever followed.
 */
#ifndef SYMBOLIZER_ELF_FILE_H
#define SYMBOLIZER_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"

struct elf_file;

/*
 * Reads the headers of the file at FD, which stays the caller's and must outlive the object.
 * Returns 0; -ENOEXEC where it is no ELF file of this machine's byte order or its headers are
 * broken; -EINVAL where it is no regular file; -EFBIG over a limit; -ENOMEM; or -errno of reading
 * it.
 */
int elf_file__open(struct elf_file **ret, int fd);
struct elf_file *elf_file__close(struct elf_file *file);

/* libelf's object, borrowed until elf_file__close(). */
Elf *elf_file__elf(const struct elf_file *file);

/* The NT_GNU_BUILD_ID note, size 0 where there is none. Borrowed. */
const struct msg_build_id *elf_file__build_id(const struct elf_file *file);
bool build_id_equal(const struct msg_build_id *a, const struct msg_build_id *b);

/* Turns the file offset OFF into the address in the file's own terms. False outside of executable
 * segments. */
bool elf_file__vaddr_of(const struct elf_file *file, uint64_t off, uint64_t *ret_vaddr);

/* A stretch of the file that is loaded as code: [off, off + n_bytes) at vaddr. */
struct elf_segment {
	uint64_t off, n_bytes, vaddr;
};

/* The executable segments, borrowed, in the order of the program headers; *RET_N of them. */
const struct elf_segment *elf_file__code(const struct elf_file *file, size_t *ret_n);

/* A stretch of addresses. A negative return ends the call. */
typedef int (*elf_range_fn)(void *ctx, uint64_t start, uint64_t end);

/*
 * Calls FN for what of the file is code: its executable sections, or where it has lost its section
 * headers its executable segments, in which some linkers put constants as well. In the order of
 * addresses, each address once. 0, -ENOMEM or a negative error of FN.
 */
int elf_file__each_code(const struct elf_file *file, elf_range_fn fn, void *ctx);

/* Reads N bytes at OFF of the file into BUF. 0, -ENXIO where they do not lie in it, or -errno. */
int elf_file__read(const struct elf_file *file, uint64_t off, void *buf, size_t n);

/* Reads N bytes that are loaded at VADDR, by any segment, into BUF. 0, -ENXIO where they do not lie
 * in the file, or -errno. */
int elf_file__read_vaddr(const struct elf_file *file, uint64_t vaddr, void *buf, size_t n);

/* The address of the first segment of TYPE (PT_GNU_EH_FRAME …) and its bytes in the file. False
 * where there is none. */
bool elf_file__segment(const struct elf_file *file, uint32_t type, uint64_t *ret_vaddr,
		       uint64_t *ret_n_bytes);

/* Where the program starts (e_entry); 0 = nowhere. And what CPU it is for (EM_X86_64 …). */
uint64_t elf_file__entry(const struct elf_file *file);
uint16_t elf_file__machine(const struct elf_file *file);

/* True for what Go's linker made: its names must not be touched. */
bool elf_file__is_go(const struct elf_file *file);
bool elf_file__has_dwarf(const struct elf_file *file);

/* The section NAME, also under its old compressed name where NAME begins with ".debug"; NULL where
 * there is none or it has no bytes in this file. */
Elf_Scn *elf_file__section(const struct elf_file *file, const char *name);

/* True where SIZE bytes at OFF lie in the file and are not mostly holes: 4 KiB on disk can claim a
 * TiB. */
bool elf_file__bytes_plausible(const struct elf_file *file, uint64_t off, uint64_t size);

/* .gnu_debuglink. False where there is none or it names anything but a plain file. */
bool elf_file__debuglink(const struct elf_file *file, char ret_name[256], uint32_t *ret_crc);

/* .gnu_debugaltlink. False where there is none or it is broken. */
bool elf_file__altlink(const struct elf_file *file, char ret_path[1024],
		       struct msg_build_id *ret_build_id);

/* The CRC-32 of the whole file as .gnu_debuglink has it. Reads all of it. Returns 0, -EFBIG or
 * -errno. */
int elf_file__crc(const struct elf_file *file, uint32_t *ret_crc);

#endif
