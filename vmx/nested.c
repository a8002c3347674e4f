// SPDX-License-Identifier: MIT
/*
 * Instructions that only VMX intercepts, and where a vCPU stands. L1 is offered no VMX yet: its
 * CR4.VMXE reads as 0, and the instructions of VMX are #UD (SDM 3C 30.3).
 */
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

static const struct state_field fields[] = {
	STATE_FIELD(struct vmx_nested_state, pending_debug),
	STATE_FIELD(struct vmx_nested_state, mov_ss),
	STATE_FIELD(struct vmx_nested_state, reserved),
};

const struct state_desc vmx_nested_state_desc = {
	.name = "vmx",
	.version = 1,
	.size = sizeof(struct vmx_nested_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

enum nested_result vmx_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (exit->code == VMX_EXIT_CR_ACCESS)
		return vmx_cr_access(vmx, exit);
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
