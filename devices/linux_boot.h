/* SPDX-License-Identifier: MIT */
/*
 * The Linux boot protocol (Documentation/arch/x86/boot.rst of Linux): a bzImage of protocol 2.10 or
 * later with a 64-bit entry point, a command line, and an initrd, which is the first module.
 */
#pragma once

#include "devices/loader.h"

struct vcpu_state;

struct linux_entry {
	u64 rip;
	u64 boot_params; /* gpa, for RSI */
	u64 cr3;
};

/* Is this a kernel of Linux's? */
bool linux_is_image(const u8 *image, size_t size);
/*
 * Puts @l's kernel and what it needs into the VM's memory. @rsdp: where ACPI's tables begin. 0 and
 * *@entry, or -ENOEXEC, -ENOSPC with the sentence.
 */
int __must_check linux_load(struct loader *l, u64 rsdp, struct linux_entry *entry);
/* The state in which such a kernel starts: 64-bit mode, memory below 4G mapped one to one. */
void linux_entry_state(const struct linux_entry *entry, struct vcpu_state *state);
