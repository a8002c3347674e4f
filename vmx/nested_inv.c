// SPDX-License-Identifier: MIT
/* INVEPT and INVVPID of L1's, SDM 3C 30.3. */
#include "vmx/nested_check_internal.h"
#include "vmx/nested_insn.h"

/* The lowest bits of what IA32_VMX_EPT_VPID_CAP says of the types, SDM 3D A.10. */
#define INVEPT_TYPES  24
#define INVVPID_TYPES 40

static bool type_bad(u64 type, u32 first)
{
	return type > VMX_INVVPID_KEEP_GLOBAL || !(vmx_host.limits.ept_vpid & BIT(first + type));
}

static int invept(struct vmx_vcpu *vmx, u64 type)
{
	u64 descriptor[2];

	if (type_bad(type, INVEPT_TYPES))
		return VMX_ERROR_INVALIDATION_OPERAND;
	if (vmx_operand_read(vmx, descriptor, sizeof(descriptor)))
		return -EFAULT;
	if (type == VMX_INVEPT_SINGLE && vmx_check_ept_pointer(descriptor[0], &vmx_host.limits))
		return VMX_ERROR_INVALIDATION_OPERAND;
	vmx_l1_tags_invept(vmx, type == VMX_INVEPT_ALL, descriptor[0]);
	return 0;
}

static int invvpid(struct vmx_vcpu *vmx, u64 type)
{
	u64 descriptor[2]; /* VPID, linear address */

	if (type_bad(type, INVVPID_TYPES))
		return VMX_ERROR_INVALIDATION_OPERAND;
	if (vmx_operand_read(vmx, descriptor, sizeof(descriptor)))
		return -EFAULT;
	if (descriptor[0] >> 16 || (type != VMX_INVVPID_ALL && !descriptor[0]) ||
	    (type == VMX_INVVPID_ADDRESS && !vmx_canonical(descriptor[1])))
		return VMX_ERROR_INVALIDATION_OPERAND;
	vmx_l1_tags_invvpid(vmx, type == VMX_INVVPID_ALL, (u16)descriptor[0]);
	return 0;
}

int vmx_nested_invalidate(struct vmx_vcpu *vmx, enum vmx_exit_reason insn)
{
	u64 type = vmx_insn_register(vmx);

	return insn == VMX_EXIT_INVEPT ? invept(vmx, type) : invvpid(vmx, type);
}
