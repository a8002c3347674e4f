/* SPDX-License-Identifier: MIT */
/* A vCPU whose processor is a function: entries are looked at, exits are as the test wants them. */
#pragma once

#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

struct vmx_guest {
	struct vmx_vcpu vmx;
	u64 dr6;
	u32 cpl;
	bool refuse;   /* entries VMfail */
	u64 explained; /* the failed entry's code */
	bool launched; /* the last entry was by VMRESUME */
	/* What the processor found then. */
	struct {
		u64 rip, rsp, rflags, pending_debug;
		u32 interruptibility, proc, intr_info, intr_error;
	} entered;
};
extern struct vmx_guest guest;

/* To be called by each test: cmocka catches signals anew for each, fixtures come before that. */
void vmx_guest_setup(void);
/* Enters a guest at an instruction of @len bytes that exits with @reason and @qualification. */
struct vm_exit vmx_guest_exit(u32 reason, u64 qualification, u32 len);
