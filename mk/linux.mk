# SPDX-License-Identifier: MIT
# An unmodified Linux with KVM as L1: `make run L1=linux`. Debian's kernel and busybox are fetched by apt;
# guests/linux/ has the program that drives /dev/kvm.

LINUX := $(O)/linux
LINUX_SRCS := guests/linux/kvm_l2.c guests/linux/l2_code.S

$(LINUX)/kvm_l2: $(LINUX_SRCS)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $^

$(LINUX)/initrd.gz $(LINUX)/vmlinuz &: $(LINUX)/kvm_l2 guests/linux/init scripts/linux-guest
	$(say) LINUX $@
	$(Q)scripts/linux-guest $(EXT) $(LINUX) $(LINUX)/kvm_l2 guests/linux/init

.PHONY: linux
linux: ## fetch and make an unmodified Linux with KVM, for `make run L1=linux`
	@scripts/deps linux
	@+$(MAKE) --no-print-directory $(LINUX)/initrd.gz

# What `L1=linux` stands for. It has no need of 1G pages, and two VMs fit into a small machine.
ifeq ($(L1),linux)
override L1 := $(LINUX)/vmlinuz
override L1_MODULES := $(LINUX)/initrd.gz
override L1_CMDLINE := console=ttyS0 quiet nokaslr panic=-1 $(L1_CMDLINE)
override CMDLINE := mem=512M migrate_after=90000 $(CMDLINE)
L1_NEEDS := linux
endif
