/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_stack [SECONDS [MODE]]: works where a walk of the stack meets something bad.
 *
 * unmapped, none, file, kernel, zero: the stack pointer points to no mapping, to PROT_NONE, to a
 * file, into the kernel, to 0. other: to the stack of another thread. /PATH: into that
 * file, of which only the first half can be read. mappings: 65,000 executable mappings. stacks: a
 * million different stacks.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "burn.h"

#define MAPPINGS 65000
#define COPIED ((32 << 10) - 128) /* of a stack, from its pointer on */
#define DEPTH 20		  /* of two functions at random: 2^20 stacks */

/* Works for ever with the stack, and the frame pointer, at SP. */
static NOINLINE __attribute__((noreturn)) void spin_at(uint64_t sp)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov %0, %%rbp\n"
			 "1:\n\t"
			 "pause\n\t"
			 "jmp 1b"
			 :
			 : "r"(sp)
			 : "memory");
	__builtin_unreachable();
}

static void *spin(void *sp)
{
	spin_at((uintptr_t)sp);
}

static volatile uint64_t stack_of_other;

static void *work_on_own_stack(void *arg)
{
	stack_of_other = (uintptr_t)__builtin_frame_address(0);
	for (uint64_t x = 1;;)
		x = burn(x, 1000);
	return arg;
}

static uint64_t of_file(void)
{
	int fd = memfd_create("stack", 0);
	char *p;

	if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
		exit(1);
	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 0x41, 1 << 20);
	return (uintptr_t)p + (1 << 19);
}

/* The file PATH, of which only the first half can be read. */
static uint64_t half_a_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(1);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED || madvise(p, (size_t)st.st_size, MADV_RANDOM) < 0)
		exit(1);
	for (off_t i = 0; i < st.st_size / 2; i += 4096)
		(void)*(volatile char *)(p + i);
	/* The kernel copies what there is, so that the rest is wanted. */
	return (uintptr_t)p + (uint64_t)st.st_size / 2 - COPIED;
}

static uint64_t bad_stack(const char *mode)
{
	char *p = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t other;

	if (!strcmp(mode, "none"))
		return (uintptr_t)p + (1 << 19);
	if (!strcmp(mode, "file"))
		return of_file();
	if (!strcmp(mode, "kernel"))
		return 0xffffffff81000000;
	if (!strcmp(mode, "zero"))
		return 0;
	if (mode[0] == '/')
		return half_a_file(mode);
	if (!strcmp(mode, "other")) {
		pthread_create(&other, NULL, work_on_own_stack, NULL);
		while (!stack_of_other)
			usleep(1000);
		return stack_of_other;
	}
	munmap(p, 1 << 20);
	return (uintptr_t)p + (1 << 19);
}

/* One page of a file, over and over: neighbours with the same offset are not merged. */
static void map_much(void)
{
	int fd = memfd_create("code", 0);
	char *p = mmap(NULL, MAPPINGS * 4096ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		exit(1);
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (mmap(p + i * 4096ul, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			break; /* vm.max_map_count */
}

static uint64_t left(uint64_t x, int depth);
static uint64_t right(uint64_t x, int depth);

static inline uint64_t go_on(uint64_t x, int depth)
{
	x = burn(x, 30);
	if (depth == 0)
		return x;
	x = x >> depth & 1 ? left(x, depth - 1) : right(x, depth - 1);
	HAVE_FRAME();
	return x;
}

static NOINLINE uint64_t left(uint64_t x, int depth)
{
	return go_on(x, depth) + 1;
}

static NOINLINE uint64_t right(uint64_t x, int depth)
{
	return go_on(x, depth) + 2;
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 88172645463325252;
	const char *mode = argc > 2 ? argv[2] : "unmapped";
	pthread_t thread;

	if (!strcmp(mode, "mappings"))
		map_much();
	if (!strcmp(mode, "mappings") || !strcmp(mode, "stacks")) {
		while (before(end))
			x = go_on(x, DEPTH);
		keep(x);
		return 0;
	}
	pthread_create(&thread, NULL, spin, (void *)(uintptr_t)bad_stack(mode));
	while (before(end))
		usleep(10000);
	_exit(0);
}
