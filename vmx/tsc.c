// SPDX-License-Identifier: MIT
/* L1's time-stamp counter: the machine's, and an offset. */
#include "kernel/cpu.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

u64 vmx_l1_tsc(struct vcpu *vcpu)
{
	return rdtsc() + to_vmx(vcpu)->tsc_offset;
}

void vmx_set_l1_tsc(struct vcpu *vcpu, u64 tsc)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_vmcs_use(vmx);
	vmx->tsc_offset = tsc - rdtsc();
	vmcs_write(VMCS_tsc_offset, vmx->tsc_offset);
}
