/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone SECONDS clone|raw|vfork|fork: work() in a child that shares the memory, made by clone();
 * by the bare system call, as runtimes without a libc do; by vfork(), before it executes another
 * program; or by fork().
 */
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"

static _Alignas(16) char stack[65536];
static uint64_t end_ns;

static int child(void *arg)
{
	uint64_t x = 1;

	(void)arg;
	while (before(end_ns))
		x = outer(x);
	keep(x);
	_exit(0);
}

int raw_clone(unsigned long flags, void *stack_top, int (*run)(void *));

/* Without unwind information, as the assembler of a runtime mostly is. */
__asm__(".text\n"
	".type raw_clone, @function\n"
	".globl raw_clone\n"
	"raw_clone:\n"
	"mov %rdx, %r9\n"
	"xor %r8d, %r8d\n"
	"xor %edx, %edx\n"
	"xor %r10d, %r10d\n"
	"mov $56, %eax\n"
	"syscall\n"
	"test %eax, %eax\n"
	"jnz 1f\n"
	"xor %ebp, %ebp\n"
	"xor %edi, %edi\n"
	"call *%r9\n"
	"ud2\n"
	"1: ret\n"
	".size raw_clone, .-raw_clone\n");

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "clone";
	int pid;

	end_ns = end_after(argc > 1 ? argv[1] : NULL, 60);
	if (!strcmp(mode, "clone"))
		pid = clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	else if (!strcmp(mode, "raw"))
		pid = raw_clone(CLONE_VM | SIGCHLD, stack + sizeof(stack), child);
	else if (!strcmp(mode, "vfork"))
		pid = vfork();
	else
		pid = fork();
	if (pid == 0)
		child(NULL);
	if (pid < 0)
		return 1;
	waitpid(pid, NULL, 0);
	return 0;
}
