/* SPDX-License-Identifier: MIT */
/*
 * What the kernel asks of the platform around a VM (devices/platform.c supplies it), so that
 * kernel/ needs to know no device.
 */
#pragma once

#include "kernel/vcpu.h"

#define PLATFORM_NEVER (~0ull)

/* Makes the devices and puts them on their ports. 0 or -ENOMEM. */
int __must_check platform_create(struct vm *vm);
void platform_destroy(struct vm *vm);
/* Its local APIC. Before the VM runs. */
void platform_add_vcpu(struct vcpu *vcpu);

struct boot_module;

/*
 * Loads a guest's kernel, the first of @modules, with the others as its modules (none of them
 * trusted), and turns @state, a vCPU's after reset, into the one in which it starts. 0, or -errno
 * with one sentence in @why.
 */
int __must_check platform_load(struct vm *vm, const struct boot_module *modules, u32 nr,
			       struct vcpu_state *state, char *why, size_t why_size);

/*
 * Raises the interrupts that are due. Returns when the next one is, in time_ns(), or
 * PLATFORM_NEVER. By a vCPU's task.
 */
u64 platform_tick(struct vm *vm);

/* Is there an interrupt for @vcpu, given the priorities? By its task, like the next. */
bool platform_interrupt(struct vcpu *vcpu);
/* It is delivered now: its vector. Only after platform_interrupt() said so. */
u8 platform_acknowledge(struct vcpu *vcpu);

/* The priority, a vector's upper four bits, of an interrupt that only CR8 holds back; 0: none. */
u8 platform_held_priority(struct vcpu *vcpu);

/* The local APIC's MSRs. 0; -EINVAL: #GP; -ENOENT: not one of those. By @vcpu's task. */
int __must_check platform_msr_read(struct vcpu *vcpu, u32 msr, u64 *val);
int __must_check platform_msr_write(struct vcpu *vcpu, u32 msr, u64 val);

/* The devices' clocks stand still while the VM is paused. By the one who pauses. */
void platform_freeze(struct vm *vm);
void platform_thaw(struct vm *vm);

/* The VM has ended: what it has printed without a newline is shown. */
void platform_end(struct vm *vm);

/*
 * The devices' states that move in a migration, a list. VM paused or not started. load: 0, or
 * -EINVAL with nothing changed; the number of migrations becomes the source's: whoever resumes
 * the VM counts this one.
 */
u32 platform_state_count(void);
const struct state_desc *platform_state_desc(u32 index);
void platform_state_save(struct vm *vm, u32 index, void *state);
int __must_check platform_state_load(struct vm *vm, u32 index, const void *state);

/* The VM goes on elsewhere, and what it has begun to print is printed there. */
void platform_drop_output(struct vm *vm);
