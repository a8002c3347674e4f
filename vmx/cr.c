// SPDX-License-Identifier: MIT
/*
 * CR0 and CR4. The guest changes the bits that it owns without an exit; for the others it sees the
 * read shadow, and a MOV that differs from it comes here (SDM 3C 24.6.6, 25.3). Those are the bits
 * that VMX operation fixes, caching (which would stay off in L0: 26.3.2.1 and 27.5.1 leave CD and
 * NW alone), and what this guest is not offered.
 */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR3_PDPT GENMASK(31, 5)
#define AR_TSS	 11 /* busy, 64 bits in IA-32e mode */
#define NR_PDPTE 4

u64 vmx_cr0(void)
{
	u64 mask = ~vmx_host.cr0_owned;

	return (vmcs_read(VMCS_cr0_shadow) & mask) | (vmcs_read(VMCS_guest_cr0) & ~mask);
}

u64 vmx_cr4(void)
{
	u64 mask = ~vmx_host.cr4_owned;

	return (vmcs_read(VMCS_cr4_shadow) & mask) | (vmcs_read(VMCS_guest_cr4) & ~mask);
}

/* An unrestricted guest may be without PE and PG whatever the MSR says, SDM 3C 23.8. */
u64 vmx_cr0_real(u64 cr0)
{
	u64 fixed = vmx_host.limits.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	return (cr0 & ~(CR0_CD | CR0_NW)) | CR0_ET | fixed;
}

u64 vmx_cr4_real(u64 cr4)
{
	return cr4 | vmx_host.limits.cr4_fixed0;
}

int vmx_pdptes_read(struct vmx_vcpu *vmx, u64 cr3, u64 pdptes[NR_PDPTE])
{
	gpa_t at = {cr3 & CR3_PDPT};

	if (guest_read(vmx_mmu(vmx), at, pdptes, NR_PDPTE * sizeof(u64)))
		return -EINVAL;
	for (u32 i = 0; i < NR_PDPTE; i++)
		if (!vmx_pdpte_valid(pdptes[i], &vmx_host.limits))
			return -EINVAL;
	return 0;
}

/* SDM 2 MOV to CR0: what gives #GP. */
static bool cr0_refused(u64 old, u64 cr0, u64 efer)
{
	if (cr0 >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)))
		return true;
	if (!((old ^ cr0) & CR0_PG))
		return false;
	if (cr0 & CR0_PG)
		return efer & EFER_LME &&
		       (!(vmx_cr4() & CR4_PAE) || vmcs_read(VMCS_guest_cs_ar) & VMX_AR_L);
	return vmx_code_is_64bit();
}

/* SDM 3A 9.8.5: paging switches long mode on and off. */
static void long_mode(bool on, u64 efer)
{
	u64 tr = vmcs_read(VMCS_guest_tr_ar), entry = vmcs_read(VMCS_entry_controls);

	if (on)
		vmcs_write(VMCS_guest_tr_ar, (tr & ~VMX_AR_TYPE) | AR_TSS);
	vmcs_write(VMCS_guest_efer, on ? efer | EFER_LMA : efer & ~EFER_LMA);
	vmcs_write(VMCS_entry_controls, on ? entry | VMX_ENTRY_IA32E : entry & ~VMX_ENTRY_IA32E);
}

/* SDM 3A 4.4.1: these changes of CR0 load the PDPTEs. */
static int load_pdptes(struct vmx_vcpu *vmx)
{
	u64 pdptes[NR_PDPTE];
	int err = vmx_pdptes_read(vmx, vmcs_read(VMCS_guest_cr3), pdptes);

	if (err)
		return err;
	vmcs_write(VMCS_guest_pdpte0, pdptes[0]);
	vmcs_write(VMCS_guest_pdpte1, pdptes[1]);
	vmcs_write(VMCS_guest_pdpte2, pdptes[2]);
	vmcs_write(VMCS_guest_pdpte3, pdptes[3]);
	return 0;
}

/* SDM 3C 23.8: L1's own VMX operation fixes these. */
static bool vmx_operation_forbids(const struct vmx_vcpu *vmx, u64 cr, u64 fixed0)
{
	return vmx->nested.vmxon && fixed0 & ~cr;
}

void vmx_cr_masks(const struct vmx_vcpu *vmx)
{
	u64 fixed = vmx->nested.vmxon ? vmx_host.limits.cr0_fixed0 : 0;

	vmcs_write(VMCS_cr0_shadow, vmx_cr0());
	vmcs_write(VMCS_cr0_mask, ~vmx_host.cr0_owned | fixed);
}

static int write_cr0_of_guest(struct vmx_vcpu *vmx, u64 cr0)
{
	u64 old = vmx_cr0(), efer = vmcs_read(VMCS_guest_efer);
	u64 changed = old ^ cr0;

	if (cr0_refused(old, cr0, efer) ||
	    vmx_operation_forbids(vmx, cr0, vmx_host.limits.cr0_fixed0))
		return -EINVAL;
	cr0 = (cr0 & CR0_DEFINED) | CR0_ET;
	if (cr0 & CR0_PG && changed & (CR0_CD | CR0_NW | CR0_PG) && vmx_cr4() & CR4_PAE &&
	    !(efer & EFER_LME) && load_pdptes(vmx))
		return -EINVAL;
	if (changed & CR0_PG && efer & EFER_LME)
		long_mode(cr0 & CR0_PG, efer);
	vmcs_write(VMCS_guest_cr0, vmx_cr0_real(cr0));
	vmcs_write(VMCS_cr0_shadow, cr0);
	vmx->vpid->linear_stale = true;
	return 0;
}

/* Most of what the guest is offered it owns: what exits sets a bit that it may not have, or VMXE.
 */
static int write_cr4_of_guest(struct vmx_vcpu *vmx, u64 cr4)
{
	u64 changed = vmx_cr4() ^ cr4, efer = vmcs_read(VMCS_guest_efer);

	if (cr4 & ~vmx_host.cr4_allowed || (efer & EFER_LMA && !(cr4 & CR4_PAE)) ||
	    vmx_operation_forbids(vmx, cr4, vmx_host.limits.cr4_fixed0))
		return -EINVAL;
	if (vmx_cr0() & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA) &&
	    changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && load_pdptes(vmx))
		return -EINVAL;
	vmcs_write(VMCS_guest_cr4, vmx_cr4_real(cr4));
	vmcs_write(VMCS_cr4_shadow, cr4);
	vmx->vpid->linear_stale = true;
	return 0;
}

static int write_cr_of_guest(struct vmx_vcpu *vmx, u64 number, u64 value)
{
	if (number == 4)
		return write_cr4_of_guest(vmx, value);
	return number ? -EINVAL : write_cr0_of_guest(vmx, value);
}

enum nested_result vmx_cr_access(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	u64 q, value;

	vmx_vmcs_use(vmx);
	q = vmcs_read(VMCS_exit_qualification);
	value = vmx->vcpu.gpr[q >> VMX_CR_GPR_SHIFT & VMX_CR_GPR_MASK];
	if (!vmx_code_is_64bit())
		value = (u32)value;
	if ((q & VMX_CR_TYPE) != VMX_CR_TO || write_cr_of_guest(vmx, q & VMX_CR_NUMBER, value))
		vmx_queue_exception(vmx, EXC_GP, true, 0);
	else if (vmx_skip(&vmx->vcpu, exit))
		return NESTED_DEAD;
	return NESTED_DONE;
}
