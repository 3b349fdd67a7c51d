# SPDX-License-Identifier: Apache-2.0
# One make for everything; output in build/ (or O=DIR). V=1 shows the commands.
#
#   make deps        install the Debian packages that the build and the tests need (root)
#   make             the programs
#   make check       unit tests, BPF source replayed natively, include rules: no root
#   make check-root  integration tests on real programs: root
#   make lint | check-includes | truth | fuzz | clean
#   make bench | bench-unwind | bench-cost | bench-symbolize | bench-storm | bench-memory: root, a quiet machine
#   make install DESTDIR= PREFIX=/usr
#   SAN=address,undefined  COVERAGE=1  CC=clang  WERROR=1

VERSION := 0.1.0
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

SAN ?=
COVERAGE ?=
WERROR ?=
V ?= 0
CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PROTOC_C ?= protoc-c
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/cprofd
DESTDIR ?=

comma := ,
variant := $(if $(SAN),-san)$(if $(COVERAGE),-cov)$(if $(filter-out gcc cc,$(notdir $(CC))),-$(notdir $(CC)))
O ?= build$(variant)

ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' $(1) $(patsubst $(O)/%,%,$(2));
else
Q :=
say :=
endif

# ---- flags ------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 \
	-Wno-unused-parameter -Wpointer-arith -Wcast-align $(if $(WERROR),-Werror)
# Flags that not every compiler has: $(call cc_option,FLAG) is FLAG where $(CC) takes it.
cc_option = $(shell $(CC) $(1) -Werror -E -x c /dev/null >/dev/null 2>&1 && echo $(1))
HARDEN := -fPIE -fstack-protector-strong $(call cc_option,-fstack-clash-protection) \
	$(call cc_option,-fcf-protection) $(call cc_option,-ftrivial-auto-var-init=zero) \
	$(if $(SAN),,-D_FORTIFY_SOURCE=3)
OPT := -O2 -g -fno-omit-frame-pointer $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) \
	$(if $(COVERAGE),--coverage)
CPPFLAGS := -I. -I$(O)/gen -D_GNU_SOURCE -DCPROFD_VERSION='"$(VERSION)"' \
	-DCPROFD_LIBEXECDIR='"$(LIBEXECDIR)"'
CFLAGS := -std=gnu11 $(OPT) $(WARN) $(HARDEN)
LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,-z,noexecstack \
	$(if $(SAN),-fsanitize=$(SAN)) $(if $(COVERAGE),--coverage)

LIBS_collector := -lbpf -lprotobuf-c -lz -linih -lpthread -lm
LIBS_symbolizer := -lelf -liberty -lZydis -llzma -lzstd -lz -lm
LIBS_all := -lbpf -lelf -liberty -lZydis -llzma -lzstd -lprotobuf-c -lz -linih -lpthread -lm

# ---- sources ----------------------------------------------------------------------------------

src_base := $(wildcard base/*.c)
src_ipc := $(wildcard daemon/ipc/*.c)
src_proto := $(wildcard proto/*.c)
src_symbolizer := $(filter-out symbolizer/main.c,$(wildcard symbolizer/*.c))
src_opener := $(wildcard daemon/opener/*.c)
src_collector := $(filter-out daemon/collector/main.c,$(wildcard daemon/collector/*.c))
bpf_src := $(wildcard bpf/*.bpf.c)

obj = $(patsubst %.c,$(O)/%.o,$(1))
modules := base ipc proto symbolizer opener collector
libs := $(foreach m,$(modules),$(O)/lib$(m).a)
programs := $(O)/cprofd $(O)/cprofd-symbolizer

gen_proto := $(O)/gen/proto/profile.pb-c.h $(O)/gen/proto/profile.pb-c.c
skeletons := $(patsubst bpf/%.bpf.c,$(O)/gen/%.skel.h,$(bpf_src))

.PHONY: all deps check check-unit check-root check-arm64 check-includes lint bench bench-unwind \
	bench-cost bench-symbolize bench-storm bench-memory truth fuzz install clean print-O
all: $(programs)
print-O:
	@echo $(O)

# ---- programs ---------------------------------------------------------------------------------

$(O)/cprofd: $(O)/daemon/collector/main.o $(foreach m,collector opener ipc proto base,$(O)/lib$(m).a)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_collector)

$(O)/cprofd-symbolizer: $(O)/symbolizer/main.o $(foreach m,symbolizer ipc base,$(O)/lib$(m).a)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_symbolizer)

define library
$(O)/lib$(1).a: $(call obj,$(src_$(1))) $(if $(filter proto,$(1)),$(O)/gen/proto/profile.pb-c.o)
	$$(call say,AR,$$@)
	$(Q)rm -f $$@; ar rcsD $$@ $$^
endef
$(foreach m,$(modules),$(eval $(call library,$(m))))

$(O)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D); $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Where bpf/helpers.bpf.h finds the stand-ins for the kernel's helpers.
$(O)/daemon/collector/unwinder.o: CPPFLAGS += -Idaemon/collector

# Generated code is not ours to warn about.
$(O)/gen/%.o: $(O)/gen/%.c
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<

$(O)/gen/proto/profile.pb-c.c: proto/profile.proto
	$(call say,PROTO,$@)
	$(Q)mkdir -p $(@D); $(PROTOC_C) --c_out=$(O)/gen $<
$(O)/gen/proto/profile.pb-c.h: $(O)/gen/proto/profile.pb-c.c ;
$(call obj,$(src_proto)): | $(O)/gen/proto/profile.pb-c.h

# ---- BPF --------------------------------------------------------------------------------------

BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
BPF_CFLAGS := -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra \
	-Wno-unused-function -Wno-missing-declarations $(if $(WERROR),-Werror) -I. \
	-isystem /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D); $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# For the other processor, which nothing runs here: that it compiles.
$(O)/bpf/%.arm64.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D); $(CLANG) $(filter-out -D__TARGET_ARCH_% -isystem /usr/include/%,$(BPF_CFLAGS)) \
		-D__TARGET_ARCH_arm64 -isystem /usr/aarch64-linux-gnu/include -MMD -MP -c -o $@ $<

# Made on the way to the skeleton, and looked at by people.
.PRECIOUS: $(O)/bpf/%.bpf.o
$(O)/gen/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D); $(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@
$(call obj,$(src_collector)) $(O)/daemon/collector/main.o: | $(skeletons)

# ---- tests ------------------------------------------------------------------------------------

unit_src := $(wildcard tests/unit/test_*.c tests/bpf/test_*.c)
unit_bin := $(patsubst %.c,$(O)/%,$(unit_src))

# A test may include the .c it tests, to reach its statics; the archive then adds only the rest.
$(unit_bin): $(O)/%: $(O)/%.o $(libs)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(libs) -Wl,--end-group -lcmocka $(LIBS_all) -ldw
$(patsubst %.c,$(O)/%.o,$(unit_src)): CFLAGS += -Wno-missing-prototypes
$(O)/tests/sandbox/escape_worker.o: CFLAGS += -Wno-missing-prototypes -Wno-unused-function
$(patsubst %.c,$(O)/%.o,$(unit_src)): | $(gen_proto) $(skeletons)
# Where helpers.bpf.h finds the native stand-ins.
$(O)/tests/bpf/%.o: CPPFLAGS += -Itests/bpf
$(O)/tests/unit/test_spaces.o: CPPFLAGS += -Itests/unit
$(O)/tests/fuzz/fuzz_table_cache.o: CPPFLAGS += -Itests/bpf

check-unit: $(unit_bin) $(programs)
	$(Q)tests/run-unit $(O) $(unit_bin)

check: check-includes check-arm64 check-unit

# The symbolizer with one question more, that of the sandbox's test; never installed.
escape_src := $(wildcard tests/sandbox/*.c)
$(O)/tests/sandbox/escape-worker: $(call obj,$(escape_src)) $(foreach m,symbolizer ipc base,$(O)/lib$(m).a)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_symbolizer)

check-root: all $(O)/tests/sandbox/escape-worker
	$(Q)tests/run-integration $(O)

check-arm64: $(O)/bpf/sampler.arm64.bpf.o

check-includes:
	$(Q)tests/check-includes

lint: check-includes
	$(Q)tests/lint

# Our walks of real programs held against libdwfl's and gdb's.
truth_src := $(wildcard tests/truth/*.c)
$(O)/tests/truth/%.o: CPPFLAGS += -Itests/bpf
$(O)/tests/truth/truth: $(call obj,$(truth_src)) $(foreach m,symbolizer ipc base,$(O)/lib$(m).a)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_symbolizer) -ldw
truth: $(O)/tests/truth/truth
	$(Q)tests/truth/run $(O)

bench: all
	$(Q)tests/bench/run $(O)
bench-unwind: all
	$(Q)tests/bench/unwind $(O)
	$(Q)tests/bench/unwind-depth $(O)
bench-cost: all $(O)/tests/bench/floor
	$(Q)tests/bench/unwind-cost $(O)
bench-symbolize: all $(O)/tests/bench/names_cache
	$(Q)$(O)/tests/bench/names_cache
	$(Q)tests/bench/symbolize $(O)
bench-storm: all
	$(Q)tests/bench/storm $(O)
bench-memory: all
	$(Q)tests/bench/memory $(O)

# The least that a sample costs, to compare with. Its BPF object is kept like ours.
.PRECIOUS: $(O)/tests/bench/%.bpf.o
$(O)/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D); $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
$(O)/tests/bench/%.skel.h: $(O)/tests/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@
$(O)/tests/bench/floor.o: CPPFLAGS += -I$(O)/tests/bench
$(O)/tests/bench/floor.o: | $(O)/tests/bench/floor.skel.h
$(O)/tests/bench/floor: $(O)/tests/bench/floor.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lbpf

# What the names that are kept answer in a second.
$(O)/tests/bench/names_cache: $(O)/tests/bench/names_cache.o $(foreach m,collector opener ipc proto base,$(O)/lib$(m).a)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_collector)

fuzz_bin := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz:
	$(Q)tests/fuzz/run

# Called by tests/fuzz/run with CC=clang SAN=fuzzer-no-link,address,undefined.
fuzz-targets: $(fuzz_bin)
$(O)/fuzz/%: $(O)/tests/fuzz/%.o $(libs)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D); $(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< \
		-Wl,--start-group $(libs) -Wl,--end-group $(LIBS_all)

# ---- the rest ---------------------------------------------------------------------------------

deps:
	$(Q)tests/install-deps build test

install: all
	$(Q)install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)
	$(Q)install -m 0755 $(O)/cprofd $(DESTDIR)$(BINDIR)/cprofd
	$(Q)install -m 0755 $(O)/cprofd-symbolizer $(DESTDIR)$(LIBEXECDIR)/cprofd-symbolizer

clean:
	$(Q)rm -rf build build-*

-include $(shell find $(O) -path '*/bench-inputs' -prune -o -type f -name '*.d' -print 2>/dev/null)
