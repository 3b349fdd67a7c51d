/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ucontext [SECONDS]: two stacks of makecontext(), which swapcontext() takes turns with; both
 * work.
 */
#include <ucontext.h>

#include "chain.h"

static ucontext_t home, contexts[2];
static char stacks[2][65536];
static uint64_t end_ns;

static void other_stack(int own)
{
	uint64_t x = 1;

	while (before(end_ns)) {
		x = outer(x);
		swapcontext(&contexts[own], &contexts[!own]);
	}
	keep(x);
	exit(0);
}

int main(int argc, char **argv)
{
	end_ns = end_after(argc > 1 ? argv[1] : NULL, 60);
	for (int i = 0; i < 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = stacks[i];
		contexts[i].uc_stack.ss_size = sizeof(stacks[i]);
		contexts[i].uc_link = &home;
		makecontext(&contexts[i], (void (*)(void))other_stack, 1, i);
	}
	swapcontext(&home, &contexts[0]);
	return 0;
}
