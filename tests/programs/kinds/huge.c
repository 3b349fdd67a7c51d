/* SPDX-License-Identifier: Apache-2.0 */
/*
 * huge [SECONDS]: 20 MiB of code. 20,000 functions of 1,000 bytes, then work() < huge_inner() <
 * huge_outer() < main(), the middle ones with 100 KB of instructions before and after the call.
 */
#include "../burn.h"

__asm__(".text\n"
	".set i, 0\n"
	".rept 20000\n"
	".cfi_startproc\n"
	"push %rbx\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset %rbx, -16\n"
	".skip 990, 0x90\n"
	"pop %rbx\n"
	".cfi_def_cfa_offset 8\n"
	"ret\n"
	".cfi_endproc\n"
	".endr\n");

#define NOPS __asm__ volatile(".skip 100000, 0x90")

static NOINLINE uint64_t work(uint64_t x)
{
	return burn(x, 20000) + 1;
}

static NOINLINE uint64_t huge_inner(uint64_t x)
{
	uint64_t y;

	NOPS;
	y = work(x);
	NOPS;
	return y + x;
}

static NOINLINE uint64_t huge_outer(uint64_t x)
{
	uint64_t y;

	NOPS;
	y = huge_inner(x);
	NOPS;
	return y * x;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;

	while (before(end))
		x = huge_outer(x);
	keep(x);
	return 0;
}
