// SPDX-License-Identifier: MIT
/* Moving past an instruction. The processor says how long it was. */
#include "lib/x86.h"
#include "vmx/vmx.h"

/* Only what runs in 64-bit mode goes beyond 4 GiB; the mode costs a VMREAD. */
static bool wraps(const struct vmx_vcpu *vmx)
{
	if (likely(!(vmx->vcpu.rip >> 32)))
		return false;
	vmx_vmcs_use(vmx);
	return !vmx_code_is_64bit();
}

/* RIP moves; a shadow ends with the instruction that it covered; TF traps after it. */
void vmx_advance(struct vmx_vcpu *vmx, u64 len)
{
	struct vcpu *vcpu = &vmx->vcpu;

	vcpu->rip += len;
	if (unlikely(wraps(vmx)))
		vcpu->rip = (u32)vcpu->rip;
	vmx->interruptibility &= ~(u32)VMX_BLOCK_SHADOW;
	vcpu->rflags &= ~RFLAGS_RF;
}

int vmx_skip(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_advance(vmx, exit->insn_len);
	if (unlikely(vcpu->rflags & RFLAGS_TF)) {
		vmx_set_dr6(vmx, 0, VMX_DEBUG_BS);
		vmx_queue_exception(vmx, EXC_DB, false, 0);
	}
	return 0;
}
