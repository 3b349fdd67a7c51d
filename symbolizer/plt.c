/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/plt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"

/* .plt, .plt.sec, .plt.got. */
#define SECTIONS_MAX 3

/* Of dynamic relocations with a symbol; browsers have some 100,000. */
#define SLOTS_MAX (1u << 20)

struct section {
	uint64_t vaddr, n_bytes;
	unsigned stub_bytes;
};

/* A word that the dynamic linker fills with the address of a symbol. */
struct slot {
	uint64_t vaddr;
	uint32_t symbol;
};

struct plt {
	const struct elf_file *file; /* borrowed */
	struct section sections[SECTIONS_MAX];
	size_t n_sections;
	struct slot *slots; /* by address */
	size_t n_slots, cap_slots;
	struct slot *lazy; /* those of .rela.plt in its order, as the stubs count them */
	size_t n_lazy, cap_lazy;
	Elf_Data *symbols; /* libelf's; NULL = none */
	size_t strings;	   /* section of their names */
};

DEFINE_CLEANUP(struct plt *, plt__free);

struct plt *plt__free(struct plt *plt)
{
	if (!plt)
		return NULL;
	free(plt->slots);
	free(plt->lazy);
	free(plt);
	return NULL;
}

static void find_sections(struct plt *plt)
{
	static const char *const names[SECTIONS_MAX] = {".plt", ".plt.sec", ".plt.got"};

	for (size_t i = 0; i < SECTIONS_MAX; i++) {
		Elf_Scn *scn = elf_file__section(plt->file, names[i]);
		GElf_Shdr shdr;

		if (scn && gelf_getshdr(scn, &shdr))
			plt->sections[plt->n_sections++] = (struct section){
			    .vaddr = shdr.sh_addr,
			    .n_bytes = shdr.sh_size,
			    /* Of .plt.got without endbr64 only 8; linkers say so, or nothing. */
			    .stub_bytes = i == 2 && shdr.sh_entsize == 8 ? 8 : 16,
			};
	}
}

/* The data of section NAME; NULL where there are none, or more than the limit, which is counted. */
static Elf_Data *section_data(const struct plt *plt, const char *name, uint64_t max,
			      GElf_Shdr *ret_shdr, struct limits *limits)
{
	Elf_Scn *scn = elf_file__section(plt->file, name);

	if (!scn || !gelf_getshdr(scn, ret_shdr) || (ret_shdr->sh_flags & SHF_COMPRESSED))
		return NULL;
	if (ret_shdr->sh_size > max) {
		limits->hits[LIMIT_BYTES]++;
		return NULL;
	}
	return elf_getdata(scn, NULL);
}

static int add_slot(struct slot **slots, size_t *n, size_t *cap, const GElf_Rela *rela)
{
	int r = array_reserve(slots, cap, *n + 1, sizeof(**slots));

	if (r == 0)
		(*slots)[(*n)++] = (struct slot){
		    .vaddr = rela->r_offset,
		    .symbol = (uint32_t)GELF_R_SYM(rela->r_info),
		};
	return r;
}

static int read_slots(struct plt *plt, const char *name, bool is_lazy, struct limits *limits)
{
	GElf_Shdr shdr;
	Elf_Data *data = section_data(plt, name, LIMIT_SYMBOL_TABLE_BYTES_MAX, &shdr, limits);
	size_t n = data ? data->d_size / sizeof(Elf64_Rela) : 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		GElf_Rela rela;
		uint64_t type;

		if (!gelf_getrela(data, (int)i, &rela))
			break;
		type = GELF_R_TYPE(rela.r_info);
		if (plt->n_slots >= SLOTS_MAX || plt->n_lazy >= SLOTS_MAX) {
			limits->hits[LIMIT_SYMBOLS]++;
			break;
		}
		if (is_lazy)
			r = add_slot(&plt->lazy, &plt->n_lazy, &plt->cap_lazy, &rela);
		if (r == 0 && (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT))
			r = add_slot(&plt->slots, &plt->n_slots, &plt->cap_slots, &rela);
	}
	return r;
}

static int by_vaddr(const void *pa, const void *pb)
{
	const struct slot *a = pa, *b = pb;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	return (a->symbol > b->symbol) - (a->symbol < b->symbol);
}

int plt__new(struct plt **ret, const struct elf_file *file, struct limits *limits)
{
	_cleanup_(plt__freep) struct plt *plt = calloc(1, sizeof(*plt));
	GElf_Shdr shdr = {0};
	int r = 0;

	if (!plt)
		return -ENOMEM;
	plt->file = file;
	if (elf_file__machine(file) == EM_X86_64)
		find_sections(plt);
	if (plt->n_sections) {
		plt->symbols =
		    section_data(plt, ".dynsym", LIMIT_SYMBOL_TABLE_BYTES_MAX, &shdr, limits);
		plt->strings = shdr.sh_link;
		r = read_slots(plt, ".rela.plt", true, limits);
		if (r == 0)
			r = read_slots(plt, ".rela.dyn", false, limits);
	}
	if (r < 0)
		return r;
	if (plt->n_slots)
		qsort(plt->slots, plt->n_slots, sizeof(*plt->slots), by_vaddr);
	*ret = steal_ptr(plt);
	return 0;
}

static const struct slot *slot_at(const struct plt *plt, uint64_t vaddr)
{
	struct slot key = {.vaddr = vaddr};
	size_t lo = 0, hi = plt->n_slots;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_vaddr(&plt->slots[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < plt->n_slots && plt->slots[lo].vaddr == vaddr ? &plt->slots[lo] : NULL;
}

/* The slot of the stub of N bytes at VADDR: "jmp *slot(%rip)", or of lazy ones with endbr64, which
 * jump in .plt.sec, "push $number". */
static const struct slot *slot_of(const struct plt *plt, uint64_t vaddr, unsigned n)
{
	uint8_t code[16];
	int32_t operand;

	if (elf_file__read_vaddr(plt->file, vaddr, code, n) < 0)
		return NULL;
	for (unsigned i = 0; i + 6 <= n; i++) {
		if (code[i] != 0xff || code[i + 1] != 0x25)
			continue;
		memcpy(&operand, code + i + 2, sizeof(operand));
		return slot_at(plt, vaddr + i + 6 + (uint64_t)(int64_t)operand);
	}
	if (n == 16 && code[0] == 0xf3 && code[4] == 0x68) {
		memcpy(&operand, code + 5, sizeof(operand));
		if (operand >= 0 && (size_t)operand < plt->n_lazy)
			return &plt->lazy[operand];
	}
	return NULL;
}

const char *plt__find(const struct plt *plt, uint64_t vaddr)
{
	for (size_t i = 0; i < plt->n_sections && plt->symbols; i++) {
		const struct section *s = &plt->sections[i];
		const struct slot *slot;
		const char *name;
		GElf_Sym sym;
		uint64_t in;

		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->n_bytes)
			continue;
		in = (vaddr - s->vaddr) % s->stub_bytes;
		slot = slot_of(plt, vaddr - in, s->stub_bytes);
		if (!slot || slot->symbol > INT32_MAX ||
		    !gelf_getsym(plt->symbols, (int)slot->symbol, &sym))
			return NULL;
		name = elf_strptr(elf_file__elf(plt->file), plt->strings, sym.st_name);
		return name && name[0] ? name : NULL;
	}
	return NULL;
}
