/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/elf_file.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/limits.h"

/* Notes are a few hundred bytes; core files, which have megabytes of them, are none of ours. */
#define NOTE_BYTES_MAX (64u << 10)
#define CRC_BYTES_MAX (2ull << 30)

/* All notes that are looked at for the build id: libelf keeps what it has read. */
#define ALL_NOTES_BYTES_MAX (1u << 20)

#define ELFDATA_HOST (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB)

struct elf_file {
	int fd; /* borrowed */
	Elf *elf;
	uint64_t size, blocks_bytes;
	size_t shstrndx;
	struct elf_segment *code;  /* the executable ones */
	struct elf_segment *loads; /* all that are loaded */
	size_t n_code, n_loads;
	uint64_t note_bytes_left;
	struct msg_build_id build_id;
};

DEFINE_CLEANUP(struct elf_file *, elf_file__close);

struct elf_file *elf_file__close(struct elf_file *file)
{
	if (!file)
		return NULL;
	elf_end(file->elf);
	free(file->code);
	free(file->loads);
	free(file);
	return NULL;
}

Elf *elf_file__elf(const struct elf_file *file)
{
	return file->elf;
}

const struct msg_build_id *elf_file__build_id(const struct elf_file *file)
{
	return &file->build_id;
}

bool build_id_equal(const struct msg_build_id *a, const struct msg_build_id *b)
{
	return a->size == b->size && a->size <= BUILD_ID_MAX &&
	       !memcmp(a->bytes, b->bytes, a->size);
}

bool elf_file__bytes_plausible(const struct elf_file *file, uint64_t off, uint64_t size)
{
	if (off > file->size || size > file->size - off)
		return false;
	/* Compressing file systems allocate less than the size, so only the extreme is refused. */
	return size / LIMIT_INFLATION_RATIO <= file->blocks_bytes + LIMIT_INFLATION_SLACK;
}

/* Refuses tables of headers that libelf would take much memory for. Before libelf sees the file. */
static int check_headers(const struct elf_file *file)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} h = {0};
	uint64_t shoff, n_sections;
	uint16_t type;
	bool is_64;
	int64_t n;

	n = pread_full(file->fd, &h, sizeof(h), 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(h.e32) || memcmp(h.ident, ELFMAG, SELFMAG) ||
	    h.ident[EI_DATA] != ELFDATA_HOST)
		return -ENOEXEC;
	is_64 = h.ident[EI_CLASS] == ELFCLASS64;
	type = is_64 ? h.e64.e_type : h.e32.e_type;
	if (type != ET_EXEC && type != ET_DYN && type != ET_REL)
		return -ENOEXEC;
	shoff = is_64 ? h.e64.e_shoff : h.e32.e_shoff;
	n_sections = is_64 ? h.e64.e_shnum : h.e32.e_shnum;
	if (n_sections == 0 && shoff != 0) {
		union {
			Elf64_Shdr s64;
			Elf32_Shdr s32;
		} s = {0};

		n = pread_full(file->fd, &s, sizeof(s), shoff);
		n_sections = n < 0 ? 0 : is_64 ? s.s64.sh_size : s.s32.sh_size;
	}
	return n_sections > LIMIT_SECTIONS_MAX ? -EFBIG : 0;
}

/* Looks for the build id in N bytes of notes. True where it was found. */
static bool read_build_id(struct elf_file *file, Elf_Data *notes)
{
	size_t pos = 0, name, desc;
	GElf_Nhdr nhdr;

	while (notes && (pos = gelf_getnote(notes, pos, &nhdr, &name, &desc)) > 0) {
		const char *bytes = notes->d_buf;

		if (nhdr.n_type != NT_GNU_BUILD_ID || nhdr.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(bytes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) || !nhdr.n_descsz)
			continue;
		file->build_id.size = MIN(nhdr.n_descsz, BUILD_ID_MAX);
		memcpy(file->build_id.bytes, bytes + desc, file->build_id.size);
		return true;
	}
	return false;
}

static void add_segment(struct elf_file *file, const GElf_Phdr *phdr)
{
	/* p_filesz: bytes that exist only in memory have no offset. */
	struct elf_segment segment = {
	    .off = phdr->p_offset,
	    .n_bytes = phdr->p_filesz,
	    .vaddr = phdr->p_vaddr,
	};

	file->loads[file->n_loads++] = segment;
	if ((phdr->p_flags & PF_X) && phdr->p_filesz)
		file->code[file->n_code++] = segment;
}

/* Whether N bytes of notes at OFF may be read. */
static bool notes_readable(struct elf_file *file, uint64_t off, uint64_t n)
{
	if (n > MIN(NOTE_BYTES_MAX, file->note_bytes_left) ||
	    !elf_file__bytes_plausible(file, off, n))
		return false;
	file->note_bytes_left -= n;
	return true;
}

static int read_segments(struct elf_file *file)
{
	size_t n;

	if (elf_getphdrnum(file->elf, &n) < 0)
		return -ENOEXEC;
	if (n > LIMIT_SEGMENTS_MAX)
		return -EFBIG;
	file->code = calloc(n + 1, sizeof(*file->code));
	file->loads = calloc(n + 1, sizeof(*file->loads));
	if (!file->code || !file->loads)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(file->elf, (int)i, &phdr))
			return -ENOEXEC;
		if (phdr.p_type == PT_LOAD)
			add_segment(file, &phdr);
		if (phdr.p_type == PT_NOTE && !file->build_id.size &&
		    notes_readable(file, phdr.p_offset, phdr.p_filesz))
			read_build_id(file, elf_getdata_rawchunk(
						file->elf, (int64_t)phdr.p_offset, phdr.p_filesz,
						phdr.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
	}
	return 0;
}

/* Files with debug information only have note segments without bytes, but the sections are there.
 */
static void read_note_sections(struct elf_file *file)
{
	GElf_Shdr shdr;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(file->elf, scn));) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_NOTE ||
		    !notes_readable(file, shdr.sh_offset, shdr.sh_size))
			continue;
		if (read_build_id(file, elf_getdata(scn, NULL)))
			return;
	}
}

/*
 * Whether the table of section names ends with the end of a name, as it has to: then libelf sees at
 * once that each name has an end, else it looks for that from the table's end back, each time.
 */
static bool names_end(const struct elf_file *file)
{
	Elf_Scn *scn = elf_getscn(file->elf, file->shstrndx);
	GElf_Shdr shdr;
	char last = 1;

	return scn && gelf_getshdr(scn, &shdr) && !(shdr.sh_flags & SHF_COMPRESSED) &&
	       shdr.sh_size && elf_file__bytes_plausible(file, shdr.sh_offset, shdr.sh_size) &&
	       pread_full(file->fd, &last, 1, shdr.sh_offset + shdr.sh_size - 1) == 1 && !last;
}

int elf_file__open(struct elf_file **ret, int fd)
{
	_cleanup_(elf_file__closep) struct elf_file *file = calloc(1, sizeof(*file));
	struct stat st;
	int r;

	if (!file)
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	file->fd = fd;
	file->note_bytes_left = ALL_NOTES_BYTES_MAX;
	file->size = (uint64_t)st.st_size;
	file->blocks_bytes = (uint64_t)st.st_blocks * 512;
	r = check_headers(file);
	if (r < 0)
		return r;
	elf_version(EV_CURRENT);
	file->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
		return -ENOEXEC;
	/* Without section names there are no sections for us; segments may still do. */
	if (elf_getshdrstrndx(file->elf, &file->shstrndx) < 0 || !names_end(file))
		file->shstrndx = 0;
	r = read_segments(file);
	if (r < 0)
		return r;
	if (!file->build_id.size)
		read_note_sections(file);
	*ret = steal_ptr(file);
	return 0;
}

bool elf_file__vaddr_of(const struct elf_file *file, uint64_t off, uint64_t *ret_vaddr)
{
	for (size_t i = 0; i < file->n_code; i++) {
		const struct elf_segment *c = &file->code[i];

		if (off >= c->off && off - c->off < c->n_bytes) {
			*ret_vaddr = off - c->off + c->vaddr;
			return true;
		}
	}
	return false;
}

const struct elf_segment *elf_file__code(const struct elf_file *file, size_t *ret_n)
{
	*ret_n = file->n_code;
	return file->code;
}

struct code_ranges {
	struct elf_segment *v; /* vaddr and n_bytes only */
	size_t n, cap;
};

static int add_range(struct code_ranges *ranges, uint64_t vaddr, uint64_t n_bytes)
{
	int r;

	if (vaddr + n_bytes <= vaddr)
		return 0;
	r = array_reserve(&ranges->v, &ranges->cap, ranges->n + 1, sizeof(*ranges->v));
	if (r == 0)
		ranges->v[ranges->n++] = (struct elf_segment){.vaddr = vaddr, .n_bytes = n_bytes};
	return r;
}

static int by_vaddr(const void *pa, const void *pb)
{
	const struct elf_segment *a = pa, *b = pb;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static int find_ranges(const struct elf_file *file, struct code_ranges *ranges)
{
	GElf_Shdr shdr;
	int r = 0;

	for (Elf_Scn *scn = NULL; r == 0 && (scn = elf_nextscn(file->elf, scn));)
		if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_EXECINSTR) &&
		    shdr.sh_type != SHT_NOBITS)
			r = add_range(ranges, shdr.sh_addr, shdr.sh_size);
	if (ranges->n)
		return r;
	for (size_t i = 0; i < file->n_code && r == 0; i++)
		r = add_range(ranges, file->code[i].vaddr, file->code[i].n_bytes);
	return r;
}

int elf_file__each_code(const struct elf_file *file, elf_range_fn fn, void *ctx)
{
	struct code_ranges ranges = {0};
	uint64_t done = 0;
	int r = find_ranges(file, &ranges);

	if (ranges.n)
		qsort(ranges.v, ranges.n, sizeof(*ranges.v), by_vaddr);
	for (size_t i = 0; i < ranges.n && r >= 0; i++) {
		uint64_t start = MAX(ranges.v[i].vaddr, done);
		uint64_t end = ranges.v[i].vaddr + ranges.v[i].n_bytes;

		if (start < end)
			r = fn(ctx, start, end);
		done = MAX(done, end);
	}
	free(ranges.v);
	return MIN(r, 0);
}

int elf_file__read(const struct elf_file *file, uint64_t off, void *buf, size_t n)
{
	int64_t got;

	if (off > file->size || n > file->size - off)
		return -ENXIO;
	got = pread_full(file->fd, buf, n, off);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENXIO;
}

int elf_file__read_vaddr(const struct elf_file *file, uint64_t vaddr, void *buf, size_t n)
{
	for (size_t i = 0; i < file->n_loads; i++) {
		const struct elf_segment *s = &file->loads[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr <= s->n_bytes &&
		    n <= s->n_bytes - (vaddr - s->vaddr))
			return elf_file__read(file, s->off + (vaddr - s->vaddr), buf, n);
	}
	return -ENXIO;
}

bool elf_file__segment(const struct elf_file *file, uint32_t type, uint64_t *ret_vaddr,
		       uint64_t *ret_n_bytes)
{
	size_t n;

	if (elf_getphdrnum(file->elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(file->elf, (int)i, &phdr) || phdr.p_type != type)
			continue;
		*ret_vaddr = phdr.p_vaddr;
		*ret_n_bytes = phdr.p_filesz;
		return true;
	}
	return false;
}

uint64_t elf_file__entry(const struct elf_file *file)
{
	GElf_Ehdr ehdr;

	return gelf_getehdr(file->elf, &ehdr) ? ehdr.e_entry : 0;
}

uint16_t elf_file__machine(const struct elf_file *file)
{
	GElf_Ehdr ehdr;

	return gelf_getehdr(file->elf, &ehdr) ? ehdr.e_machine : EM_NONE;
}

static const char *section_name(const struct elf_file *file, const GElf_Shdr *shdr)
{
	Elf_Scn *names = file->shstrndx ? elf_getscn(file->elf, file->shstrndx) : NULL;
	GElf_Shdr names_shdr;

	if (!names || !gelf_getshdr(names, &names_shdr) || names_shdr.sh_size > (16u << 20) ||
	    !elf_file__bytes_plausible(file, names_shdr.sh_offset, names_shdr.sh_size))
		return NULL;
	return elf_strptr(file->elf, file->shstrndx, shdr->sh_name);
}

/* The name of a DWARF section without the "z" that old compressed ones have: ".debug_info". */
static bool section_name_is(const char *have, const char *want)
{
	if (!strcmp(have, want))
		return true;
	return !strncmp(have, ".zdebug", 7) && !strncmp(want, ".debug", 6) &&
	       !strcmp(have + 7, want + 6);
}

Elf_Scn *elf_file__section(const struct elf_file *file, const char *name)
{
	GElf_Shdr shdr;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(file->elf, scn));) {
		const char *have;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS || !shdr.sh_size)
			continue;
		have = section_name(file, &shdr);
		if (have && section_name_is(have, name) &&
		    elf_file__bytes_plausible(file, shdr.sh_offset, shdr.sh_size))
			return scn;
	}
	return NULL;
}

bool elf_file__is_go(const struct elf_file *file)
{
	return elf_file__section(file, ".gopclntab") || elf_file__section(file, ".go.buildinfo") ||
	       elf_file__section(file, ".note.go.buildid");
}

bool elf_file__has_dwarf(const struct elf_file *file)
{
	return elf_file__section(file, ".debug_info");
}

/* The bytes of a link section, borrowed; NULL where it is missing or too long to be one. */
static const char *link_section(const struct elf_file *file, const char *name, size_t *ret_n)
{
	Elf_Scn *scn = elf_file__section(file, name);
	GElf_Shdr shdr;
	Elf_Data *data;

	if (!scn || !gelf_getshdr(scn, &shdr) || shdr.sh_size > 8192)
		return NULL;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf)
		return NULL;
	*ret_n = data->d_size;
	return data->d_buf;
}

static bool text_is_plain(const char *s, bool slash_allowed)
{
	if (!*s || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || (*s == '/' && !slash_allowed))
			return false;
	return true;
}

bool elf_file__debuglink(const struct elf_file *file, char ret_name[256], uint32_t *ret_crc)
{
	size_t n, len, crc_at;
	const char *link = link_section(file, ".gnu_debuglink", &n);

	if (!link)
		return false;
	len = strnlen(link, n);
	crc_at = (len + 4) & ~(size_t)3;
	if (len >= 256 || crc_at + sizeof(*ret_crc) > n || !text_is_plain(link, false))
		return false;
	memcpy(ret_name, link, len + 1);
	memcpy(ret_crc, link + crc_at, sizeof(*ret_crc));
	return true;
}

bool elf_file__altlink(const struct elf_file *file, char ret_path[1024],
		       struct msg_build_id *ret_build_id)
{
	size_t n, len;
	const char *link = link_section(file, ".gnu_debugaltlink", &n);

	if (!link)
		return false;
	len = strnlen(link, n);
	if (len >= 1024 || len + 1 >= n || !text_is_plain(link, true))
		return false;
	memcpy(ret_path, link, len + 1);
	*ret_build_id = (struct msg_build_id){.size = MIN(n - len - 1, BUILD_ID_MAX)};
	memcpy(ret_build_id->bytes, link + len + 1, ret_build_id->size);
	return true;
}

int elf_file__crc(const struct elf_file *file, uint32_t *ret_crc)
{
	const size_t chunk = 64u << 10;
	cleanup_free unsigned char *buf = malloc(chunk);
	uLong crc = crc32(0, NULL, 0);
	uint64_t off = 0;

	if (!buf)
		return -ENOMEM;
	if (file->size > CRC_BYTES_MAX || !elf_file__bytes_plausible(file, 0, file->size))
		return -EFBIG;
	for (;;) {
		int64_t n = pread_full(file->fd, buf, chunk, off);

		if (n < 0)
			return (int)n;
		crc = crc32(crc, buf, (uInt)n);
		off += (uint64_t)n;
		if ((size_t)n < chunk)
			break;
	}
	*ret_crc = (uint32_t)crc;
	return 0;
}
