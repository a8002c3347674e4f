// SPDX-License-Identifier: MIT
/* The vm-entry checks on L2's state, SDM 3C 26.3.1: registers, and what is not a register. */
#include "vmx/nested_check_internal.h"

#define RFLAGS_RESERVED (GENMASK(63, 22) | BIT(15) | BIT(5) | BIT(3))
#define PENDING_DEFINED (VMX_DEBUG_BREAKPOINTS | VMX_DEBUG_ENABLED | VMX_DEBUG_BS | VMX_DEBUG_RTM)
/* What L1 may set: LBR, BTF, and no more is offered. */
#define DEBUGCTL_DEFINED (BIT(0) | BIT(1))
#define DEBUGCTL_BTF	 BIT(1)

static bool unrestricted(const struct vmcs12 *v)
{
	return vmx_proc2(v) & VMX_PROC2_UNRESTRICTED;
}

/* 26.3.1.1. */
static const char *check_control_registers(const struct vmcs12 *v, const struct vmx_limits *l)
{
	/* NW and CD are not checked; PE and PG are the guest's where it may do without paging. */
	u64 free = CR0_NW | CR0_CD | (unrestricted(v) ? CR0_PE | CR0_PG : 0);
	bool ia32e = v->entry_controls & VMX_ENTRY_IA32E;

	REFUSE(vmx_fixed_bad(v->guest_cr0, l->cr0_fixed0, l->cr0_fixed1, free), "CR0");
	REFUSE(v->guest_cr0 & CR0_PG && !(v->guest_cr0 & CR0_PE), "CR0.PG without CR0.PE");
	REFUSE(vmx_fixed_bad(v->guest_cr4, l->cr4_fixed0, l->cr4_fixed1, 0), "CR4");
	REFUSE(ia32e && !(v->guest_cr0 & CR0_PG), "IA-32e guest without CR0.PG");
	REFUSE(ia32e && !(v->guest_cr4 & CR4_PAE), "IA-32e guest without CR4.PAE");
	REFUSE(!ia32e && v->guest_cr4 & CR4_PCIDE, "CR4.PCIDE outside IA-32e mode");
	REFUSE(vmx_physical_bad(v->guest_cr3, l), "CR3");
	return NULL;
}

static const char *check_debug(const struct vmcs12 *v)
{
	if (!(v->entry_controls & VMX_ENTRY_LOAD_DEBUG))
		return NULL;
	REFUSE(v->guest_debugctl & ~DEBUGCTL_DEFINED, "DEBUGCTL");
	REFUSE(v->guest_dr7 >> 32, "DR7[63:32]");
	return NULL;
}

static const char *check_msrs(const struct vmcs12 *v, const struct vmx_limits *l)
{
	bool ia32e = v->entry_controls & VMX_ENTRY_IA32E;

	REFUSE(!vmx_canonical(v->guest_sysenter_esp), "SYSENTER_ESP");
	REFUSE(!vmx_canonical(v->guest_sysenter_eip), "SYSENTER_EIP");
	REFUSE(v->entry_controls & VMX_ENTRY_LOAD_PAT && vmx_pat_bad(v->guest_pat), "PAT");
	if (!(v->entry_controls & VMX_ENTRY_LOAD_EFER))
		return NULL;
	REFUSE(v->guest_efer & ~l->efer_allowed, "EFER MBZ bits");
	REFUSE(!(v->guest_efer & EFER_LMA) == ia32e, "EFER.LMA");
	REFUSE(v->guest_cr0 & CR0_PG && !(v->guest_efer & EFER_LME) == ia32e, "EFER.LME");
	return NULL;
}

/* 26.3.1.3. */
static const char *check_tables(const struct vmcs12 *v)
{
	REFUSE(!vmx_canonical(v->guest_gdtr_base), "GDTR base");
	REFUSE(!vmx_canonical(v->guest_idtr_base), "IDTR base");
	REFUSE(v->guest_gdtr_limit >> 16, "GDTR limit");
	REFUSE(v->guest_idtr_limit >> 16, "IDTR limit");
	return NULL;
}

static bool event_is(const struct vmcs12 *v, u64 type)
{
	return v->entry_intr_info & VMX_EVENT_VALID &&
	       (v->entry_intr_info & VMX_EVENT_TYPE) == type;
}

/* 26.3.1.4. */
static const char *check_rip_rflags(const struct vmcs12 *v)
{
	bool ia32e = v->entry_controls & VMX_ENTRY_IA32E;

	if (ia32e && v->guest_cs_ar & VMX_AR_L)
		/* Not canonical, but close: bit 47 may differ from those above. */
		REFUSE(v->guest_rip >> 48 && v->guest_rip >> 48 != 0xffff, "RIP[63:48]");
	else
		REFUSE(v->guest_rip >> 32, "RIP[63:32]");
	REFUSE(v->guest_rflags & RFLAGS_RESERVED || !(v->guest_rflags & RFLAGS_FIXED), "RFLAGS");
	REFUSE(v->guest_rflags & RFLAGS_VM && (ia32e || !(v->guest_cr0 & CR0_PE)), "RFLAGS.VM");
	REFUSE(event_is(v, VMX_EVENT_INTR) && !(v->guest_rflags & RFLAGS_IF),
	       "interrupt without RFLAGS.IF");
	return NULL;
}

/* 26.3.1.5: what may be injected into a processor that does not execute instructions. */
static bool event_suits_activity(const struct vmcs12 *v)
{
	u32 vector = v->entry_intr_info & VMX_EVENT_VECTOR;
	bool exception = event_is(v, VMX_EVENT_EXCEPTION);

	if (!(v->entry_intr_info & VMX_EVENT_VALID))
		return true;
	switch (v->guest_activity) {
	case VMX_ACTIVE:
		return true;
	case VMX_HLT:
		return event_is(v, VMX_EVENT_INTR) || event_is(v, VMX_EVENT_NMI) ||
		       event_is(v, VMX_EVENT_OTHER) || (exception && (vector == 1 || vector == 18));
	case VMX_SHUTDOWN:
		return event_is(v, VMX_EVENT_NMI) || (exception && vector == 18);
	}
	return false;
}

static const char *check_activity(const struct vmcs12 *v, const struct vmx_limits *l)
{
	u32 state = v->guest_activity;

	/* MISC has a bit for each state but the first. */
	REFUSE(state > VMX_WAIT_FOR_SIPI || (state && !(l->misc & BIT(5 + state))),
	       "activity state");
	REFUSE(state == VMX_HLT && v->guest_ss_ar >> VMX_AR_DPL_SHIFT & 3, "halted with SS.DPL");
	REFUSE(state && v->guest_interruptibility & VMX_BLOCK_SHADOW, "activity state in a shadow");
	REFUSE(!event_suits_activity(v), "event for the activity state");
	return NULL;
}

static const char *check_interruptibility(const struct vmcs12 *v)
{
	u32 blocking = v->guest_interruptibility;

	/* No SMM and no enclave for L1. */
	REFUSE(blocking & ~(u32)(VMX_BLOCK_SHADOW | VMX_BLOCK_NMI), "interruptibility state");
	REFUSE((blocking & VMX_BLOCK_SHADOW) == VMX_BLOCK_SHADOW, "blocking by STI and by MOV SS");
	REFUSE(blocking & VMX_BLOCK_STI && !(v->guest_rflags & RFLAGS_IF),
	       "blocking by STI without RFLAGS.IF");
	REFUSE(event_is(v, VMX_EVENT_INTR) && blocking & VMX_BLOCK_SHADOW, "interrupt in a shadow");
	REFUSE(event_is(v, VMX_EVENT_NMI) && blocking & VMX_BLOCK_MOV_SS, "NMI after MOV SS");
	REFUSE(event_is(v, VMX_EVENT_NMI) && v->pin_controls & VMX_PIN_VIRTUAL_NMI &&
		       blocking & VMX_BLOCK_NMI,
	       "NMI while NMIs are blocked");
	return NULL;
}

static const char *check_pending_debug(const struct vmcs12 *v)
{
	u64 pending = v->guest_pending_debug;
	bool step = v->guest_rflags & RFLAGS_TF && !(v->guest_debugctl & DEBUGCTL_BTF);

	REFUSE(pending & ~PENDING_DEFINED, "pending debug exceptions");
	/* What a single step has left behind must agree with TF while its #DB is held back. */
	if (v->guest_interruptibility & VMX_BLOCK_SHADOW || v->guest_activity == VMX_HLT)
		REFUSE(!(pending & VMX_DEBUG_BS) == step, "pending single step");
	/* RTM is not offered. */
	REFUSE(pending & VMX_DEBUG_RTM, "pending debug exception of RTM");
	return NULL;
}

bool vmx_pdpte_valid(u64 pdpte, const struct vmx_limits *l)
{
	return !(pdpte & 1) ||
	       !(pdpte & (GENMASK(2, 1) | GENMASK(8, 5)) || vmx_physical_bad(pdpte, l));
}

/* 26.3.1.6; without EPT they are loaded from memory, and checked there. */
static const char *check_pdptes(const struct vmcs12 *v, const struct vmx_limits *l)
{
	if (!(vmx_proc2(v) & VMX_PROC2_EPT) || !(v->guest_cr0 & CR0_PG) ||
	    !(v->guest_cr4 & CR4_PAE) || v->entry_controls & VMX_ENTRY_IA32E)
		return NULL;
	REFUSE(!vmx_pdpte_valid(v->guest_pdpte0, l), "PDPTE 0");
	REFUSE(!vmx_pdpte_valid(v->guest_pdpte1, l), "PDPTE 1");
	REFUSE(!vmx_pdpte_valid(v->guest_pdpte2, l), "PDPTE 2");
	REFUSE(!vmx_pdpte_valid(v->guest_pdpte3, l), "PDPTE 3");
	return NULL;
}

static const char *check_registers(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE_ALSO(check_control_registers(v, l));
	REFUSE_ALSO(check_debug(v));
	REFUSE_ALSO(check_msrs(v, l));
	REFUSE_ALSO(vmx_check_segments(v));
	REFUSE_ALSO(check_tables(v));
	return check_rip_rflags(v);
}

const char *vmx_check_guest(const struct vmcs12 *v, const struct vmx_limits *l, u64 *qualification)
{
	const char *why;

	*qualification = ENTRY_FAIL_OTHER;
	REFUSE_ALSO(check_registers(v, l));
	REFUSE_ALSO(check_activity(v, l));
	REFUSE_ALSO(check_interruptibility(v));
	REFUSE_ALSO(check_pending_debug(v));
	*qualification = ENTRY_FAIL_LINK;
	REFUSE(v->link_pointer != ~0ull && vmx_page_bad(v->link_pointer, l), "VMCS link pointer");
	*qualification = ENTRY_FAIL_PDPTE;
	why = check_pdptes(v, l);
	if (!why)
		*qualification = ENTRY_FAIL_OTHER;
	return why;
}
