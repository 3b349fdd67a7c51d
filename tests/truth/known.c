/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/known.h"

#include <fnmatch.h>
#include <stddef.h>

#include "base/util.h"

/*
 * The text of a class is "what differs | file of the frame | our rule there", then "| no CFI"
 * where the code of the frame has none, and "| rooted" where our walk reaches a root: through
 * further frames with CFI, so that a wrong caller would hardly get there.
 */
static const struct known known[] = {
    {"*| libc.so.6 | REG rsp ra 1 | no CFI*", "theirs",
     "glibc's clone() and clone3() end their FDE right before the system call, since it does not "
     "hold in "
     "the child, and the few bytes up to the next FDE have none. libdwfl then tries the frame "
     "pointer, "
     "which these functions do not set. We take so small a gap for part of the function before: "
     "that is "
     "right in the parent, and in the child finds 0 for a return address."},
    {"* | ld-linux-x86-64.so.2 | ROOT rax ra 0 | no CFI | rooted", "theirs",
     "The loader's _start has no CFI. Our tables say that an entry point has no caller."},
    {"* guessed | no CFI | rooted", "theirs",
     "Assembler without CFI. libdwfl tries the frame pointer, which it does not set; our rule was "
     "derived "
     "from the instructions."},
    {"*split_go | ROOT rax ra 0*", "theirs",
     "Go's outermost functions (rt0_go, goexit, mstart) have .debug_frame entries that claim a "
     "caller, or "
     "the word above them is 0. Ours say that they are the root."},
    {"*split_go | SIGNAL rax ra 0 | no CFI*", "theirs",
     "Go's signal return is no signal frame by its .debug_frame, and the byte before it is "
     "padding. "
     "libdwfl goes on by the frame pointer, at best past the interrupted function."},
    {"theirs ends: root | split_go | *switch*", "theirs",
     "Go's system stack: .debug_frame ends there, ours goes on at the goroutine that has called."},
    {"theirs adds an address of no code, *", "theirs",
     "libdwfl lists what lies where a return address would be, and only then finds that it is no "
     "code. "
     "We list addresses of executable mappings only."},
    {"end: ours unreadable, theirs root | *", "neither",
     "libgcc goes to a landing pad: uw_install_context() has put the landing pad's registers where "
     "those "
     "of the frame between were saved, so nothing can tell that frame's caller any more. libdwfl "
     "takes a "
     "return address that it cannot read for the end of the stack."},
    {"other caller | libgcc_s.so.1 | REG rsp ra 1*", "theirs",
     "The jump to a landing pad, whose address follows no call: libdwfl looks its rule up a byte "
     "too low, "
     "at the instruction before the pad."},
    {"other caller | node | REG rsp ra 1 guessed | no CFI", "open",
     "node+15f727f: the rule derived from V8's builtins is wrong there: it takes a local for the "
     "return "
     "address. The frame pointer, which these builtins set, would have been right."},
    {"ours ends: no mapping | node | REG rsp ra 1 guessed | no CFI", "open",
     "node+14cd332: the same, and the walk does not go back to the frame pointer, because it is "
     "only at "
     "the next step that the address turns out to lie in no mapping."},
    {"(a fresh libdwfl agrees with us) *", "theirs",
     "A second libdwfl, made for this very stop, gives the frames that we give: the first had kept "
     "something that was no longer so."},
};

const struct known *known_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!fnmatch(known[i].pattern, text, 0))
			return &known[i];
	return NULL;
}
