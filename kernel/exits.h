/* SPDX-License-Identifier: MIT */
/*
 * What L0 does about exits, the same for both vendors. All of it is for the vCPU's own task, with
 * no lock held.
 */
#pragma once

#include "kernel/exit.h"
#include "kernel/vcpu.h"

/* Does what @exit asks for: afterwards the guest can run on, is halted, or its VM has ended. */
void exit_handle(struct vcpu *vcpu, const struct vm_exit *exit);

/* "cpuid", "hlt"... as statistics name them. */
const char *exit_kind_name(enum exit_kind kind);

/*
 * Queues an exception for the next entry. On top of one whose delivery was cut short it becomes a
 * double fault, or ends the VM, as SDM 3A table 6-5 says.
 */
void vcpu_inject_exception(struct vcpu *vcpu, u8 vector, bool has_error, u32 error);

/* --- between the files that handle exits --- */

/* Reads what CPUs have once, at boot. */
void cpuid_init(void);
/* What the guest sees in (@leaf, @index): eax, ebx, ecx, edx. */
void cpuid_read(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4]);
/* XCR0 bits that a guest may set. */
u64 cpuid_xcr0_mask(void);

/* RDMSR and WRMSR: 0, or -EINVAL for #GP. */
int __must_check msr_read(struct vcpu *vcpu, u32 index, u64 *val);
int __must_check msr_write(struct vcpu *vcpu, u32 index, u64 val);

void exit_fault(struct vcpu *vcpu, const struct vm_exit *exit);
/*
 * Carries out the instruction whose access to @gpa faulted. 0: done, or the guest is to be entered
 * again for it; -EINVAL: that cannot be. @code then is ": " and its bytes, or empty when they are
 * not known.
 */
#define CODE_TEXT_SIZE (3 * 15 + 2)
int __must_check exit_emulate(struct vcpu *vcpu, const struct vm_exit *exit, gpa_t gpa,
			      char code[CODE_TEXT_SIZE]);
void exit_io(struct vcpu *vcpu, const struct vm_exit *exit);
