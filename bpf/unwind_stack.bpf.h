/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads words of a user stack through a window: one copy of a stretch of the stack serves the
 * frames that lie in it, since a call to read user memory costs as much as ten loads.
 *
 * What is not in memory stays unread: nothing here can wait for a page.
 */
#ifndef UNWIND_STACK_BPF_H
#define UNWIND_STACK_BPF_H

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"
#include "bpf/unwind_state.bpf.h"

static __always_inline bool window_holds(const struct stack_window *w, abi_u64 addr)
{
	abi_u64 off = addr - w->start;

	return off < w->n_bytes && w->n_bytes - off >= 8 && !(off & 7);
}

/* Moves the window to ADDR. One that would reach a page that is not there ends before it. */
static __always_inline void window_move(struct stack_window *w, abi_u64 addr)
{
	abi_u64 rest;

	w->start = addr;
	w->n_bytes = WINDOW_BYTES;
	if (!bpf_probe_read_user(w->words, WINDOW_BYTES, (void *)(long)addr))
		return;
	rest = USER_PAGE - (addr & (USER_PAGE - 1));
	w->n_bytes = 0;
	if (rest >= WINDOW_BYTES)
		return;
	/* verifier: a bound that it can see (5.17). */
	rest &= WINDOW_BYTES - 1;
	if (rest && !bpf_probe_read_user(w->words, (abi_u32)rest, (void *)(long)addr))
		w->n_bytes = rest;
}

/* Reads the word at ADDR. 0, or another value where it cannot be read. */
static __always_inline long window_read(const struct stack_window *w, abi_u64 addr, abi_u64 *ret)
{
	if (window_holds(w, addr)) {
		*ret = w->words[(addr - w->start) >> 3 & (WINDOW_WORDS - 1)];
		return 0;
	}
	return bpf_probe_read_user(ret, sizeof(*ret), (void *)(long)addr);
}

#endif
