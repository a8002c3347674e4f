// SPDX-License-Identifier: MIT
/* Reading the guest's code, for the instructions that L0 carries out. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

bool vmx_code_is_64bit(void)
{
	return vmcs_read(VMCS_guest_efer) & EFER_LMA && vmcs_read(VMCS_guest_cs_ar) & VMX_AR_L;
}

static u64 linear_rip(const struct vmx_vcpu *vmx)
{
	if (vmx_code_is_64bit())
		return vmx->vcpu.rip;
	return (u32)(vmx->vcpu.rip + vmcs_read(VMCS_guest_cs_base));
}

/* @len bytes at @linear, which lie within one page. */
static int fetch_in_page(struct vmx_vcpu *vmx, u64 linear, u8 *buf, size_t len)
{
	u32 access = ACC_READ | ACC_EXEC | (vmx_cpl() == 3 ? ACC_USER : 0);
	struct pt_walk w;

	if (vmx_translate(vmx, linear, access, &w)) {
		vmx_set_cr2(vmx, linear);
		vmx_queue_exception(vmx, EXC_PF, true, w.error);
		return -EFAULT;
	}
	return guest_read(vmx_mmu(vmx), w.gpa, buf, len) ? -EAGAIN : 0;
}

int vmx_fetch_insn(struct vcpu *vcpu, u8 *code, u32 *have)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 linear;
	u32 len;
	int err;

	vmx_vmcs_use(vmx);
	linear = linear_rip(vmx) + *have;
	len = MIN((u32)(PAGE_SIZE - linear % PAGE_SIZE), VMX_INSN_MAX - *have);
	err = fetch_in_page(vmx, linear, code + *have, len);
	if (!err)
		*have += len;
	return err;
}
