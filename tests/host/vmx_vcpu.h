/* SPDX-License-Identifier: MIT */
/* vCPUs whose VMCS is an array, and states in which every field says something. */
#pragma once

#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

/* What a 64-bit guest may have. */
#define CR4_OK	0x3507ffull
#define EFER_OK 0xd01ull

/* What vmx/state.c and its like have asked of others, and what these answer. */
struct vmx_neighbours {
	u32 saves, releases, cpl;
	bool bad_xcr0, bad_fpu;
	u64 pdptes[4];	/* in the guest's memory, wherever it looks */
	u64 pdptes_at;	/* where it looked last */
	char said[256]; /* the last error for the console */
};
extern struct vmx_neighbours neighbours;

/* By each test: fake_vmx_init(), and a machine as Bochs's Skylake. */
void vmx_test_host(void);
/* Its VMCS is the current one then. */
struct vmx_vcpu *vmx_test_vcpu(void);
void vmx_test_free(struct vmx_vcpu *vmx);
/* A 64-bit guest; what the processor would correct has the value that it would get. */
void vmx_test_state(struct vcpu_state *s);

void scramble(void *p, size_t len);
