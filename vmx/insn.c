// SPDX-License-Identifier: MIT
/* What it takes to carry out an instruction of the guest's: its segments and addresses. */
#include "lib/x86.h"
#include "mmu/pt_walk.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

/* SDM 1 3.4.4: in 64-bit code only FS and GS have a base. */
u8 vmx_segment_bases(struct vcpu *vcpu, u64 base[SEG_GS + 1])
{
	bool wide;

	vmx_vmcs_use(to_vmx(vcpu));
	wide = vmx_code_is_64bit();
	base[SEG_ES] = wide ? 0 : vmcs_read(VMCS_guest_es_base);
	base[SEG_CS] = wide ? 0 : vmcs_read(VMCS_guest_cs_base);
	base[SEG_SS] = wide ? 0 : vmcs_read(VMCS_guest_ss_base);
	base[SEG_DS] = wide ? 0 : vmcs_read(VMCS_guest_ds_base);
	base[SEG_FS] = vmcs_read(VMCS_guest_fs_base);
	base[SEG_GS] = vmcs_read(VMCS_guest_gs_base);
	if (wide)
		return 64;
	return vmcs_read(VMCS_guest_cs_ar) & VMX_AR_DB ? 32 : 16;
}

int vmx_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 access = ACC_READ | (write ? ACC_WRITE : 0);
	struct pt_walk w;

	vmx_vmcs_use(vmx);
	if (vmx_cpl() == 3)
		access |= ACC_USER;
	if (vmx_translate(vmx, linear, access, &w)) {
		vmx_set_cr2(vmx, linear);
		vmx_queue_exception(vmx, EXC_PF, true, w.error);
		return -EFAULT;
	}
	*gpa = w.gpa;
	return 0;
}
