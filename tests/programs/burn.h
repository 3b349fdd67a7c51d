/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test programs have in common: the clock, and arithmetic that takes the same time
 * wherever it stands. One step of xorshift is six operations, each waiting for the one before, so
 * that a step costs the same six cycles in every function and no compiler can shorten it.
 */
#ifndef TESTS_BURN_H
#define TESTS_BURN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))

/*
 * Gives the function that says it a frame of its own. GCC leaves it out where a function touches no
 * stack, even with -fno-omit-frame-pointer, and a walk by frame pointers then misses the caller.
 */
#ifdef NO_FRAMES /* where a program is built without frame pointers */
#define HAVE_FRAME() (void)0
#else
#define HAVE_FRAME() __asm__ volatile("" : : "r"(__builtin_frame_address(0)))
#endif

static inline uint64_t clock_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The monotonic time at which a program that was asked to run for ARG seconds ends. */
static inline uint64_t end_after(const char *arg, double otherwise)
{
	double seconds = arg ? atof(arg) : otherwise;

	return clock_now_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
}

static inline int before(uint64_t end_ns)
{
	return clock_now_ns(CLOCK_MONOTONIC) < end_ns;
}

/* STEPS steps from X; about 2 ns each. The function it is inlined into has a frame. */
static inline uint64_t burn(uint64_t x, int steps)
{
	HAVE_FRAME();
	for (int i = 0; i < steps; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

/* Keeps the compiler from throwing the work away. */
static inline void keep(uint64_t x)
{
	__asm__ volatile("" : : "r"(x));
}

#endif
