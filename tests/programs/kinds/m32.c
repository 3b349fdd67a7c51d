/* SPDX-License-Identifier: Apache-2.0 */
/* m32: works until it is killed. A program of 32 bits without a libc. */
static __attribute__((noinline)) unsigned work(unsigned x)
{
	for (int i = 0; i < 100000; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	return x;
}

void _start(void);

void _start(void)
{
	unsigned x = 1;

	for (;;) {
		x = work(x);
		__asm__ volatile("" : : "r"(x));
	}
}
