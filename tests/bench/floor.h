/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/* What floor.bpf.c hands to floor.c: a record, then its frames as 64-bit numbers. */
#ifndef TESTS_BENCH_FLOOR_H
#define TESTS_BENCH_FLOOR_H

#include <linux/types.h>

#define FLOOR_KERNEL_FRAMES_MAX 127
#define FLOOR_USER_FRAMES_MAX 1024

struct floor_record {
	__u64 time_ns;
	__u64 ids; /* process and thread */
	__u32 n_kernel;
	__u32 n_user;
	char comm[16];
};

#endif
