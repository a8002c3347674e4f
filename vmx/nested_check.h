/* SPDX-License-Identifier: MIT */
/*
 * The checks of a VM entry, SDM 3C 26.2 and 26.3, on a private copy of what L1 wrote. Plain C
 * without hardware; a migration's stream goes through the same checks. What is in memory beside the
 * VMCS (PDPTEs without EPT, MSR lists, the VMCS that the link pointer names) is the caller's.
 */
#pragma once

#include "vmx/vmcs12.h"

/*
 * What the processor that L1 believes to have allows: its capability MSRs (SDM 3D Appendix A).
 * Controls: what must be 1 in the low half, what may be 1 in the high half, as the TRUE registers
 * have it.
 */
struct vmx_limits {
	u64 basic, misc, ept_vpid;
	u64 pin, proc, proc2, exit, entry;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 efer_allowed;
	u8 maxphyaddr;
};

/* In the exit qualification of a failed entry, SDM 3C 26.8. */
enum { ENTRY_FAIL_OTHER = 0, ENTRY_FAIL_PDPTE = 2, ENTRY_FAIL_LINK = 4 };

/*
 * Each returns NULL, or the name of the first check that failed, a constant.
 *
 * Controls, 26.2.1: VMfail with VMX_ERROR_ENTRY_CONTROLS.
 */
const char *vmx_check_controls(const struct vmcs12 *v, const struct vmx_limits *l);
/* An EPT pointer among them, 26.2.1.1; INVEPT wants such a one, too. */
const char *vmx_check_ept_pointer(u64 eptp, const struct vmx_limits *l);
/*
 * The host state, 26.2.2 to 26.2.4: VMfail with VMX_ERROR_ENTRY_HOST_STATE. @l1_long: L1 has
 * EFER.LMA.
 */
const char *vmx_check_host(const struct vmcs12 *v, const struct vmx_limits *l, bool l1_long);
/*
 * The guest state, 26.3.1: an exit with VMX_EXIT_GUEST_STATE and *@qualification. To be made only
 * when the controls are right.
 */
const char *vmx_check_guest(const struct vmcs12 *v, const struct vmx_limits *l, u64 *qualification);
/* One PDPTE of L2's, from vmcs12 or from memory, 26.3.1.6. True when it is good. */
bool vmx_pdpte_valid(u64 pdpte, const struct vmx_limits *l);
/*
 * An entry of an MSR list, loaded or stored, but for what the MSR itself demands, 26.4 and 27.4.
 * @reserved: its second word.
 */
const char *vmx_check_msr_entry(u32 index, u32 reserved, bool load);
