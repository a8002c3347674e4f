/* SPDX-License-Identifier: MIT */
#pragma once

#include "vmx/vmx.h"

/*
 * Does L1 want an exit for this access of L2's? @v: its VMCS. @size: 1, 2 or 4 bytes.
 */
bool vmx_l1_wants_msr(struct vmx_vcpu *vmx, const struct vmcs12 *v, u32 msr, bool write);
bool vmx_l1_wants_io(struct vmx_vcpu *vmx, const struct vmcs12 *v, u16 port, u8 size);

/*
 * L0's own MSR bitmap, and which of its words have a 0 at all: a merge with L1's need look at no
 * others.
 */
#define VMX_MSR_MAP_OPEN 16
struct vmx_msr_map {
	const u64 *l0;
	u32 nr;
	u16 open[VMX_MSR_MAP_OPEN];
};

/* @l0: a page, which stays. More open words than there is room for would count as closed. */
void vmx_msr_map_init(struct vmx_msr_map *m, const u64 *l0);
/*
 * Makes @to the bitmap for L2: an access exits when L0 or L1 wants it. @to: a page of ones at
 * first, written here only, and with this @m only.
 */
void vmx_msr_map_merge(const struct vmx_msr_map *m, struct vmx_vcpu *vmx, const struct vmcs12 *v,
		       u64 *to);
