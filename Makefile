# SPDX-License-Identifier: MIT
# Builds the image, the guests and the ISO, all below $(O). `make help` lists what there is to do.

O     ?= build
V     ?= 0
DEBUG ?= 0
LTO   ?= 1

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

# The image is x86-64 whatever the host is; gcc by default, CC=clang works as well.
ifneq ($(shell uname -m),x86_64)
CROSS_COMPILE ?= x86_64-linux-gnu-
endif
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD      := $(CROSS_COMPILE)ld
NM      := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
PYTHON  ?= /usr/bin/python3

ifeq ($(V),1)
Q   :=
say  = @:
else
Q   := @
say  = @printf '  %-8s %s\n'
endif

# What CLI words a run gets on top of the runner's own; see `make run` below.
CMDLINE    ?=
L1         ?= $(O)/guests/l1.elf
L1_CMDLINE ?=
L1_MODULES ?=
MACHINE    ?= auto

ifneq ($(findstring clang,$(CC)),)
TARGET_FLAGS := --target=x86_64-linux-gnu
endif

# The same bytes wherever the sources lie and the build goes.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)=build

CPPFLAGS := -I. -MMD -MP
CFLAGS   := -std=gnu17 -O2 -g -fno-omit-frame-pointer -ffreestanding -nostdlib \
	    -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -fno-stack-protector \
	    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-common \
	    -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wno-override-init \
	    $(PREFIX_MAP) $(TARGET_FLAGS)
ASFLAGS  := -g -ffreestanding -fno-pic -fno-pie -Wa,--noexecstack \
	    $(PREFIX_MAP) $(TARGET_FLAGS)
LDFLAGS  := -m elf_x86_64 -nostdlib -static --no-dynamic-linker --build-id=none \
	    -z max-page-size=4096 -z noexecstack --fatal-warnings --orphan-handling=warn
ifneq ($(DEBUG),0)
CPPFLAGS += -DCONFIG_DEBUG
endif

.PHONY: all
all: # the first rule is the default; its parts are below

include mk/source-packages.mk

all: $(O)/cleave.elf guests $(O)/cleave.iso ## build the image, the guests and the ISO (the default)

# --- the image -------------------------------------------------------------------------------

IMAGE_DIRS  := boot lib kernel mmu svm vmx devices migration
IMAGE_SRCS  := $(sort $(wildcard $(addsuffix /*.c,$(IMAGE_DIRS)) $(addsuffix /*.S,$(IMAGE_DIRS))))
IMAGE_OBJS  := $(patsubst %,$(O)/image/%.o,$(IMAGE_SRCS)) $(EXT_OBJS)
# Code from packages finds the little libc that it includes in lib/libc.
IMAGE_FLAGS := $(CFLAGS) -isystem lib/libc $(EXT_FLAGS)

# gcc sees all of our C at once, as it is linked into one object; LTO=0 goes without. What calls
# memcpy() and the like may come up only then, so these are left out. Names that are made up by the
# compiler follow from the file's name: two builds give the same bytes.
ifneq ($(findstring clang,$(CC)),)
override LTO := 0
endif
ifneq ($(LTO),0)
LTO_SRCS  := $(filter-out lib/string.c,$(filter %.c,$(IMAGE_SRCS)))
LTO_OBJS  := $(LTO_SRCS:%=$(O)/image/%.o)
LTO_FLAGS  = $(if $(filter $<,$(LTO_SRCS)),-flto -frandom-seed=$<)
LTO_LINK  := -flto=1 -flto-partition=one -r -flinker-output=nolto-rel
LINK_OBJS := $(filter-out $(LTO_OBJS),$(IMAGE_OBJS)) $(O)/image/lto.o

$(O)/image/lto.o: $(LTO_OBJS)
	$(say) LTO $@
	$(Q)$(CC) $(CFLAGS) $(LTO_LINK) -o $@ $^
else
LINK_OBJS := $(IMAGE_OBJS)
endif

# This file changes only when the flags do, so that `make DEBUG=1` after `make` rebuilds.
FLAGS_LINE := $(CC) $(CPPFLAGS) $(IMAGE_FLAGS) $(LTO_LINK)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_LINE)' | cmp -s - $@ || echo '$(FLAGS_LINE)' > $@
.PHONY: FORCE
FORCE:

$(O)/image/%.c.o: %.c $(O)/flags | $(EXT_HEADERS)
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(IMAGE_FLAGS) $(LTO_FLAGS) -c -o $@ $<

$(O)/image/%.S.o: %.S $(O)/flags
	$(say) AS $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ASFLAGS) -c -o $@ $<

# The ACPI tables of VMs.
ACPI_TABLES := $(patsubst devices/acpi/%.asl,$(O)/image/acpi/%.aml,$(wildcard devices/acpi/*.asl))

$(O)/image/acpi/%.aml: devices/acpi/%.asl
	$(say) IASL $@
	@mkdir -p $(@D)
	$(Q)iasl -p $(@:.aml=) $< > $@.log 2>&1 || { cat $@.log >&2; exit 1; }

$(O)/image/devices/acpi_tables.S.o: $(ACPI_TABLES)
$(O)/image/devices/acpi_tables.S.o: ASFLAGS += -I$(O)/image

# Backtraces name functions from a table made of the image's own symbols. It is the last thing
# in the read-only data and so moves no function: link with an empty table, list the functions,
# link again with the full one.
ifneq ($(wildcard kernel/ksyms.sh),)
$(O)/ksyms.0.S: kernel/ksyms.sh
	@mkdir -p $(@D)
	$(Q)sh kernel/ksyms.sh < /dev/null > $@

$(O)/ksyms.1.S: $(O)/cleave.0.elf kernel/ksyms.sh
	$(say) KSYMS $@
	$(Q)$(NM) -n $< > $(O)/cleave.0.nm
	$(Q)sh kernel/ksyms.sh < $(O)/cleave.0.nm > $@

$(O)/ksyms.%.o: $(O)/ksyms.%.S $(O)/flags
	$(Q)$(CC) -I. $(ASFLAGS) -c -o $@ $<

$(O)/cleave.0.elf: $(LINK_OBJS) $(O)/ksyms.0.o linker.ld
	$(Q)$(LD) $(LDFLAGS) -T linker.ld -o $@ $(LINK_OBJS) $(O)/ksyms.0.o

KSYMS_OBJ := $(O)/ksyms.1.o
endif

$(O)/cleave.elf: $(LINK_OBJS) $(KSYMS_OBJ) linker.ld
	$(say) LD $@
	$(Q)$(LD) $(LDFLAGS) -T linker.ld -o $@ $(LINK_OBJS) $(KSYMS_OBJ)

-include $(patsubst %.o,%.d,$(IMAGE_OBJS))

# --- guests and ISO --------------------------------------------------------------------------

# guests/guests.mk says how guests are built and adds each to GUESTS.
GUESTS :=
-include guests/guests.mk

.PHONY: guests
guests: $(GUESTS) ## build the guests (L1, L2)

$(O)/cleave.iso: $(O)/cleave.elf $(GUESTS) scripts/run scripts/iso.py $(O)/iso-words
	$(say) ISO $@
	$(Q)$(PYTHON) scripts/run --build $(O) --iso-only $@

include mk/linux.mk

# scripts/run takes these from the environment, whatever quotes are in them.
export CMDLINE L1 L1_CMDLINE L1_MODULES
$(O)/iso-words: FORCE
	@mkdir -p $(@D)
	@printenv CMDLINE L1 L1_CMDLINE L1_MODULES | cmp -s - $@ || printenv CMDLINE L1 L1_CMDLINE L1_MODULES > $@

include mk/run.mk
include mk/test.mk
include mk/mutants.mk
include mk/bench.mk
include mk/lint.mk

.PHONY: clean help
clean: ## remove everything built
	rm -rf $(O)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST) | sort
