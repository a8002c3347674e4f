// SPDX-License-Identifier: MIT
/*
 * The vm-entry checks on the control fields, SDM 3C 26.2.1. All are made here, before the processor
 * sees the VMCS, so that what L1 gets does not depend on how thorough an emulator is. Which
 * controls there are at all the capability MSRs say; only checks of what L1 may be offered follow.
 */
#include "vmx/nested_check_internal.h"

#define MSR_SMM_MONITOR_CTL 0x9b
#define MSR_SMBASE	    0x9e

#define CR3_TARGETS_SHIFT 16 /* in MSR_VMX_MISC, 9 bits */
#define ENTRY_LENGTH_MAX  15

/* 26.2.1.1: first whether the words are what the processor has. */
static const char *check_words(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE(vmx_control_bad(v->pin_controls, l->pin), "pin-based controls");
	REFUSE(vmx_control_bad(v->proc_controls, l->proc), "primary processor-based controls");
	REFUSE(v->proc_controls & VMX_PROC_SECONDARY &&
		       vmx_control_bad(v->proc_controls_2, l->proc2),
	       "secondary processor-based controls");
	REFUSE(v->cr3_target_count > (l->misc >> CR3_TARGETS_SHIFT & 0x1ff), "CR3-target count");
	return NULL;
}

static const char *check_bitmaps(const struct vmcs12 *v, const struct vmx_limits *l)
{
	if (v->proc_controls & VMX_PROC_IO_BITMAPS) {
		REFUSE(vmx_page_bad(v->io_bitmap_a, l), "I/O bitmap A");
		REFUSE(vmx_page_bad(v->io_bitmap_b, l), "I/O bitmap B");
	}
	REFUSE(v->proc_controls & VMX_PROC_MSR_BITMAPS && vmx_page_bad(v->msr_bitmap, l),
	       "MSR bitmap");
	return NULL;
}

static const char *check_apic(const struct vmcs12 *v, const struct vmx_limits *l)
{
	u32 proc2 = vmx_proc2(v);

	if (v->proc_controls & VMX_PROC_TPR_SHADOW) {
		REFUSE(vmx_page_bad(v->virtual_apic, l), "virtual-APIC address");
		REFUSE(!(proc2 & VMX_PROC2_INTR_DELIVER) && v->tpr_threshold >> 4,
		       "TPR threshold[31:4]");
	} else {
		REFUSE(proc2 & VMX_PROC2_X2APIC, "x2APIC mode without TPR shadow");
		REFUSE(proc2 & VMX_PROC2_APIC_REGS, "APIC registers without TPR shadow");
		REFUSE(proc2 & VMX_PROC2_INTR_DELIVER, "interrupt delivery without TPR shadow");
	}
	if (proc2 & VMX_PROC2_APIC_ACCESS) {
		REFUSE(vmx_page_bad(v->apic_access, l), "APIC-access address");
		REFUSE(proc2 & VMX_PROC2_X2APIC, "APIC accesses and x2APIC mode");
	}
	REFUSE(proc2 & VMX_PROC2_INTR_DELIVER && !(v->pin_controls & VMX_PIN_INTR),
	       "interrupt delivery without interrupt exiting");
	return NULL;
}

static const char *check_nmi(const struct vmcs12 *v)
{
	REFUSE(v->pin_controls & VMX_PIN_VIRTUAL_NMI && !(v->pin_controls & VMX_PIN_NMI),
	       "virtual NMIs without NMI exiting");
	REFUSE(v->proc_controls & VMX_PROC_NMI_WINDOW && !(v->pin_controls & VMX_PIN_VIRTUAL_NMI),
	       "NMI window without virtual NMIs");
	return NULL;
}

const char *vmx_check_ept_pointer(u64 eptp, const struct vmx_limits *l)
{
	u64 type = eptp & 7, levels = (eptp >> VMX_EPTP_WALK_SHIFT & 7) + 1;

	REFUSE(type != VMX_EPTP_WB || !(l->ept_vpid & VMX_EPT_WB), "EPT memory type");
	REFUSE(!(levels == 4 && l->ept_vpid & VMX_EPT_WALK_4) &&
		       !(levels == 5 && l->ept_vpid & VMX_EPT_WALK_5),
	       "EPT page-walk length");
	REFUSE(eptp & VMX_EPTP_AD && !(l->ept_vpid & VMX_EPT_AD), "EPT accessed and dirty bits");
	REFUSE(eptp & GENMASK(11, 7) || vmx_physical_bad(eptp, l), "EPT pointer");
	return NULL;
}

static const char *check_memory(const struct vmcs12 *v, const struct vmx_limits *l)
{
	u32 proc2 = vmx_proc2(v);

	REFUSE(proc2 & VMX_PROC2_VPID && !v->vpid, "VPID 0");
	if (proc2 & VMX_PROC2_EPT)
		return vmx_check_ept_pointer(v->ept_pointer, l);
	REFUSE(proc2 & VMX_PROC2_UNRESTRICTED, "unrestricted guest without EPT");
	REFUSE(proc2 & VMX_PROC2_PML, "PML without EPT");
	REFUSE(proc2 & VMX_PROC2_MODE_EXEC, "execute by mode without EPT");
	return NULL;
}

/* 26.2.1.2 and 26.2.1.3: a list of @count entries of 16 bytes. An empty one has no address. */
static bool list_bad(u64 address, u32 count, const struct vmx_limits *l)
{
	return count && (address % 16 || vmx_physical_bad(address, l) ||
			 vmx_physical_bad(address + (u64)count * 16 - 1, l));
}

static const char *check_exit(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE(vmx_control_bad(v->exit_controls, l->exit), "exit controls");
	REFUSE(v->exit_controls & VMX_EXIT_CTL_SAVE_TIMER && !(v->pin_controls & VMX_PIN_TIMER),
	       "saving the preemption timer, which is off");
	REFUSE(list_bad(v->exit_msr_store_addr, v->exit_msr_store_count, l), "exit MSR-store list");
	REFUSE(list_bad(v->exit_msr_load_addr, v->exit_msr_load_count, l), "exit MSR-load list");
	return NULL;
}

/* 26.2.1.3: exceptions that push an error code. */
static bool vector_has_error(u32 vector)
{
	return vector < 32 && (BIT(8) | GENMASK(14, 10) | BIT(17)) >> vector & 1;
}

static const char *check_event_error(const struct vmcs12 *v)
{
	u32 info = v->entry_intr_info;
	bool want = (info & VMX_EVENT_TYPE) == VMX_EVENT_EXCEPTION && v->guest_cr0 & CR0_PE &&
		    vector_has_error(info & VMX_EVENT_VECTOR);

	REFUSE(!(info & VMX_EVENT_ERROR) != !want, "error code of the event");
	REFUSE(want && v->entry_intr_error & GENMASK(31, 16), "error code[31:16]");
	return NULL;
}

static const char *check_event(const struct vmcs12 *v, const struct vmx_limits *l)
{
	u32 info = v->entry_intr_info, vector = info & VMX_EVENT_VECTOR;
	u32 shortest = l->misc & VMX_MISC_INSN_LEN_0 ? 0 : 1;

	if (!(info & VMX_EVENT_VALID))
		return NULL;
	REFUSE(info & VMX_EVENT_RESERVED, "reserved bits of the event");
	switch (info & VMX_EVENT_TYPE) {
	case VMX_EVENT_INTR:
		break;
	case VMX_EVENT_NMI:
		REFUSE(vector != 2, "vector of the NMI");
		break;
	case VMX_EVENT_EXCEPTION:
		REFUSE(vector > 31, "vector of the exception");
		break;
	case VMX_EVENT_SOFT_INTR:
	case VMX_EVENT_ICEBP:
	case VMX_EVENT_SOFT_EXC:
		REFUSE(v->entry_insn_len < shortest || v->entry_insn_len > ENTRY_LENGTH_MAX,
		       "length of the event's instruction");
		break;
	case VMX_EVENT_OTHER:
		/* A pending monitor trap, where there is one. */
		REFUSE(!(l->proc >> 32 & VMX_PROC_TRAP_FLAG), "type of the event");
		REFUSE(vector, "vector of the pending trap");
		break;
	default:
		return "type of the event";
	}
	return check_event_error(v);
}

static const char *check_entry(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE(vmx_control_bad(v->entry_controls, l->entry), "entry controls");
	REFUSE_ALSO(check_event(v, l));
	REFUSE(list_bad(v->entry_msr_load_addr, v->entry_msr_load_count, l), "entry MSR-load list");
	/* L1 is never in SMM, 26.2.1.3. */
	REFUSE(v->entry_controls & VMX_ENTRY_SMM, "entry to SMM");
	REFUSE(v->entry_controls & VMX_ENTRY_DUAL, "end of the dual-monitor treatment");
	return NULL;
}

const char *vmx_check_controls(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE_ALSO(check_words(v, l));
	REFUSE_ALSO(check_bitmaps(v, l));
	REFUSE_ALSO(check_apic(v, l));
	REFUSE_ALSO(check_nmi(v));
	REFUSE_ALSO(check_memory(v, l));
	REFUSE_ALSO(check_exit(v, l));
	return check_entry(v, l);
}

const char *vmx_check_msr_entry(u32 index, u32 reserved, bool load)
{
	REFUSE(reserved, "reserved bits of an MSR entry");
	/* The x2APIC's registers, which have no place in a list. */
	REFUSE(index >> 8 == 8, "x2APIC register in an MSR list");
	REFUSE(load && (index == MSR_FS_BASE || index == MSR_GS_BASE),
	       "segment base in an MSR list");
	REFUSE(load && index == MSR_SMM_MONITOR_CTL, "SMM monitor in an MSR list");
	REFUSE(!load && index == MSR_SMBASE, "SMBASE in an MSR list");
	return NULL;
}
