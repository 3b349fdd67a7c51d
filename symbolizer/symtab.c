/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/symtab.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* How far symtab__find() looks back for a symbol that starts before others and encloses them. */
#define LOOK_BACK_MAX 4096

struct symbol {
	uint64_t vaddr;
	uint64_t end;	  /* first address after it; for unsized ones settled by symtab__sort() */
	uint64_t reach;	  /* the largest END of this and all symbols before */
	const char *name; /* borrowed */
	uint8_t is_sized;
	uint8_t binding_rank; /* 2 global, 1 weak, 0 local */
};

struct symtab {
	struct symbol *symbols;
	size_t n, cap;
	bool is_sorted;
};

/* Where the section of each symbol ends, to bound symbols without a size. */
struct sections {
	struct {
		uint64_t end;
		bool has_code;
	} * v;
	size_t n;
};

int symtab__new(struct symtab **ret)
{
	struct symtab *symtab = calloc(1, sizeof(*symtab));

	if (!symtab)
		return -ENOMEM;
	*ret = symtab;
	return 0;
}

struct symtab *symtab__free(struct symtab *symtab)
{
	if (!symtab)
		return NULL;
	free(symtab->symbols);
	free(symtab);
	return NULL;
}

int symtab__add_symbol(struct symtab *symtab, const char *name, uint64_t vaddr, uint64_t size,
		       uint64_t end, int binding_rank)
{
	int r =
	    array_reserve(&symtab->symbols, &symtab->cap, symtab->n + 1, sizeof(*symtab->symbols));

	if (r < 0)
		return r;
	if (size > UINT64_MAX - vaddr)
		size = UINT64_MAX - vaddr;
	symtab->symbols[symtab->n++] = (struct symbol){
	    .vaddr = vaddr,
	    .end = size ? vaddr + size : end,
	    .name = name,
	    .is_sized = size != 0,
	    .binding_rank = (uint8_t)binding_rank,
	};
	symtab->is_sorted = false;
	return 0;
}

static int read_sections(struct sections *sections, Elf *elf)
{
	size_t n, i;

	if (elf_getshdrnum(elf, &n) < 0)
		return -ENOEXEC;
	sections->v = calloc(n + 1, sizeof(*sections->v));
	if (!sections->v)
		return -ENOMEM;
	sections->n = n;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr shdr;

		i = elf_ndxscn(scn);
		if (i >= n || !gelf_getshdr(scn, &shdr))
			continue;
		sections->v[i].has_code = (shdr.sh_flags & SHF_EXECINSTR) != 0;
		sections->v[i].end = shdr.sh_addr + shdr.sh_size;
	}
	return 0;
}

/* Mapping symbols ("$x") and assembler's locals (".L12") are no names. */
static bool name_is_artificial(const char *name)
{
	return !name[0] || name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

/* True for a symbol of code, with the address at which its section ends. */
static bool symbol_is_code(const struct sections *sections, const GElf_Sym *sym, bool dynamic,
			   uint64_t *ret_end)
{
	int type = GELF_ST_TYPE(sym->st_info);
	bool has_code = false;

	*ret_end = sym->st_value;
	if (sym->st_shndx == SHN_UNDEF || sym->st_value == 0)
		return false;
	if (sym->st_shndx < SHN_LORESERVE && sym->st_shndx < sections->n) {
		has_code = sections->v[sym->st_shndx].has_code;
		*ret_end = sections->v[sym->st_shndx].end;
	}
	/* Nearest unsized export: wrong more often than right, so it names its first byte only. */
	if (dynamic && sym->st_size == 0)
		*ret_end = sym->st_value + 1;
	if (type == STT_NOTYPE)
		return has_code;
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static int binding_rank(const GElf_Sym *sym)
{
	switch (GELF_ST_BIND(sym->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return 2;
	case STB_WEAK:
		return 1;
	default:
		return 0;
	}
}

static int add_symbols(struct symtab *symtab, Elf *elf, Elf_Data *data, const GElf_Shdr *shdr,
		       const struct sections *sections, struct limits *limits)
{
	size_t n = shdr->sh_entsize ? shdr->sh_size / shdr->sh_entsize : 0;
	bool dynamic = shdr->sh_type == SHT_DYNSYM;

	for (size_t i = 1; i < n; i++) {
		const char *name;
		uint64_t end;
		GElf_Sym sym;
		int r;

		if (symtab->n >= LIMIT_SYMBOLS_MAX) {
			limits->hits[LIMIT_SYMBOLS]++;
			return 0;
		}
		if (!gelf_getsym(data, (int)i, &sym))
			return 0;
		if (!symbol_is_code(sections, &sym, dynamic, &end))
			continue;
		name = elf_strptr(elf, shdr->sh_link, sym.st_name);
		if (!name || name_is_artificial(name))
			continue;
		r = symtab__add_symbol(symtab, name, sym.st_value, sym.st_size, end,
				       binding_rank(&sym));
		if (r < 0)
			return r;
	}
	return 0;
}

int symtab__add(struct symtab *symtab, const struct elf_file *file, const char *name,
		struct limits *limits)
{
	Elf *elf = elf_file__elf(file);
	Elf_Scn *scn = elf_file__section(file, name), *names;
	GElf_Shdr shdr, names_shdr;
	struct sections sections = {0};
	Elf_Data *data;
	int r;

	if (!scn || !gelf_getshdr(scn, &shdr))
		return 0;
	names = elf_getscn(elf, shdr.sh_link);
	if (!names || !gelf_getshdr(names, &names_shdr) ||
	    !elf_file__bytes_plausible(file, names_shdr.sh_offset, names_shdr.sh_size))
		return 0;
	if (shdr.sh_size > LIMIT_SYMBOL_TABLE_BYTES_MAX ||
	    names_shdr.sh_size > LIMIT_SYMBOL_TABLE_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		return 0;
	}
	data = elf_getdata(scn, NULL);
	if (!data)
		return 0;
	r = read_sections(&sections, elf);
	if (r == 0)
		r = add_symbols(symtab, elf, data, &shdr, &sections, limits);
	free(sections.v);
	return r == -ENOEXEC ? 0 : r;
}

static size_t leading_underscores(const char *name)
{
	return strspn(name, "_");
}

/* Orders aliases: the better name first. */
static int compare_aliases(const struct symbol *a, const struct symbol *b)
{
	size_t na, nb;

	if (a->is_sized != b->is_sized)
		return a->is_sized ? -1 : 1;
	if (a->binding_rank != b->binding_rank)
		return a->binding_rank > b->binding_rank ? -1 : 1;
	na = leading_underscores(a->name);
	nb = leading_underscores(b->name);
	if (na != nb)
		return na < nb ? -1 : 1;
	na = symbol_name_length(a->name);
	nb = symbol_name_length(b->name);
	if (na != nb)
		return na < nb ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_symbols(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	return compare_aliases(a, b);
}

void symtab__sort(struct symtab *symtab)
{
	struct symbol *s = symtab->symbols;
	uint64_t reach = 0, next = UINT64_MAX;

	if (symtab->n)
		qsort(s, symtab->n, sizeof(*s), compare_symbols);
	for (size_t i = symtab->n; i-- > 0;) {
		if (i + 1 < symtab->n && s[i + 1].vaddr != s[i].vaddr)
			next = s[i + 1].vaddr;
		if (!s[i].is_sized)
			s[i].end = MIN(s[i].end, next);
	}
	for (size_t i = 0; i < symtab->n; i++) {
		reach = MAX(reach, s[i].end);
		s[i].reach = reach;
	}
	symtab->is_sorted = true;
}

/* The number of symbols that start at or before VADDR. */
static size_t count_starts(const struct symtab *symtab, uint64_t vaddr)
{
	size_t lo = 0, hi = symtab->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (symtab->symbols[mid].vaddr <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const char *symtab__find(const struct symtab *symtab, uint64_t vaddr, uint64_t *ret_start)
{
	const struct symbol *found = NULL;
	size_t i = count_starts(symtab, vaddr), steps = 0;

	assert(symtab->is_sorted || symtab->n == 0);
	while (i-- > 0 && steps++ < LOOK_BACK_MAX) {
		const struct symbol *s = &symtab->symbols[i];

		if (s->reach <= vaddr)
			break;
		if (s->end <= vaddr)
			continue;
		if (found && s->vaddr != found->vaddr && (found->is_sized || !s->is_sized))
			break;
		/* Aliases are sorted best first, and we come from behind. */
		if (!found || s->is_sized >= found->is_sized)
			found = s;
		if (found->is_sized && (i == 0 || symtab->symbols[i - 1].vaddr != found->vaddr))
			break;
	}
	if (found && ret_start)
		*ret_start = found->vaddr;
	return found ? found->name : NULL;
}

size_t symbol_name_length(const char *name)
{
	const char *at = strchr(name + (name[0] == '@'), '@');

	return at ? (size_t)(at - name) : strlen(name);
}
