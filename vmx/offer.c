// SPDX-License-Identifier: MIT
/* SDM 3D Appendix A, for a processor that L1 believes to have. */
#include "vmx/offer.h"
#include "lib/x86.h"
#include "vmx/fields.h"
#include "vmx/nested_insn.h"

/*
 * Reserved controls that must be 1, A.3 to A.5. Where there are no TRUE registers a few more must,
 * the ones that have a meaning.
 */
#define PIN_DEFAULT1   0x16u
#define PROC_DEFAULT1  0x04006172u
#define EXIT_DEFAULT1  0x00036dfbu
#define ENTRY_DEFAULT1 0x000011fbu
#define PROC_PLAIN1    (VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE)

/*
 * L0 uses these as L1 asks for them, or they only make exits that are L1's. What reads or writes
 * L1's memory without an exit is not among them.
 */
#define PIN_OFFERED (VMX_PIN_INTR | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI | VMX_PIN_TIMER)
#define PROC_OFFERED                                                                         \
	(VMX_PROC_INTR_WINDOW | VMX_PROC_TSC_OFFSET | VMX_PROC_HLT | VMX_PROC_INVLPG |       \
	 VMX_PROC_MWAIT | VMX_PROC_RDPMC | VMX_PROC_RDTSC | VMX_PROC_CR3_LOAD |              \
	 VMX_PROC_CR3_STORE | VMX_PROC_CR8_LOAD | VMX_PROC_CR8_STORE | VMX_PROC_NMI_WINDOW | \
	 VMX_PROC_MOV_DR | VMX_PROC_IO_ALL | VMX_PROC_IO_BITMAPS | VMX_PROC_TRAP_FLAG |      \
	 VMX_PROC_MSR_BITMAPS | VMX_PROC_MONITOR | VMX_PROC_PAUSE | VMX_PROC_SECONDARY)
#define PROC2_OFFERED                                                                \
	(VMX_PROC2_EPT | VMX_PROC2_DESCRIPTORS | VMX_PROC2_RDTSCP | VMX_PROC2_VPID | \
	 VMX_PROC2_WBINVD | VMX_PROC2_UNRESTRICTED | VMX_PROC2_RDRAND | VMX_PROC2_RDSEED)
#define EXIT_OFFERED                                                              \
	(VMX_EXIT_CTL_SAVE_DEBUG | VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_ACK_INTR | \
	 VMX_EXIT_CTL_SAVE_PAT | VMX_EXIT_CTL_LOAD_PAT | VMX_EXIT_CTL_SAVE_EFER | \
	 VMX_EXIT_CTL_LOAD_EFER | VMX_EXIT_CTL_SAVE_TIMER)
#define ENTRY_OFFERED \
	(VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_IA32E | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER)

/* Of EPT what the processor has: its tables are of L1's format. */
#define EPT_OFFERED                                                                      \
	(VMX_EPT_EXEC_ONLY | VMX_EPT_WALK_4 | VMX_EPT_WALK_5 | VMX_EPT_WB | VMX_EPT_2M | \
	 VMX_EPT_1G | VMX_EPT_AD)
/* L0 carries these out itself. */
#define INV_OFFERED                                                                       \
	(VMX_EPT_INVEPT | VMX_EPT_INVEPT_SINGLE | VMX_EPT_INVEPT_ALL | VMX_VPID_INVVPID | \
	 VMX_VPID_ADDRESS | VMX_VPID_SINGLE | VMX_VPID_ALL | VMX_VPID_KEEP_GLOBAL)

/* Of A.6. No shutdown and no wait-for-SIPI state: L2 has neither. */
#define MISC_OFFERED                                                                               \
	(VMX_MISC_TIMER_RATE | VMX_MISC_STORE_LMA | VMX_MISC_ACTIVITY_HLT | VMX_MISC_CR3_TARGETS | \
	 VMX_MISC_INSN_LEN_0)

static u64 controls(u64 capability, u32 offered, u32 default1)
{
	u32 must = default1 | (u32)capability;
	u32 may = must | (offered & (u32)(capability >> 32));

	return must | (u64)may << 32;
}

struct vmx_limits vmx_offer(const struct vmx_facts *f, const struct vmx_limits *processor, u64 cr4)
{
	u32 proc2 = PROC2_OFFERED & ~(u32)(f->rdtscp ? 0 : VMX_PROC2_RDTSCP);

	return (struct vmx_limits){
		.basic = VMCS12_REVISION | (u64)PAGE_SIZE << VMX_BASIC_SIZE_SHIFT |
			 VMX_BASIC_TYPE_WB | VMX_BASIC_TRUE | (f->basic & VMX_BASIC_STRING_IO),
		.misc = f->misc & MISC_OFFERED,
		.ept_vpid = (f->ept_vpid & EPT_OFFERED) | INV_OFFERED,
		.pin = controls(f->pin, PIN_OFFERED, PIN_DEFAULT1),
		.proc = controls(f->proc, PROC_OFFERED, PROC_DEFAULT1),
		.proc2 = controls(f->proc2, proc2, 0),
		.exit = controls(f->exit, EXIT_OFFERED, EXIT_DEFAULT1),
		.entry = controls(f->entry, ENTRY_OFFERED, ENTRY_DEFAULT1),
		.cr0_fixed0 = processor->cr0_fixed0,
		.cr0_fixed1 = processor->cr0_fixed1,
		.cr4_fixed0 = processor->cr4_fixed0,
		.cr4_fixed1 = cr4 | processor->cr4_fixed0,
		.efer_allowed = processor->efer_allowed,
		.maxphyaddr = processor->maxphyaddr,
	};
}

/* A.9: bits 9:1 of the highest encoding's, among the fields that L1 may have. */
static u64 vmcs_enum(void)
{
	u64 highest = 0;

	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs_fields[i].offset >= 0)
			highest = MAX(highest, vmcs_fields[i].encoding & GENMASK(9, 1));
	return highest;
}

int vmx_offer_msr(const struct vmx_limits *offered, u32 msr, u64 *value)
{
	const struct vmx_limits *l = offered;
	const u64 values[] = {
		[MSR_VMX_BASIC - MSR_VMX_BASIC] = l->basic,
		[MSR_VMX_PIN - MSR_VMX_BASIC] = l->pin,
		[MSR_VMX_PROC - MSR_VMX_BASIC] = l->proc | PROC_PLAIN1,
		[MSR_VMX_EXIT - MSR_VMX_BASIC] = l->exit | VMX_EXIT_CTL_SAVE_DEBUG,
		[MSR_VMX_ENTRY - MSR_VMX_BASIC] = l->entry | VMX_ENTRY_LOAD_DEBUG,
		[MSR_VMX_MISC - MSR_VMX_BASIC] = l->misc,
		[MSR_VMX_CR0_FIXED0 - MSR_VMX_BASIC] = l->cr0_fixed0,
		[MSR_VMX_CR0_FIXED1 - MSR_VMX_BASIC] = l->cr0_fixed1,
		[MSR_VMX_CR4_FIXED0 - MSR_VMX_BASIC] = l->cr4_fixed0,
		[MSR_VMX_CR4_FIXED1 - MSR_VMX_BASIC] = l->cr4_fixed1,
		[MSR_VMX_VMCS_ENUM - MSR_VMX_BASIC] = vmcs_enum(),
		[MSR_VMX_PROC2 - MSR_VMX_BASIC] = l->proc2,
		[MSR_VMX_EPT_VPID_CAP - MSR_VMX_BASIC] = l->ept_vpid,
		[MSR_VMX_TRUE_PIN - MSR_VMX_BASIC] = l->pin,
		[MSR_VMX_TRUE_PROC - MSR_VMX_BASIC] = l->proc,
		[MSR_VMX_TRUE_EXIT - MSR_VMX_BASIC] = l->exit,
		[MSR_VMX_TRUE_ENTRY - MSR_VMX_BASIC] = l->entry,
	};

	if (msr - MSR_VMX_BASIC >= ARRAY_SIZE(values))
		return -ENOENT;
	*value = values[msr - MSR_VMX_BASIC];
	return 0;
}
