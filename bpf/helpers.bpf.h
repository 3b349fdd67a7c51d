/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one header to swap for compiling the unwinder natively: in BPF the kernel's helpers, in user
 * space the functions of the same names in unwind_native.h, which the includer's path provides.
 */
#ifndef HELPERS_BPF_H
#define HELPERS_BPF_H

#ifdef __bpf__
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

/*
 * A function that the verifier looks at once, for any arguments, instead of at each call: for what
 * is called from several places. It must check its pointers (5.12, e5069b9c23b3).
 */
#define VERIFIED_ONCE __attribute__((noinline))
#else
#include "unwind_native.h"

#define VERIFIED_ONCE static
#endif

#endif
