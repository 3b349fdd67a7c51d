# SPDX-License-Identifier: Apache-2.0
"""In gdb: stops a process at random instructions and compares gdb's frames with cprofd's, which "truth -g"
gives from the same registers and the same memory. See gdb-run."""

import collections
import os
import random
import subprocess
import time

import gdb

REGISTERS = "rip rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
STOPS_PER_ATTACHMENT = 25


def pcs_of_gdb():
    """[(pc, follows a signal frame)], and whether gdb is sure that the last one has no caller."""
    found = []
    frame = gdb.newest_frame()
    after_signal = False
    while frame:
        found.append((frame.pc(), after_signal))
        after_signal = frame.type() == gdb.SIGTRAMP_FRAME
        last = frame
        frame = frame.older()
    reason = gdb.frame_stop_reason_string(last.unwind_stop_reason())
    return found, reason


def place(pc):
    return gdb.execute(f"info symbol {pc:#x}", to_string=True).strip()[:70]


def where(pc):
    """The file that PC lies in."""
    name = gdb.solib_name(pc)
    return os.path.basename(name) if name else "the program"


def main():
    pid, n, truth, program = (os.environ[key] for key in
                              ("TRUTH_PID", "TRUTH_N", "TRUTH_BIN", "TRUTH_PROGRAM"))
    random.seed(1)
    for setting in ("backtrace past-main on", "backtrace past-entry on", "backtrace limit 1024",
                    "pagination off", "confirm off"):
        gdb.execute("set " + setting)
    classes = collections.Counter()
    examples = {}
    done = equal = 0
    ours_process = subprocess.Popen([truth, "-g", pid], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while done < int(n):
        gdb.execute(f"attach {pid}", to_string=True)
        for _ in range(STOPS_PER_ATTACHMENT):
            gdb.execute(f"stepi {random.randint(1, 60)}", to_string=True)
            frame = gdb.newest_frame()
            registers = [int(frame.read_register(name)) & (1 << 64) - 1 for name in REGISTERS]
            theirs, reason = pcs_of_gdb()
            ours_process.stdin.write(" ".join(f"{value:x}" for value in registers) + "\n")
            ours_process.stdin.flush()
            *words, end = ours_process.stdout.readline().split(" ", -1)
            ours = [int(word, 16) for word in words if all(c in "0123456789abcdef" for c in word)]
            done += 1
            same = 0
            while same < min(len(ours), len(theirs)) and (
                    ours[same] == theirs[same][0] or theirs[same][1] and ours[same] == theirs[same][0] + 1):
                same += 1
            if same == len(ours) == len(theirs):
                equal += 1
                continue
            kind = ("ours ends: " + end.strip() if same == len(ours) else
                    "theirs ends: " + reason if same == len(theirs) else "other caller")
            text = f"{kind} | {where(ours[same - 1])} | {'rooted' if end.strip() == 'root' else ''}"
            classes[text] += 1
            examples.setdefault(text, "\n".join(
                f"    {i:3} {ours[i] if i < len(ours) else 0:14x} {theirs[i][0] if i < len(theirs) else 0:14x} "
                f"{place(ours[i] if i < len(ours) else theirs[i][0])}"
                for i in range(max(0, same - 3), min(max(len(ours), len(theirs)), same + 4))))
        gdb.execute("detach", to_string=True)
        time.sleep(random.random() / 20)
    print(f"gdb\t{program}\t{done}\t{equal}")
    for text, count in classes.most_common():
        print(f"gdb-class\t{program}\t{count}\t{text}\n{examples[text]}")


main()
