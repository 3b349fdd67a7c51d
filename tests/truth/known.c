/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/known.h"

#include <fnmatch.h>
#include <stddef.h>

#include "base/util.h"

/* The text of a class is "what differs | file of the frame | our rule there", and "| no CFI" where the
 * code of the frame has none. */
static const struct known known[] = {
    {"*| libc.so.6 | REG rsp ra 1 | no CFI", "theirs",
     "glibc's clone() and clone3() end their FDE right before the system call, since it does not "
     "hold in "
     "the child, and the few bytes up to the next FDE have none. libdwfl then tries the frame "
     "pointer, "
     "which these functions do not set. We take so small a gap for part of the function before: "
     "that is "
     "right in the parent, and in the child finds 0 for a return address."},
    {"theirs adds an address of no code, *", "theirs",
     "libdwfl lists what lies where a return address would be, and only then finds that it is no "
     "code. "
     "We list addresses of executable mappings only."},
    {"end: ours unreadable, theirs root | *", "theirs",
     "libdwfl takes a return address that it cannot read for the end of the stack. Seen where "
     "libgcc goes "
     "to a landing pad: uw_install_context() has put the landing pad's registers where those of "
     "the frame "
     "between were saved, so nothing can tell that frame's caller any more."},
    {"(a fresh libdwfl agrees with us) *", "theirs",
     "A second libdwfl, made for this very stop, gives the frames that we give: the first had kept "
     "something that was no longer so."},
    {"ours ends: no mapping | split_go | REG rsp ra 1 | no CFI", "open",
     "Go's signal return, runtime.sigreturn__sigaction, is no signal frame by its CFI, and the "
     "byte before "
     "it is padding: the table needs a SIGNAL rule from one byte before it on. libdwfl finds a "
     "caller by "
     "luck of the frame pointer."},
};

const struct known *known_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!fnmatch(known[i].pattern, text, 0))
			return &known[i];
	return NULL;
}
