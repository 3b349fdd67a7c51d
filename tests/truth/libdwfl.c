/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/libdwfl.h"

#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>

struct libdwfl {
	Dwfl *dwfl;
};

/* Both sides shall know the same: what is in the mapped files, not what debug packages add. */
static int find_no_debuginfo(Dwfl_Module *mod, void **userdata, const char *modname, GElf_Addr base,
			     const char *file_name, const char *debuglink_file,
			     GElf_Word debuglink_crc, char **debuginfo_file_name)
{
	return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = find_no_debuginfo,
};

struct libdwfl *libdwfl__free(struct libdwfl *l)
{
	if (l)
		dwfl_end(l->dwfl);
	free(l);
	return NULL;
}

struct libdwfl *libdwfl__new(pid_t pid)
{
	struct libdwfl *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->dwfl = dwfl_begin(&callbacks);
	if (!l->dwfl || dwfl_linux_proc_report(l->dwfl, pid) != 0 ||
	    dwfl_report_end(l->dwfl, NULL, NULL) != 0 ||
	    dwfl_linux_proc_attach(l->dwfl, pid, true) != 0)
		return libdwfl__free(l);
	return l;
}

static int add_frame(Dwfl_Frame *frame, void *ctx)
{
	struct walk *w = ctx;
	Dwarf_Addr pc;
	bool exact;

	if (!dwfl_frame_pc(frame, &pc, &exact))
		return -1;
	/* Where there is nowhere to return to. */
	if (pc == 0)
		return DWARF_CB_ABORT;
	if (w->n == USER_FRAMES_MAX) {
		w->depth = true;
		return DWARF_CB_ABORT;
	}
	w->pcs[w->n] = pc;
	w->exact[w->n++] = exact;
	return DWARF_CB_OK;
}

void libdwfl__walk(struct libdwfl *l, pid_t tid, struct walk *ret)
{
	int r;

	ret->n = 0;
	ret->depth = false;
	r = dwfl_getthread_frames(l->dwfl, tid, add_frame, ret);
	ret->root = r >= 0 && !ret->depth;
	snprintf(ret->why, sizeof(ret->why), "%s",
		 ret->depth  ? "depth"
		 : ret->root ? "root"
			     : dwfl_errmsg(-1));
}

static bool holds(Dwarf_CFI *cfi, uint64_t addr)
{
	Dwarf_Frame *frame;

	if (!cfi || dwarf_cfi_addrframe(cfi, addr, &frame) != 0)
		return false;
	free(frame);
	return true;
}

bool libdwfl__has_cfi(struct libdwfl *l, uint64_t pc)
{
	Dwfl_Module *mod = dwfl_addrmodule(l->dwfl, pc);
	Dwarf_Addr bias;
	Dwarf_CFI *cfi;

	if (!mod)
		return false;
	cfi = dwfl_module_eh_cfi(mod, &bias);
	if (holds(cfi, pc - bias))
		return true;
	cfi = dwfl_module_dwarf_cfi(mod, &bias);
	return holds(cfi, pc - bias);
}
