/* SPDX-License-Identifier: MIT */
/* SVM as a guest hypervisor uses it: switching it on, a vCPU, the way in and out. */
#pragma once

#include "guests/virt.h"
#include "lib/vmcb.h"

struct svm_vcpu {
	struct virt_regs regs; /* RAX and RSP are in the VMCB */
	struct vmcb *vmcb;
	struct vmcb *host; /* VMSAVE area for L1's own FS, GS, TR, LDTR and MSRs */
	u8 *iopm;
	u8 *msrpm;
	u32 asids;    /* 1 .. asids - 1 may be used */
	u32 features; /* CPUID 8000_000A EDX */
	u32 flushes;  /* asked for so far */
};

/* NULL, or why this processor cannot run guests. Leaves EFER.SVME and VM_HSAVE_PA set. */
const char *svm_enable(void);

/*
 * Allocates the VMCB, intercepts everything that a small hypervisor wants, makes the guest one of
 * 64 bits (of a 32-bit kernel: of 32 bits with PAE) at @rip with page tables at @cr3 and nested
 * page tables at @ncr3.
 */
void svm_vcpu_init(struct svm_vcpu *v, u64 ncr3, u64 cr3, u64 rip, u64 rsp);

/* CLGI, VMLOAD, VMRUN, VMSAVE, STGI. Interrupts are on when it returns. */
void svm_vcpu_enter(struct svm_vcpu *v);

/*
 * Has the next entry forget what it has cached of the nested tables, one way or the other in
 * turn: TLB_CONTROL or a new ASID.
 */
void svm_vcpu_flush(struct svm_vcpu *v);

/* Permission maps: intercept (or not) one port, and reads or writes of one MSR. */
void svm_iopm_set(struct svm_vcpu *v, u16 port, bool intercept);
void svm_msrpm_set(struct svm_vcpu *v, u32 msr, bool read, bool write);
