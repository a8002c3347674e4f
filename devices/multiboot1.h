/* SPDX-License-Identifier: MIT */
/*
 * Loads a Multiboot 1 kernel (specification 0.6.96) into a VM's memory: ELF32, ELF64, or placed
 * by the addresses in its Multiboot header. The image is not trusted. Plain C, tested on the host.
 */
#pragma once

#include "lib/types.h"

struct loader;
struct vcpu_state;

struct multiboot1_entry {
	u32 eip;
	u32 info; /* gpa of struct multiboot1_info, for EBX */
};

/*
 * Puts @l's kernel, its modules and the information for it into the VM's memory. 0 and *@entry; or
 * -ENOEXEC (not such a kernel, or a broken one), -ENOSPC (it does not fit), with the sentence. Then
 * memory may hold part of it.
 */
int __must_check multiboot1_load(struct loader *l, struct multiboot1_entry *entry);

/*
 * Turns a processor's state after reset into the one in which such a kernel starts (specification
 * 3.2): 32-bit protected mode, flat segments, no paging, interrupts off.
 */
void multiboot1_entry_state(const struct multiboot1_entry *entry, struct vcpu_state *state);
