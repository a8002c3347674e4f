// SPDX-License-Identifier: MIT
/* The capabilities of VMX (SDM 3D Appendix A): what is needed, what is taken when it is there. */
#include "vmx/probe.h"
#include "lib/vmx.h"
#include "lib/x86.h"

/* One control that the backend cannot do without, as the one line names it. */
struct need {
	u32 bit;
	const char *refusal;
};

#define LACKS(what) "this processor's lacks " what

static const struct need pin_needs[] = {
	{VMX_PIN_INTR, LACKS("external-interrupt exiting")},
	{VMX_PIN_NMI, LACKS("NMI exiting")},
	{VMX_PIN_VIRTUAL_NMI, LACKS("virtual NMIs")},
};
static const struct need proc_needs[] = {
	{VMX_PROC_INTR_WINDOW, LACKS("interrupt-window exiting")},
	{VMX_PROC_TSC_OFFSET, LACKS("TSC offsetting")},
	{VMX_PROC_HLT, LACKS("HLT exiting")},
	{VMX_PROC_MWAIT, LACKS("MWAIT exiting")},
	{VMX_PROC_RDPMC, LACKS("RDPMC exiting")},
	{VMX_PROC_TPR_SHADOW, LACKS("the TPR shadow")},
	{VMX_PROC_NMI_WINDOW, LACKS("NMI-window exiting")},
	{VMX_PROC_IO_ALL, LACKS("unconditional I/O exiting")},
	{VMX_PROC_MSR_BITMAPS, LACKS("MSR bitmaps")},
	{VMX_PROC_MONITOR, LACKS("MONITOR exiting")},
	{VMX_PROC_SECONDARY, LACKS("secondary controls")},
};
static const struct need proc2_needs[] = {
	{VMX_PROC2_EPT, LACKS("extended page tables (EPT)")},
	{VMX_PROC2_VPID, LACKS("VPIDs")},
	{VMX_PROC2_UNRESTRICTED, LACKS("unrestricted guest")},
};
static const struct need exit_needs[] = {
	{VMX_EXIT_CTL_SAVE_DEBUG, LACKS("saving of debug controls")},
	{VMX_EXIT_CTL_HOST_64, LACKS("64-bit hosts")},
	{VMX_EXIT_CTL_LOAD_PAT, LACKS("loading of IA32_PAT")},
	{VMX_EXIT_CTL_SAVE_EFER, LACKS("saving of IA32_EFER")},
	{VMX_EXIT_CTL_LOAD_EFER, LACKS("loading of IA32_EFER")},
};
static const struct need entry_needs[] = {
	{VMX_ENTRY_LOAD_DEBUG, LACKS("loading of debug controls")},
	{VMX_ENTRY_IA32E, LACKS("64-bit guests")},
	{VMX_ENTRY_LOAD_PAT, LACKS("loading of IA32_PAT at entry")},
	{VMX_ENTRY_LOAD_EFER, LACKS("loading of IA32_EFER at entry")},
};

/* Taken where they are there. The timer: emulators may hold host interrupts back (run.c). */
#define PIN_LIKED   VMX_PIN_TIMER
#define PROC2_LIKED VMX_PROC2_WBINVD

/* Exits that nothing here expects; a processor without TRUE_* controls insists on some of them. */
#define PROC_UNWANTED                                                                    \
	(VMX_PROC_INVLPG | VMX_PROC_RDTSC | VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE |     \
	 VMX_PROC_CR8_LOAD | VMX_PROC_CR8_STORE | VMX_PROC_MOV_DR | VMX_PROC_TRAP_FLAG | \
	 VMX_PROC_IO_BITMAPS)

static const struct {
	u64 bits;
	const char *refusal;
} ept_vpid_needs[] = {
	{VMX_EPT_WALK_4, LACKS("EPT of 4 levels")},
	{VMX_EPT_WB, LACKS("write-back EPT")},
	{VMX_EPT_2M, LACKS("EPT pages of 2M")},
	{VMX_EPT_INVEPT | VMX_EPT_INVEPT_SINGLE, LACKS("INVEPT of one context")},
	{VMX_VPID_INVVPID | VMX_VPID_SINGLE | VMX_VPID_ALL, LACKS("INVVPID")},
};

static bool may_be_1(u64 capability, u32 bits)
{
	return !(bits & ~(u32)(capability >> 32));
}

static const char *missing(u64 capability, const struct need *needs, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!may_be_1(capability, needs[i].bit))
			return needs[i].refusal;
	return NULL;
}

static const char *controls_refusal(const struct vmx_facts *f)
{
	const char *why = missing(f->pin, pin_needs, ARRAY_SIZE(pin_needs));

	if (!why)
		why = missing(f->proc, proc_needs, ARRAY_SIZE(proc_needs));
	if (!why)
		why = missing(f->proc2, proc2_needs, ARRAY_SIZE(proc2_needs));
	if (!why)
		why = missing(f->exit, exit_needs, ARRAY_SIZE(exit_needs));
	if (!why)
		why = missing(f->entry, entry_needs, ARRAY_SIZE(entry_needs));
	if (!why && (u32)f->proc & PROC_UNWANTED)
		why = "this processor's insists on exits that are not wanted";
	return why;
}

const char *vmx_refusal(const struct vmx_facts *f)
{
	const char *why;

	if (!f->vmx)
		return "this processor does not have it";
	/* SDM 3C 23.7: locked without the VMX bit, it forbids VMXON. Unlocked, Cleave sets it. */
	if (f->feature_control & FEATURE_CONTROL_LOCK &&
	    !(f->feature_control & FEATURE_CONTROL_VMX))
		return "switched off by the firmware (IA32_FEATURE_CONTROL); enable VMX or VT-x in "
		       "its setup";
	if ((f->basic & VMX_BASIC_TYPE) != VMX_BASIC_TYPE_WB ||
	    (f->basic & VMX_BASIC_SIZE) >> VMX_BASIC_SIZE_SHIFT > PAGE_SIZE)
		return "this processor's wants a VMCS of another kind of memory";
	why = controls_refusal(f);
	for (size_t i = 0; i < ARRAY_SIZE(ept_vpid_needs) && !why; i++)
		if (ept_vpid_needs[i].bits & ~f->ept_vpid)
			why = ept_vpid_needs[i].refusal;
	return why;
}

u32 vmx_control_adjust(u64 capability, u32 wanted)
{
	return (wanted | (u32)capability) & (u32)(capability >> 32);
}

static u32 adjust(u64 capability, const struct need *needs, size_t nr, u32 liked)
{
	for (size_t i = 0; i < nr; i++)
		liked |= needs[i].bit;
	return vmx_control_adjust(capability, liked);
}

/* What is there for a moment, or is the guest's own to switch. */
#define PROC_WINDOWS (VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW)

struct vmx_controls vmx_controls_for(const struct vmx_facts *f)
{
	u32 proc2 = PROC2_LIKED | (f->rdtscp ? VMX_PROC2_RDTSCP : 0);

	return (struct vmx_controls){
		.pin = adjust(f->pin, pin_needs, ARRAY_SIZE(pin_needs), PIN_LIKED),
		.proc = adjust(f->proc, proc_needs, ARRAY_SIZE(proc_needs), 0) & ~PROC_WINDOWS,
		.proc2 = adjust(f->proc2, proc2_needs, ARRAY_SIZE(proc2_needs), proc2),
		.exit = adjust(f->exit, exit_needs, ARRAY_SIZE(exit_needs), 0),
		.entry = adjust(f->entry, entry_needs, ARRAY_SIZE(entry_needs), 0) &
			 ~VMX_ENTRY_IA32E,
	};
}

u64 vmx_eptp(const struct vmx_facts *f, hpa_t root)
{
	u64 eptp = root.v | VMX_EPTP_WB | (4 - 1) << VMX_EPTP_WALK_SHIFT;

	return f->ept_vpid & VMX_EPT_AD ? eptp | VMX_EPTP_AD : eptp;
}

/* SDM 3D A.6: it counts down when bit X of the TSC changes. */
u32 vmx_timer_ticks(const struct vmx_facts *f, u64 tsc)
{
	u64 ticks = MAX(tsc >> (f->misc & VMX_MISC_TIMER_RATE), 1ull);

	return (u32)MIN(ticks, 0xffffffffull);
}
