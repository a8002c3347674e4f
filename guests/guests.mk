# SPDX-License-Identifier: MIT
# Builds the guests below $(O)/guests and adds them to GUESTS. The main Makefile includes this;
# `make -f guests/guests.mk` builds them alone.

O         ?= build-guests
CC        ?= gcc
LD        ?= ld
OBJCOPY   ?= objcopy
Q         ?= @
say       ?= @printf '  %-8s %s\n'

.PHONY: guests-all
guests-all:

GUEST_CPPFLAGS := -I. -MMD -MP
GUEST_CFLAGS   := -std=gnu17 -O2 -g -fno-omit-frame-pointer -ffreestanding -nostdlib \
		  -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -fno-stack-protector \
		  -fcf-protection=none -fno-asynchronous-unwind-tables -fno-common \
		  -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
		  -ffile-prefix-map=$(CURDIR)=. $(TARGET_FLAGS)
# A u64 is printed by %lx in both: the format's check is the 64-bit build's.
GUEST32_CFLAGS := $(GUEST_CFLAGS) -m32 -malign-double -Wno-format -Wno-int-to-pointer-cast \
		  -Wno-pointer-to-int-cast
GUEST_ASFLAGS  := -g -ffreestanding -fno-pic -fno-pie -Wa,--noexecstack \
		  -ffile-prefix-map=$(CURDIR)=. $(TARGET_FLAGS)
GUEST_LINK     := -nostdlib -static --no-dynamic-linker --build-id=none \
		  -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments
GUEST_LDFLAGS  := -m elf_x86_64 $(GUEST_LINK)
GUEST32_LDFLAGS := -m elf_i386 $(GUEST_LINK)

# What every L1 kernel links, and the kernels. L2's image is a part of l1.elf.
GUEST_COMMON  := boot isr svm_enter cpu guest options npt paging svm
GUEST_LIB     := printf string
GUEST_VMX     := vmx vmx_insn vmx_enter
GUEST_L1      := virt svm_virt $(GUEST_VMX) vmx_virt l1 l1_checks l1_events l1_exits l1_faults l1_hypercalls l1_layout platform \
		 history l2_blob
GUEST_L2      := l2_start isr l2 l2_checks l2_workload cpu history
GUEST_PLAIN   := boot isr cpu guest options platform history plain plain_checks plain_events
GUEST_VMXCHECK := history $(sort $(basename $(notdir $(wildcard guests/vmxcheck*.c guests/vmxcheck*.S))))
GUEST_HOSTILE := $(sort $(basename $(notdir $(wildcard guests/hostile*.c guests/hostile*.S))))

# The same with 32-bit code, for nested tables of the older formats.
GUEST32_COMMON := boot32 isr svm_enter32 cpu guest options npt paging32 svm arith64
GUEST_MODES    := $(sort $(basename $(notdir $(wildcard guests/modes*.c guests/modes*.S))))
GUEST32_L2     := l2_start32 isr l2 l2_checks l2_workload cpu history arith64

guest_objs = $(patsubst %,$(O)/guests/obj/%.o,$(1) $(addprefix lib_,$(GUEST_LIB)))
guest32_objs = $(patsubst %,$(O)/guests/obj32/%.o,$(1) $(addprefix lib_,$(GUEST_LIB)))

$(O)/guests/obj/%.o: guests/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS) -c -o $@ $<

$(O)/guests/obj/lib_%.o: lib/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS) -c -o $@ $<

$(O)/guests/obj/%.o: guests/%.S
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_ASFLAGS) -DL2_BIN='"$(O)/guests/l2.bin"' -c -o $@ $<

$(O)/guests/obj/boot57.o: guests/boot.S
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_ASFLAGS) -DLA57 -c -o $@ $<

$(O)/guests/obj32/%.o: guests/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST32_CFLAGS) -c -o $@ $<

$(O)/guests/obj32/lib_%.o: lib/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST32_CFLAGS) -c -o $@ $<

$(O)/guests/obj32/%.o: guests/%.S
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_ASFLAGS) -m32 -DL2_BIN='"$(O)/guests/l2-32.bin"' -c -o $@ $<

$(O)/guests/obj/l2_blob.o: $(O)/guests/l2.bin
$(O)/guests/obj32/l2_blob.o: $(O)/guests/l2-32.bin

$(O)/guests/l2.elf: $(call guest_objs,$(GUEST_L2)) guests/l2.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/l2.ld -o $@ $(filter %.o,$^)

$(O)/guests/l2-32.elf: $(call guest32_objs,$(GUEST32_L2)) guests/l2.ld
	$(Q)$(LD) $(GUEST32_LDFLAGS) -T guests/l2.ld -o $@ $(filter %.o,$^)

$(O)/guests/%.bin: $(O)/guests/%.elf
	$(Q)$(OBJCOPY) -O binary $< $@

$(O)/guests/l1.elf64: $(call guest_objs,$(GUEST_COMMON) $(GUEST_L1)) guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/l1-la57.elf64: $(call guest_objs,boot57 $(filter-out boot,$(GUEST_COMMON)) $(GUEST_L1)) \
			   guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/l1-32.elf: $(call guest32_objs,$(GUEST32_COMMON) $(filter-out $(GUEST_VMX) vmx_virt,$(GUEST_L1))) guests/guest.ld
	$(Q)$(LD) $(GUEST32_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/modes.elf: $(call guest32_objs,$(GUEST32_COMMON) $(GUEST_MODES)) guests/guest.ld
	$(Q)$(LD) $(GUEST32_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/hostile.elf64: $(call guest_objs,$(GUEST_COMMON) $(GUEST_HOSTILE)) guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/vmxcheck.elf64: $(call guest_objs,$(GUEST_COMMON) $(GUEST_VMX) $(GUEST_VMXCHECK)) guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

$(O)/guests/plain.elf64: $(call guest_objs,$(GUEST_PLAIN)) guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

# Multiboot 1 loaders want a 32-bit ELF file.
$(O)/guests/%.elf: $(O)/guests/%.elf64
	$(Q)$(OBJCOPY) -O elf32-i386 $< $@

GUEST_ELVES := $(patsubst %,$(O)/guests/%.elf,l1 l1-la57 l1-32 hostile modes plain vmxcheck)
guests-all: $(GUEST_ELVES)
GUESTS += $(GUEST_ELVES)

-include $(wildcard $(O)/guests/obj/*.d $(O)/guests/obj32/*.d)
