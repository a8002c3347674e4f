// SPDX-License-Identifier: MIT
/* The guest-state area but for segments, SDM 3C 26.3.1. */
#include "guests/vmxcheck.h"

#define EVENT(type, vector) (VMX_EVENT_VALID | (type) | (vector))
#define INTERRUPT	    SET(entry_intr_info, EVENT(VMX_EVENT_INTR, 32))
#define NMI		    SET(entry_intr_info, EVENT(VMX_EVENT_NMI, EXC_NMI))
#define AR_CODE32	    0xc09b

/* A guest of 32 bits with PAE paging, and its PDPTEs in the VMCS. */
#define PAE_GUEST                                                                   \
	OFF(entry_controls, VMX_ENTRY_IA32E), OFF(guest_efer, EFER_LME | EFER_LMA), \
		SET(guest_cs_ar, AR_CODE32)

static const struct vmxcheck_row control[] = {
	ROW("guest CR0 without NE", BAD_GUEST, OFF(guest_cr0, CR0_NE)),
	ROW("guest CR0 with PG, without PE", BAD_GUEST, OFF(guest_cr0, CR0_PE)),
	ROW_IF(BOTH(NEEDS_PROC2(VMX_PROC2_UNRESTRICTED), BOCHS_DIFFERS),
	       "guest CR0 without PG, unrestricted, in long mode", BAD_GUEST,
	       OFF(guest_cr0, CR0_PG), ON(proc_controls_2, VMX_PROC2_UNRESTRICTED)),
	ROW("guest CR0 without PE and PG", BAD_GUEST, OFF(guest_cr0, CR0_PE | CR0_PG)),
	ROW("guest CR0 with bit 32", BAD_GUEST, ON(guest_cr0, BIT(32))),
	ROW("guest CR4 without VMXE", BAD_GUEST, OFF(guest_cr4, CR4_VMXE)),
	ROW("guest CR4 with bit 31", BAD_GUEST, ON(guest_cr4, BIT(31))),
	ROW_IF(BOCHS_DIFFERS, "guest DEBUGCTL with a reserved bit", BAD_GUEST,
	       SET(guest_debugctl, BIT(31))),
	ROW("guest DEBUGCTL not used", RUNS, SET(guest_debugctl, BIT(31)),
	    OFF(entry_controls, VMX_ENTRY_LOAD_DEBUG)),
	ROW("guest in long mode without PAE", BAD_GUEST, OFF(guest_cr4, CR4_PAE)),
	ROW("guest outside of long mode with PCIDE", BAD_GUEST, PAE_GUEST,
	    ON(guest_cr4, CR4_PCIDE)),
	ROW("guest CR3 outside", BAD_GUEST, ON(guest_cr3, NOT_PHYSICAL)),
	ROW("guest DR7 of 33 bits", BAD_GUEST, ON(guest_dr7, BIT(32))),
	ROW("guest DR7 not used", RUNS, ON(guest_dr7, BIT(32)),
	    OFF(entry_controls, VMX_ENTRY_LOAD_DEBUG)),
	ROW("guest SYSENTER_ESP not canonical", BAD_GUEST, SET(guest_sysenter_esp, NOT_CANONICAL)),
	ROW("guest SYSENTER_EIP not canonical", BAD_GUEST, SET(guest_sysenter_eip, NOT_CANONICAL)),
	ROW("guest PAT of type 3", BAD_GUEST, SET(guest_pat, 0x0307040600070406)),
	ROW("guest PAT not used", RUNS, SET(guest_pat, 3), OFF(entry_controls, VMX_ENTRY_LOAD_PAT)),
	ROW("guest EFER with a reserved bit", BAD_GUEST, ON(guest_efer, BIT(1))),
	ROW("guest EFER without LMA", BAD_GUEST, OFF(guest_efer, EFER_LMA)),
	ROW("guest EFER without LME", BAD_GUEST, OFF(guest_efer, EFER_LME)),
	ROW("guest EFER with LMA, entry to 32 bits", BAD_GUEST,
	    OFF(entry_controls, VMX_ENTRY_IA32E), SET(guest_cs_ar, AR_CODE32)),
	ROW("PDPTE with a reserved bit", BAD_PDPTE, PAE_GUEST, SET(guest_pdpte1, PTE_P | BIT(1))),
	ROW("PDPTE outside", BAD_PDPTE, PAE_GUEST, SET(guest_pdpte3, PTE_P | NOT_PHYSICAL)),
};

static const struct vmxcheck_row pointers[] = {
	ROW("guest GDTR base not canonical", BAD_GUEST, SET(guest_gdtr_base, NOT_CANONICAL)),
	ROW("guest IDTR base not canonical", BAD_GUEST, SET(guest_idtr_base, NOT_CANONICAL)),
	ROW("guest GDTR limit of 17 bits", BAD_GUEST, SET(guest_gdtr_limit, BIT(16))),
	ROW("guest IDTR limit of 17 bits", BAD_GUEST, SET(guest_idtr_limit, BIT(16))),
	ROW_IF(BOCHS_DIFFERS, "guest RIP not canonical", BAD_GUEST, SET(guest_rip, NOT_CANONICAL)),
	ROW("guest RIP of 33 bits in compatibility mode", BAD_GUEST, SET(guest_cs_ar, AR_CODE32),
	    ON(guest_rip, BIT(32))),
	ROW("guest RFLAGS without bit 1", BAD_GUEST, OFF(guest_rflags, RFLAGS_FIXED)),
	ROW("guest RFLAGS with bit 3", BAD_GUEST, ON(guest_rflags, BIT(3))),
	ROW("guest RFLAGS with bit 15", BAD_GUEST, ON(guest_rflags, BIT(15))),
	ROW("guest RFLAGS with bit 22", BAD_GUEST, ON(guest_rflags, BIT(22))),
	ROW("guest RFLAGS with bit 63", BAD_GUEST, ON(guest_rflags, BIT(63))),
	ROW("guest RFLAGS with VM in long mode", BAD_GUEST, ON(guest_rflags, BIT(17))),
	ROW("interrupt while IF is clear", BAD_GUEST, INTERRUPT),
};

static const struct vmxcheck_row state[] = {
	ROW("activity state 4", BAD_GUEST, SET(guest_activity, 4)),
	ROW("activity HLT while blocked by STI", BAD_GUEST, SET(guest_activity, VMX_HLT),
	    SET(guest_interruptibility, VMX_BLOCK_STI), ON(guest_rflags, RFLAGS_IF)),
	ROW("activity HLT while blocked by MOV SS", BAD_GUEST, SET(guest_activity, VMX_HLT),
	    SET(guest_interruptibility, VMX_BLOCK_MOV_SS)),
	ROW("interrupt in activity shutdown", BAD_GUEST, SET(guest_activity, VMX_SHUTDOWN),
	    INTERRUPT, ON(guest_rflags, RFLAGS_IF)),
	ROW_IF(BOCHS_DIFFERS, "#UD in activity HLT", BAD_GUEST, SET(guest_activity, VMX_HLT),
	       SET(entry_intr_info, EVENT(VMX_EVENT_EXCEPTION, EXC_UD))),
	ROW("NMI in activity wait-for-SIPI", BAD_GUEST, SET(guest_activity, VMX_WAIT_FOR_SIPI),
	    NMI),
	ROW("interruptibility with bit 5", BAD_GUEST, SET(guest_interruptibility, BIT(5))),
	ROW("interruptibility with bit 31", BAD_GUEST, SET(guest_interruptibility, BIT(31))),
	ROW("blocked by STI and MOV SS", BAD_GUEST, SET(guest_interruptibility, VMX_BLOCK_SHADOW),
	    ON(guest_rflags, RFLAGS_IF)),
	ROW("blocked by STI with IF clear", BAD_GUEST, SET(guest_interruptibility, VMX_BLOCK_STI)),
	ROW("interrupt while blocked by STI", BAD_GUEST, SET(guest_interruptibility, VMX_BLOCK_STI),
	    INTERRUPT, ON(guest_rflags, RFLAGS_IF)),
	ROW("interrupt while blocked by MOV SS", BAD_GUEST,
	    SET(guest_interruptibility, VMX_BLOCK_MOV_SS), INTERRUPT, ON(guest_rflags, RFLAGS_IF)),
	ROW("NMI while blocked by MOV SS", BAD_GUEST, SET(guest_interruptibility, VMX_BLOCK_MOV_SS),
	    NMI),
	ROW("blocked by SMI outside of SMM", BAD_GUEST, SET(guest_interruptibility, VMX_BLOCK_SMI)),
	ROW_IF(BOTH(NEEDS_PIN(VMX_PIN_VIRTUAL_NMI), BOCHS_DIFFERS),
	       "virtual NMI while blocked by NMI", BAD_GUEST, ON(pin_controls, VMX_PIN_VIRTUAL_NMI),
	       SET(guest_interruptibility, VMX_BLOCK_NMI), NMI),
	ROW("pending debug with bit 4", BAD_GUEST, SET(guest_pending_debug, BIT(4))),
	ROW("pending debug with bit 13", BAD_GUEST, SET(guest_pending_debug, BIT(13))),
	ROW_IF(BOCHS_DIFFERS, "pending debug with bit 63", BAD_GUEST,
	       SET(guest_pending_debug, BIT(63))),
	ROW_IF(BOCHS_DIFFERS, "blocked by STI, TF without BS", BAD_GUEST,
	       SET(guest_interruptibility, VMX_BLOCK_STI), ON(guest_rflags, RFLAGS_IF | RFLAGS_TF)),
	ROW_IF(BOCHS_DIFFERS, "blocked by STI, BS without TF", BAD_GUEST,
	       SET(guest_interruptibility, VMX_BLOCK_STI), ON(guest_rflags, RFLAGS_IF),
	       SET(guest_pending_debug, VMX_DEBUG_BS)),
	ROW("link pointer not aligned", BAD_LINK, SET(link_pointer, 0x200001)),
	ROW("link pointer outside", BAD_LINK, SET(link_pointer, NOT_PHYSICAL)),
	ROW("link pointer to another revision", BAD_LINK, SET(link_pointer, 48ul << 20)),
};

/* That the current VMCS links to itself: its address is known here only. */
static void link_to_itself(void)
{
	u32 answer;

	vmcs_write(VMCS_link_pointer, (u64)vmxcheck_vcpu.vmcs);
	answer = vmxcheck_enter();
	vmcs_write(VMCS_link_pointer, ~0ul);
	vmxcheck_answer("link pointer to the current VMCS", answer, BAD_LINK);
	vmxcheck_valid();
}

void vmxcheck_guest(void)
{
	vmxcheck_rows(control, ARRAY_SIZE(control));
	vmxcheck_rows(pointers, ARRAY_SIZE(pointers));
	vmxcheck_rows(state, ARRAY_SIZE(state));
	link_to_itself();
}
