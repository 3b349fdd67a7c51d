/* SPDX-License-Identifier: Apache-2.0 */
/* {pattern of fnmatch(3), verdict, why}; included by differences.c. The text of a class is "what differs
 * | file of the frame | our rule there", and "| no CFI" where the frame's code has none. */
{"*| libc.so.6 | REG rsp ra 1 | no CFI", "theirs",
 "glibc's clone() and clone3() end their FDE right before the system call, since it does not hold in the "
 "child. The few bytes up to the next FDE have none; libdwfl then tries the frame pointer, which they do "
 "not set. We take so small a gap for part of the function before, which is right in the parent and finds "
 "0 for a return address in the child"},
{"theirs adds an address of no code, *", "theirs",
 "libdwfl lists what lies where a return address would be, and then finds that it is no code; we "
 "list only addresses in executable mappings"},
{"end: ours unreadable, theirs root | *", "theirs",
 "libdwfl takes a return address that it cannot read for the end of the stack. Seen where libgcc goes to a "
 "landing pad: uw_install_context() has put the landing pad's registers where those of the frame between "
 "were saved, so nothing can tell that frame's caller any more"},
