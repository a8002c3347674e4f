/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions for host programs: a processor that does not know them outside of VMX
 * operation raises SIGILL, and the handler carries them out on a VMCS that is an array. So the code
 * under test is the one that runs on the machine. One that fails, fails the test.
 */
#pragma once

#include "vmx/asm.h"

/* Also gives this thread a struct percpu, so that this_cpu() is CPU 0. */
void fake_vmx_init(void);
/* Which CPU the code believes to run on. */
void fake_vmx_cpu(u32 id);

struct fake_vmcs {
	const void *page; /* NULL: not in use */
	u64 fields[1 << 15];
};

/* The current one; what VMPTRLD names, made when it is new. */
struct fake_vmcs *fake_vmcs(void);
static inline u64 *fake_field(enum vmcs_field field)
{
	return &fake_vmcs()->fields[field];
}
void fake_vmcs_forget_all(void);

/* This processor has no such field: VMREAD and VMWRITE fail. */
void fake_vmx_lacks(enum vmcs_field field, bool lacks);

/*
 * Registers that a program may not touch: their moves and RDMSR and WRMSR raise SIGSEGV, and go
 * here.
 */
struct fake_cpu {
	u64 dr[8], cr2;
	struct {
		u32 index;
		u64 value;
	} msrs[16];
};
extern struct fake_cpu fake_cpu;
u64 *fake_msr(u32 index);

/* Called for each INVEPT and INVVPID. May be NULL. */
extern void (*fake_invept)(u64 type, u64 eptp);
extern void (*fake_invvpid)(u64 type, u64 vpid);
