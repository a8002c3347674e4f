// SPDX-License-Identifier: MIT
/* Which page tables are in force, as a mode for the MMU's walker. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

/* SDM 3C 24.4.1: it is the stack segment's. */
u32 vmx_cpl(void)
{
	return vmcs_read(VMCS_guest_ss_ar) >> VMX_AR_DPL_SHIFT & 3;
}

static struct pt_mode paging_mode(void)
{
	u64 efer = vmcs_read(VMCS_guest_efer), cr4 = vmx_cr4();
	enum pt_format_id id = PT_FMT_32;

	if (efer & EFER_LMA)
		id = cr4 & CR4_LA57 ? PT_FMT_LONG5 : PT_FMT_LONG4;
	else if (cr4 & CR4_PAE)
		id = PT_FMT_PAE;
	return (struct pt_mode){
		.fmt = &pt_formats[id],
		.maxphyaddr = vmx_host.limits.maxphyaddr,
		.nx = efer & EFER_NXE,
		.huge_1g = vmx_host.huge_1g,
		.pse = cr4 & CR4_PSE,
		.wp = vmx_cr0() & CR0_WP,
		.ad = true,
	};
}

static u64 paging_root(const struct pt_mode *mode, u64 cr3)
{
	u64 address = cr3 & (BIT(mode->maxphyaddr) - 1);

	return address & (mode->fmt->id == PT_FMT_PAE ? ~0x1full : PAGE_MASK);
}

int vmx_translate(struct vmx_vcpu *vmx, u64 linear, u32 access, struct pt_walk *w)
{
	struct pt_mode mode;

	w->nested_fault = false;
	if (!(vmx_cr0() & CR0_PG)) { /* the linear address is the physical one */
		w->gpa.v = linear;
		return 0;
	}
	mode = paging_mode();
	return pt_walk(vmx_mmu(vmx), &mode, (gpa_t){paging_root(&mode, vmcs_read(VMCS_guest_cr3))},
		       linear, access, w);
}
