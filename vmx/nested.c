// SPDX-License-Identifier: MIT
/*
 * Instructions that only VMX intercepts, and where a vCPU stands. While L1 is offered no VMX its
 * CR4.VMXE reads as 0, and the instructions of VMX are #UD (SDM 3C 30.3).
 */
#include "lib/x86.h"
#include "vmx/nested_insn.h"

enum nested_result vmx_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (exit->code == VMX_EXIT_CR_ACCESS)
		return vmx_cr_access(vmx, exit);
	if (vmx_host.nesting)
		return vmx_nested_insn(vmx, exit);
	vmx_queue_exception(vmx, EXC_UD, false, 0);
	return NESTED_DONE;
}

u32 vmx_instants(struct vcpu *vcpu)
{
	u32 mask = INSTANT_L1;

	if (vcpu->pending.type != EVENT_NONE && vcpu->pending.in_delivery)
		mask |= INSTANT_EVENT;
	return mask;
}

/* Without an L2 there is nothing to own or to reflect. */
bool vmx_nested_owns(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu, (void)exit;
	return false;
}

enum nested_result vmx_nested_reflect(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu, (void)exit;
	return NESTED_DEAD;
}

enum nested_result vmx_nested_reflect_fault(struct vcpu *vcpu, const struct vm_exit *exit,
					    const struct nested_fault *fault)
{
	(void)vcpu, (void)exit, (void)fault;
	return NESTED_DEAD;
}
