/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf SECONDS: runs a BPF program called burn_filter, which only counts down, over and over. It is
 * gone when this ends. Needs root.
 */
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "burn.h"

#define ROUNDS 20000 /* the verifier walks them all */

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	const struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = ROUNDS},
	    {.code = BPF_ALU64 | BPF_SUB | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
	    {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_0, .off = -2},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60);
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = sizeof(insns) / sizeof(insns[0]),
			       .license = (uintptr_t) "GPL",
			       .prog_name = "burn_filter"};
	char packet[64] = "";
	long fd = bpf(BPF_PROG_LOAD, &load);

	if (fd < 0) {
		perror("loading the BPF program");
		return 1;
	}
	while (before(end)) {
		union bpf_attr run = {.test = {.prog_fd = (uint32_t)fd,
					       .data_in = (uintptr_t)packet,
					       .data_size_in = sizeof(packet),
					       .repeat = 1000}};

		if (bpf(BPF_PROG_TEST_RUN, &run) < 0) {
			perror("running the BPF program");
			return 1;
		}
	}
	return 0;
}
