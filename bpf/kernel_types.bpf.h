/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types and fields that we touch. CO-RE relocates each access at load time to where
 * the running kernel has the field, so neither the order nor the other members matter.
 */
#ifndef KERNEL_TYPES_BPF_H
#define KERNEL_TYPES_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/sched.h */
struct task_struct {
	unsigned int flags; /* PF_KTHREAD */
	int pid;
	int tgid;
	void *mm; /* NULL once exit has given it up */
	unsigned int in_execve : 1;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u32 self_exec_id;   /* grows with each exec; a child starts with its parent's */
	__u64 start_boottime; /* ns; was real_start_time before 5.5 (cf25e24db61c) */
};

#pragma clang attribute pop

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h, unchanged since 2.6.27 */

#endif
