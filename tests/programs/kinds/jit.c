/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit SECONDS frame|none|protect|back: calls code that it writes itself, on a page that can be
 * executed from its mmap() on: with a frame pointer; without; with one, on a page that mprotect()
 * makes executable; and code that calls work() in turn.
 */
#include <string.h>
#include <sys/mman.h>

#include "../burn.h"

static NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

/*
 * push %rbp; mov %rsp, %rbp; mov $50000, %ecx; 1: dec %ecx; jnz 1b; lea 1(%rdi), %rax; pop %rbp;
 * ret
 */
static const unsigned char with_frame[] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0x50, 0xc3,
					   0x00, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0x48,
					   0x8d, 0x47, 0x01, 0x5d, 0xc3};
/* sub $24, %rsp; mov $50000, %ecx; 1: dec %ecx; jnz 1b; lea 1(%rdi), %rax; add $24, %rsp; ret */
static const unsigned char without[] = {0x48, 0x83, 0xec, 0x18, 0xb9, 0x50, 0xc3, 0x00,
					0x00, 0xff, 0xc9, 0x75, 0xfc, 0x48, 0x8d, 0x47,
					0x01, 0x48, 0x83, 0xc4, 0x18, 0xc3};
/* push %rbp; mov %rsp, %rbp; call *%rsi; pop %rbp; ret */
static const unsigned char calls_back[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3};

typedef uint64_t (*code)(uint64_t x, uint64_t (*callee)(uint64_t x));

static NOINLINE uint64_t call_made(code made, uint64_t x)
{
	return made(x, work) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;
	const char *mode = argc > 2 ? argv[2] : "frame";
	int late = !strcmp(mode, "protect");
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | (late ? 0 : PROT_EXEC),
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code made;

	if (page == MAP_FAILED)
		return 1;
	if (!strcmp(mode, "none"))
		memcpy(page, without, sizeof(without));
	else if (!strcmp(mode, "back"))
		memcpy(page, calls_back, sizeof(calls_back));
	else
		memcpy(page, with_frame, sizeof(with_frame));
	if (late && mprotect(page, 4096, PROT_READ | PROT_EXEC))
		return 1;
	memcpy(&made, &page, sizeof(made));
	while (before(end))
		x = call_made(made, x);
	keep(x);
	return 0;
}
