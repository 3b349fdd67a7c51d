/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/symbolize: the two questions, asked about the test itself and about files that lie. */
#include "symbolizer/symbolize.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>

#include "daemon/ipc/symbols.h"
#include "tests/unit/elf_image.h"
#include "tests/unit/inlined_program.h"
#include "tests/unit/self_file.h"

/* The offset in the file of an address of code. */
static uint64_t off_of(const struct self_file *self, uint64_t vaddr)
{
	size_t n;

	assert_int_equal(elf_getphdrnum(elf_file__elf(self->file), &n), 0);
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		assert_non_null(gelf_getphdr(elf_file__elf(self->file), (int)i, &p));
		if (p.p_type == PT_LOAD && vaddr >= p.p_vaddr && vaddr < p.p_vaddr + p.p_filesz)
			return vaddr - p.p_vaddr + p.p_offset;
	}
	fail_msg("no segment holds the address");
	return 0;
}

static void names_itself(void **state)
{
	struct self_file self = {0};
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct symbols_view view;
	struct limits limits;
	uint64_t offs[2];
	void *payload;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	offs[0] = 0;
	offs[1] = off_of(&self, self_vaddr(&self, plain));
	fds.file = self.fd;
	assert_int_equal(symbolize_offsets(&fds, offs, 2, &payload, &n, &limits), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, 2), 0);
	assert_int_equal(view.addrs[0].vaddr, 0);
	assert_int_equal(view.addrs[0].n_frames, 0);
	assert_int_equal(view.addrs[1].vaddr, self_vaddr(&self, plain));
	assert_int_equal(view.addrs[1].n_frames, 1);
	assert_string_equal(view.strings + view.functions[0].name, "plain");
	assert_int_equal(view.header->debug_ignored, 0);
	assert_int_equal(view.header->cut, 0);
	for (unsigned i = 0; i < LIMIT_MAX; i++)
		assert_int_equal(limits.hits[i], 0);
	free(payload);
	self_file__close(&self);
}

/* Behind bytes that belong to no function. */
void behind_padding(void);
__asm__(".text\n"
	".type before_padding, %function\n"
	"before_padding:\n"
	"ret\n"
	".size before_padding, .-before_padding\n"
	".balign 16\n"
	".skip 16\n"
	".globl behind_padding\n"
	".type behind_padding, %function\n"
	"behind_padding:\n"
	"ret\n"
	".size behind_padding, .-behind_padding\n");

static void a_function_may_be_returned_to_at_its_start(void **state)
{
	struct self_file self = {0};
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct symbols_view view;
	struct limits limits;
	uint64_t offs[3];
	void *payload;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	offs[2] = off_of(&self, self_vaddr(&self, behind_padding));
	offs[1] = offs[2] - 1;
	offs[0] = offs[2] - 2;
	fds.file = self.fd;
	assert_int_equal(symbolize_offsets(&fds, offs, 3, &payload, &n, &limits), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, 3), 0);
	assert_int_equal(view.addrs[0].n_frames, 0);
	for (size_t i = 1; i < 3; i++) {
		const struct msg_symbol_frame *frame = &view.frames[view.addrs[i].first_frame];

		assert_int_equal(view.addrs[i].n_frames, 1);
		assert_string_equal(view.strings + view.functions[frame->function].name,
				    "behind_padding");
	}
	free(payload);
	self_file__close(&self);
}

static void identifies_itself(void **state)
{
	struct msg_identity identity;
	struct self_file self = {0};

	assert_int_equal(self_file__open(&self), 0);
	assert_int_equal(symbolize_identify(self.fd, &identity), 0);
	assert_int_equal(identity.has_dwarf, 1);
	assert_string_equal(identity.debuglink, "");
	self_file__close(&self);
}

static void a_debug_file_that_does_not_fit_is_ignored(void **state)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\1\2\3\4";
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct self_file self = {0};
	struct symbols_view view;
	struct elf_image image;
	struct limits limits;
	uint64_t off = 0;
	void *payload;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	elf_image__init(&image);
	elf_image__section(&image, ".note.gnu.build-id", SHT_NOTE, note, sizeof(note) - 1)
	    ->sh_addralign = 4;
	fds.file = self.fd;
	fds.debug = elf_image__fd(&image);
	assert_int_equal(symbolize_offsets(&fds, &off, 1, &payload, &n, &limits), 0);
	assert_int_equal(symbols_view__init(&view, payload, n, 1), 0);
	assert_int_equal(view.header->debug_ignored, 1);
	free(payload);
	close(fds.debug);
	self_file__close(&self);
}

#define CODE 0x401000ull

/* A file whose one function at CODE + 16, of 16 bytes, has the name NAME. */
static void put_symbols(struct elf_image *image, const char *name)
{
	char names[32] = "";
	Elf64_Sym symbols[2] = {{0}};
	Elf64_Shdr *shdr;
	char code[64] = "";

	strcpy(names + 1, name);
	symbols[1] = (Elf64_Sym){
	    .st_name = 1,
	    .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
	    .st_shndx = 2,
	    .st_value = CODE + 16,
	    .st_size = 16,
	};
	elf_image__init(image);
	shdr = elf_image__section(image, ".text", SHT_PROGBITS, code, sizeof(code));
	shdr->sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	shdr->sh_addr = CODE;
	elf_image__segment(image, PT_LOAD, PF_R | PF_X, shdr->sh_offset, CODE, sizeof(code));
	elf_image__section(image, ".strtab", SHT_STRTAB, names, sizeof(names));
	shdr = elf_image__section(image, ".symtab", SHT_SYMTAB, symbols, sizeof(symbols));
	shdr->sh_entsize = sizeof(Elf64_Sym);
	shdr->sh_link = 3;
}

/* A stripped file whose .gnu_debugdata is MINI, compressed and cut by CUT bytes. */
static int stripped_fd(const struct elf_image *mini, size_t cut, uint64_t *ret_off)
{
	static unsigned char packed[8192];
	struct elf_image image;
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (const void *)mini,
						 sizeof(*mini), packed, &n, sizeof(packed)),
			 LZMA_OK);
	put_symbols(&image, "");
	image.shdrs[4].sh_type = SHT_NULL;
	elf_image__section(&image, ".gnu_debugdata", SHT_PROGBITS, packed, n - cut);
	*ret_off = image.shdrs[2].sh_offset;
	return elf_image__fd(&image);
}

static void names_from_gnu_debugdata(void **state)
{
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct symbols_view view;
	struct elf_image mini;
	struct limits limits;
	uint64_t offs[2], off;
	void *payload;
	size_t n;

	put_symbols(&mini, "hidden\tfunction");
	for (size_t cut = 0; cut < 2; cut++) {
		fds.file = stripped_fd(&mini, cut, &off);
		offs[0] = off + 15;
		offs[1] = off + 17;
		assert_int_equal(symbolize_offsets(&fds, offs, 2, &payload, &n, &limits), 0);
		assert_int_equal(symbols_view__init(&view, payload, n, 2), 0);
		assert_int_equal(view.addrs[1].n_frames, !cut);
		if (!cut) {
			assert_int_equal(view.addrs[0].n_frames, 1); /* before its start */
			assert_int_equal(view.addrs[1].source, SYMBOL_SOURCE_SYMTAB);
			assert_string_equal(view.strings + view.functions[0].name,
					    "hidden\\x09function");
		}
		free(payload);
		close(fds.file);
	}
}

static void wrong_questions_are_refused(void **state)
{
	const uint64_t backwards[] = {2, 1}, twice[] = {1, 1};
	struct symbolize_fds fds = {-1, -1, -1, -1};
	struct self_file self = {0};
	struct msg_identity identity;
	struct limits limits;
	void *payload = NULL;
	size_t n;

	assert_int_equal(self_file__open(&self), 0);
	fds.file = self.fd;
	assert_int_equal(symbolize_offsets(&fds, backwards, 2, &payload, &n, &limits), -EINVAL);
	assert_int_equal(symbolize_offsets(&fds, twice, 2, &payload, &n, &limits), -EINVAL);
	fds.file = -1;
	assert_int_equal(symbolize_offsets(&fds, twice, 1, &payload, &n, &limits), -EBADF);
	assert_int_equal(symbolize_identify(-1, &identity), -EBADF);
	assert_null(payload);
	self_file__close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_itself),
	    cmocka_unit_test(a_function_may_be_returned_to_at_its_start),
	    cmocka_unit_test(identifies_itself),
	    cmocka_unit_test(a_debug_file_that_does_not_fit_is_ignored),
	    cmocka_unit_test(names_from_gnu_debugdata),
	    cmocka_unit_test(wrong_questions_are_refused),
	};

	outer(plain(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
