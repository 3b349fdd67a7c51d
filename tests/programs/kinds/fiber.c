/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber [SECONDS]: stacks that a few lines of assembler change between, as many runtimes have
 * them: without unwind information, and with nothing but zeros above the first frame.
 */
#include "chain.h"

struct fiber {
	void *sp;
};

static struct fiber fibers[2];
static _Alignas(16) char stacks[2][65536];
static uint64_t end_ns;

void change_stack(struct fiber *from, struct fiber *to);

__asm__(".text\n"
	".type change_stack, @function\n"
	".globl change_stack\n"
	"change_stack:\n"
	"push %rbp\n"
	"push %rbx\n"
	"push %r12\n"
	"push %r13\n"
	"push %r14\n"
	"push %r15\n"
	"mov %rsp, (%rdi)\n"
	"mov (%rsi), %rsp\n"
	"pop %r15\n"
	"pop %r14\n"
	"pop %r13\n"
	"pop %r12\n"
	"pop %rbx\n"
	"pop %rbp\n"
	"ret\n"
	".size change_stack, .-change_stack\n");

static int turn;

static void other_stack(void)
{
	uint64_t x = 1;
	int own = turn;

	while (before(end_ns)) {
		x = outer(x);
		turn = !own;
		change_stack(&fibers[own], &fibers[!own]);
	}
	keep(x);
	exit(0);
}

int main(int argc, char **argv)
{
	struct fiber home;

	end_ns = end_after(argc > 1 ? argv[1] : NULL, 60);
	for (int i = 0; i < 2; i++) {
		void **top = (void **)(stacks[i] + sizeof(stacks[i]));

		/* Where other_stack() would return to: nowhere. */
		top[-2] = NULL;
		top[-3] = (void *)other_stack;
		fibers[i].sp = &top[-9];
	}
	change_stack(&home, &fibers[0]);
	return 0;
}
