/* SPDX-License-Identifier: MIT */
/* The MSR lists of L1's entries and exits, SDM 3C 26.4, 27.4 and 27.6. */
#pragma once

#include "vmx/vmx.h"

/* SDM 3D A.6: what a list may have, where IA32_VMX_MISC says no more. */
#define VMX_MSR_LIST_MAX 512

/* VMX-abort indicators, 27.7. */
#define VMX_ABORT_SAVING_MSRS  1
#define VMX_ABORT_LOADING_MSRS 4

/*
 * Loads @count MSRs for the level whose VMCS is the one that runs (vmx->vmcs), or stores them,
 * at L1's @list. 0, or the number of the entry that cannot be, counted from 1; those before it are
 * done.
 */
u32 __must_check vmx_l1_msrs_load(struct vmx_vcpu *vmx, u64 list, u32 count);
u32 __must_check vmx_l1_msrs_store(struct vmx_vcpu *vmx, u64 list, u32 count);
