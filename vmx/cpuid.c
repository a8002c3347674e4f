// SPDX-License-Identifier: MIT
/*
 * What VMX adds to the processor that guests see (kernel/cpuid.c has the rest), and what that
 * processor's control registers may hold.
 */
#include "kernel/cpu.h"
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/offer.h"
#include "vmx/vmx.h"

void vmx_cpuid(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4])
{
	(void)index;
	if (leaf != CPUID_FEATURES)
		return;
	vmx_vmcs_use(to_vmx(vcpu));
	r[2] &= ~(u32)(CPUID_1_ECX_OSXSAVE | CPUID_1_ECX_VMX);
	if (vmx_host.nesting)
		r[2] |= (u32)CPUID_1_ECX_VMX;
	if (vmcs_read(VMCS_guest_cr4) & CR4_OSXSAVE)
		r[2] |= (u32)CPUID_1_ECX_OSXSAVE;
}

/* CR4's bits that do not depend on a feature that may be missing from a long-mode processor. */
#define CR4_ALWAYS                                                                                \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)

/* No more than kernel/cpuid.c offers. */
static u64 cr4_allowed(u64 fixed1)
{
	struct cpuid f = {0};
	u64 allowed = CR4_ALWAYS;

	if (cpuid(CPUID_VENDOR, 0).eax >= CPUID_EXT_FEATURES)
		f = cpuid(CPUID_EXT_FEATURES, 0);
	if (fpu_host.xsave)
		allowed |= CR4_OSXSAVE;
	if (f.ebx & CPUID_7_EBX_FSGSBASE)
		allowed |= CR4_FSGSBASE;
	if (f.ebx & CPUID_7_EBX_SMEP)
		allowed |= CR4_SMEP;
	if (f.ebx & CPUID_7_EBX_SMAP)
		allowed |= CR4_SMAP;
	if (f.ecx & CPUID_7_ECX_UMIP)
		allowed |= CR4_UMIP;
	if (vmx_host.nesting)
		allowed |= CR4_VMXE;
	return allowed & fixed1;
}

void vmx_limits_init(void)
{
	const struct vmx_limits processor = {
		.cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0),
		.cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1),
		.cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0),
		.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.maxphyaddr = (u8)cpu_physical_bits(),
	};

	vmx_host.cr4_allowed = cr4_allowed(rdmsr(MSR_VMX_CR4_FIXED1));
	vmx_host.limits = vmx_offer(&vmx_host.facts, &processor, vmx_host.cr4_allowed);
	vmx_host.cr4_owned = vmx_host.cr4_allowed & ~processor.cr4_fixed0;
	/* The rest is fixed, or caching (cr.c). */
	vmx_host.cr0_owned = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM | CR0_PG;
}
