/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/kallsyms: the kernel's symbols from the text of /proc/kallsyms. */
#include "daemon/collector/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

static const char small[] = "ffffffff81000000 T srso_alias_untrain_ret\n"
			    "ffffffff81000000 T _stext\n"
			    "ffffffff81000000 T _text\n"
			    "ffffffff81000100 t __pfx_vfs_read\n"
			    "ffffffff81000110 T vfs_read\n"
			    "ffffffff81000200 T __ia32_sys_read\n"
			    "ffffffff81000200 T __x64_sys_read\n"
			    "ffffffff81000200 t __do_sys_read\n"
			    "ffffffff81000300 W arch_weak\n"
			    "ffffffff81000300 t local_alias\n"
			    "ffffffff81000400 T _etext\n"
			    "ffffffff82000000 D some_data\n"
			    "ffffffff83000000 T _sinittext\n"
			    "ffffffff83000100 T _einittext\n"
			    "ffffffffc0002100 t second\t[nf_tables]\n"
			    "ffffffffc0002000 t first\t[nf_tables]\n"
			    "ffffffffc0001fff d nft_data\t[nf_tables]\n"
			    "ffffffffc0100000 t other\t[kvm]\n"
			    "ffffffffc0300000 t bpf_prog_6deef7357e7b4530_on_sample\t[bpf]\n"
			    "ffffffffc0400000 t bpf_prog_0123456789abcdef_late\t[bpf]\n";

static struct kallsyms *parse(const char *text)
{
	struct kallsyms *ks = NULL;

	assert_int_equal(kallsyms__parse(&ks, text, strlen(text)), 0);
	return ks;
}

static void finds(const struct kallsyms *ks, uint64_t addr, const char *name, const char *module)
{
	struct kallsyms_symbol s;

	assert_int_equal(kallsyms__find(ks, addr, &s), 0);
	assert_string_equal(s.name, name);
	assert_string_equal(s.module, module);
	assert_true(s.start <= addr && addr < s.end);
}

static void finds_none(const struct kallsyms *ks, uint64_t addr)
{
	struct kallsyms_symbol s = {.name = "untouched"};

	assert_int_equal(kallsyms__find(ks, addr, &s), KALLSYMS_NONE);
	assert_string_equal(s.name, "untouched");
}

static void names_code(void **state)
{
	struct kallsyms *ks = parse(small);

	finds(ks, 0xffffffff81000110, "vfs_read", "");
	finds(ks, 0xffffffff810001ff, "vfs_read", "");
	finds(ks, 0xffffffff8100010f, "__pfx_vfs_read", "");
	finds(ks, 0xffffffffc0002000, "first", "nf_tables");
	finds(ks, 0xffffffffc00020ff, "first", "nf_tables");
	finds(ks, 0xffffffffc0300010, "bpf_prog_6deef7357e7b4530_on_sample", "bpf");
	finds_none(ks, 0);
	finds_none(ks, 0xffffffff80ffffff);
	kallsyms__free(ks);
}

/* Nothing in vmlinux reaches over the ends of its code; tails of modules and BPF are bounded. */
static void symbols_end(void **state)
{
	struct kallsyms *ks = parse(small);
	struct kallsyms_symbol s;

	finds(ks, 0xffffffff810003ff, "arch_weak", "");
	finds_none(ks, 0xffffffff81000400);
	finds_none(ks, 0xffffffff82000000);
	finds(ks, 0xffffffff830000ff, "_sinittext", "");
	finds_none(ks, 0xffffffff83000100);
	finds(ks, 0xffffffffc0002100 + KALLSYMS_TAIL_MAX - 1, "second", "nf_tables");
	finds_none(ks, 0xffffffffc0002100 + KALLSYMS_TAIL_MAX);
	finds_none(ks, 0xffffffffc0300000 + KALLSYMS_TAIL_MAX);
	assert_int_equal(kallsyms__find(ks, 0xffffffff81000110, &s), 0);
	assert_int_equal(s.start, 0xffffffff81000110);
	assert_int_equal(s.end, 0xffffffff81000200);
	finds_none(ks, UINT64_MAX);
	kallsyms__free(ks);
}

/* Nor over the end of its module, as /proc/modules tells it. */
static void modules_end(void **state)
{
	struct kallsyms *ks = parse(small);

	assert_int_equal(kallsyms__set_modules(ks, "kvm 1048576 0 - Live 0xffffffffc0100000\n"
						   "nf_tables 768 1 - Live 0xffffffffc0002000\n"
						   "hidden 4096 0 - Live 0x0000000000000000\n"),
			 0);
	finds(ks, 0xffffffffc0002100, "second", "nf_tables");
	finds(ks, 0xffffffffc00022ff, "second", "nf_tables");
	finds_none(ks, 0xffffffffc0002300);
	finds(ks, 0xffffffffc0100000 + KALLSYMS_TAIL_MAX - 1, "other", "kvm");
	finds_none(ks, 0xffffffffc0100000 + KALLSYMS_TAIL_MAX);
	finds(ks, 0xffffffffc0300000 + KALLSYMS_TAIL_MAX - 1, "bpf_prog_6deef7357e7b4530_on_sample",
	      "bpf");
	assert_int_equal(kallsyms__set_modules(ks, ""), 0);
	finds(ks, 0xffffffffc0002300, "second", "nf_tables");
	kallsyms__free(ks);
}

/* A function's name rather than a section mark; global before local; the native system call. */
static void one_name_per_address(void **state)
{
	struct kallsyms *ks = parse(small);

	finds(ks, 0xffffffff81000000, "srso_alias_untrain_ret", "");
	finds(ks, 0xffffffff81000200, "__x64_sys_read", "");
	finds(ks, 0xffffffff81000300, "arch_weak", "");
	kallsyms__free(ks);
}

/* The order of the lines does not matter: reverse them. */
static void choice_is_deterministic(void **state)
{
	char reversed[sizeof(small)] = "";
	struct kallsyms *a = parse(small), *b;
	size_t end = sizeof(small) - 1, n = 0;

	for (size_t i = end; i-- > 0;) {
		if (i > 0 && small[i - 1] != '\n')
			continue;
		memcpy(reversed + n, small + i, end - i);
		n += end - i;
		end = i;
	}
	assert_int_equal(strlen(reversed), strlen(small));
	b = parse(reversed);
	for (uint64_t addr = 0xffffffff80fffff0; addr < 0xffffffff81000500; addr++) {
		struct kallsyms_symbol sa = {.name = ""}, sb = {.name = ""};

		assert_int_equal(kallsyms__find(a, addr, &sa), kallsyms__find(b, addr, &sb));
		assert_string_equal(sa.name, sb.name);
	}
	kallsyms__free(a);
	kallsyms__free(b);
}

static void knows_the_text_range(void **state)
{
	struct kallsyms *ks = parse(small);
	uint64_t start = 0, end = 0;

	assert_int_equal(kallsyms__text(ks, &start, &end), 0);
	assert_int_equal(start, 0xffffffff81000000);
	assert_int_equal(end, 0xffffffff81000400);
	kallsyms__free(ks);
	ks = parse("ffffffff81000000 T f\n");
	assert_int_equal(kallsyms__text(ks, &start, &end), KALLSYMS_NONE);
	kallsyms__free(ks);
}

static void hidden_addresses_are_an_outcome(void **state)
{
	static const char text[] = "0000000000000000 T _stext\n0000000000000000 T vfs_read\n";
	struct kallsyms *ks = NULL;

	assert_int_equal(kallsyms__parse(&ks, text, sizeof(text) - 1), KALLSYMS_HIDDEN);
	assert_null(ks);
}

static void bad_lines_are_counted(void **state)
{
	struct kallsyms *ks = parse("ffffffff81000000 T good\n"
				    "\n"
				    "ffffffff81000010 T\n"
				    "ffffffff81000010 T \n"
				    "not hex at all\n"
				    "fffffffff81000010 T seventeen\n"
				    "ffffffff81000010 T name [open\n"
				    "ffffffff81000010 T name\t[]\n"
				    "ffffffff81000020 T last_without_newline");

	assert_int_equal(kallsyms__stats(ks).n_bad_lines, 7);
	assert_int_equal(kallsyms__stats(ks).n_symbols, 2);
	finds(ks, 0xffffffff81000021, "last_without_newline", "");
	kallsyms__free(ks);
	ks = parse("");
	finds_none(ks, 0xffffffff81000000);
	kallsyms__free(ks);
	kallsyms__free(NULL);
}

/* From a descriptor, in pieces; a line is never torn at their edges. Measures the size of a
 * host. */
static void reads_a_large_table(void **state)
{
	cleanup_close int fd = memfd_create("kallsyms", MFD_CLOEXEC);
	cleanup_free char *text = malloc(8 << 20);
	size_t n = 0, n_names = 0, n_lines = 122000;
	struct kallsyms *ks = NULL;
	struct kallsyms_stats stats;
	uint64_t start;

	for (size_t i = 0; i < n_lines; i++) {
		int len = sprintf(text + n, "%016zx %c %ssome_function_name_%zu\n",
				  0xffffffff81000000 + i / 2 * 64 + i % 2 * 16, "tT"[i & 1],
				  i % 2 ? "" : "__pfx_", i / 2);

		n += (size_t)len;
		n_names += (size_t)len - 19;
	}
	assert_int_equal(write_full(fd, text, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	start = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(kallsyms__new(&ks, fd), 0);
	stats = kallsyms__stats(ks);
	print_message("%zu symbols: %.1f ms, %zu bytes\n", stats.n_symbols,
		      (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6, stats.n_bytes);
	assert_int_equal(stats.n_symbols, n_lines);
	assert_int_equal(stats.n_bad_lines, 0);
	assert_true(stats.n_bytes <= 16 * n_lines + n_names + 4096);
	finds(ks, 0xffffffff81000000 + 60999 * 64 + 16, "some_function_name_60999", "");
	finds(ks, 0xffffffff81000000 + 30000 * 64, "__pfx_some_function_name_30000", "");
	kallsyms__free(ks);
}

static void refuses_what_is_not_kallsyms(void **state)
{
	cleanup_close int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct kallsyms *ks = NULL;

	assert_int_equal(kallsyms__new(&ks, zero), -EFBIG);
	assert_int_equal(kallsyms__new(&ks, -1), -EBADF);
	assert_null(ks);
}

/* This host's own table: either all of it is good, or it is hidden. */
static void reads_the_running_kernel(void **state)
{
	cleanup_close int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct kallsyms *ks = NULL;
	uint64_t start, end, t0 = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (fd < 0)
		skip();
	r = kallsyms__new(&ks, fd);
	if (r == KALLSYMS_HIDDEN)
		skip();
	assert_int_equal(r, 0);
	print_message("this kernel: %zu symbols, %zu bytes, %.1f ms with the kernel's part\n",
		      kallsyms__stats(ks).n_symbols, kallsyms__stats(ks).n_bytes,
		      (double)(clock_ns(CLOCK_MONOTONIC) - t0) / 1e6);
	assert_int_equal(kallsyms__stats(ks).n_bad_lines, 0);
	assert_int_equal(kallsyms__text(ks, &start, &end), 0);
	assert_true(start < end);
	kallsyms__free(ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_code),
	    cmocka_unit_test(symbols_end),
	    cmocka_unit_test(modules_end),
	    cmocka_unit_test(one_name_per_address),
	    cmocka_unit_test(choice_is_deterministic),
	    cmocka_unit_test(knows_the_text_range),
	    cmocka_unit_test(hidden_addresses_are_an_outcome),
	    cmocka_unit_test(bad_lines_are_counted),
	    cmocka_unit_test(reads_a_large_table),
	    cmocka_unit_test(refuses_what_is_not_kallsyms),
	    cmocka_unit_test(reads_the_running_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
