// SPDX-License-Identifier: MIT
/* The MSRs that the VMCS holds and L1 may not write freely. */
#include "kernel/cpu.h"
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/nested_check_internal.h"
#include "vmx/offer.h"
#include "vmx/vmx.h"

#define DEBUGCTL_WRITABLE 0x3full /* accepted and without effect: LBR is not offered */

/* SDM 4 IA32_EFER. LMA is the processor's own. */
static int efer_write(u64 val)
{
	u64 old = vmcs_read(VMCS_guest_efer);

	if (val & ~vmx_host.limits.efer_allowed)
		return -EINVAL;
	if ((val ^ old) & EFER_LME && vmcs_read(VMCS_guest_cr0) & CR0_PG)
		return -EINVAL;
	vmcs_write(VMCS_guest_efer, (val & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
}

static int pat_write(u64 val)
{
	if (vmx_pat_bad(val))
		return -EINVAL;
	vmcs_write(VMCS_guest_pat, val);
	return 0;
}

int vmx_msr_read(struct vcpu *vcpu, u32 msr, u64 *val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_vmcs_use(vmx);
	switch (msr) {
	case MSR_EFER:
		*val = vmcs_read(VMCS_guest_efer);
		return 0;
	case MSR_TSC:
		*val = vmx_l1_tsc(vcpu);
		return 0;
	case MSR_TSC_AUX: /* where it exists it does not exit */
		return -EINVAL;
	case MSR_PAT:
		*val = vmcs_read(VMCS_guest_pat);
		return 0;
	case MSR_DEBUGCTL:
		*val = vmx->debugctl;
		return 0;
	case MSR_FEATURE_CONTROL: /* as firmware leaves it, SDM 3C 23.7 */
		if (!vmx_host.nesting)
			return -ENOENT;
		*val = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
		return 0;
	}
	return vmx_host.nesting ? vmx_offer_msr(&vmx_host.limits, msr, val) : -ENOENT;
}

int vmx_msr_write(struct vcpu *vcpu, u32 msr, u64 val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_vmcs_use(vmx);
	switch (msr) {
	case MSR_EFER:
		return efer_write(val);
	case MSR_TSC:
		vmx_set_l1_tsc(vcpu, val);
		return 0;
	case MSR_TSC_AUX:
		return -EINVAL;
	case MSR_PAT:
		return pat_write(val);
	case MSR_DEBUGCTL:
		if (val & ~DEBUGCTL_WRITABLE)
			return -EINVAL;
		vmx->debugctl = val;
		return 0;
	}
	return -ENOENT;
}
