/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls [SECONDS]: nearly all time in the kernel, in read() of /dev/zero and in getppid(). They
 * are called without libc, whose functions have no frames and so hide their callers from frame
 * pointers.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "burn.h"

static inline long system_call(long number, long a, long b, long c)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#else
#error "how does this processor call the kernel?"
#endif
}

static NOINLINE void read_zeroes(int fd)
{
	static char buf[1 << 20];

	HAVE_FRAME();
	for (int i = 0; i < 10; i++)
		if (system_call(SYS_read, fd, (long)buf, sizeof(buf)) < 0)
			_exit(1);
}

static NOINLINE void ask_parent(void)
{
	HAVE_FRAME();
	for (int i = 0; i < 1000; i++)
		system_call(SYS_getppid, 0, 0, 0);
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/zero");
		return 1;
	}
	while (before(end)) {
		read_zeroes(fd);
		ask_parent();
	}
	return 0;
}
