/* SPDX-License-Identifier: MIT */
/*
 * A guest's FPU and XCR0, which no VMCB or VMCS holds and L0 does not use: they stay in the
 * registers until another vCPU takes the CPU. Whose they are is the backends' to know.
 *
 * XCR0 is never tracked but read when it matters: emulators do not intercept XSETBV.
 */
#pragma once

#include "lib/types.h"

/* What the CPUs of this machine can do. Constant after fpu_probe(). */
struct fpu_host {
	bool xsave;
	u64 xcr0;	/* all that a guest may enable */
	u32 mxcsr_mask; /* MXCSR's bits that are not reserved */
};
extern struct fpu_host fpu_host;

void fpu_probe(void);

/* @area: VCPU_FPU_SIZE bytes, 64-byte aligned, in the standard format. XCR0 stays as it is. */
void fpu_save(void *area, u64 *xcr0);
void fpu_load(const void *area, u64 xcr0);

/* Is it safe to load: 0 or -EINVAL. */
int __must_check fpu_check(const u8 *area);
int __must_check xcr0_check(u64 xcr0);
