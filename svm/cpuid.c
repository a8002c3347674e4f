// SPDX-License-Identifier: MIT
/*
 * What SVM adds to the processor that guests see (kernel/cpuid.c has the rest), and the limits that
 * VMRUN's checks use for it.
 */
#include "kernel/cpu.h"
#include "lib/x86.h"
#include "svm/svm.h"

#define CPUID_7_ECX_PKU	     BIT(3)
#define CPUID_1_ECX_PCID     BIT(17)
#define CPUID_EXT1_EDX_FFXSR BIT(25)

/* Only what nested.c truly does. NRIPS where the processor says the next RIP in every exit. */
static void leaf_svm(u32 r[4])
{
	r[0] = 1;
	r[1] = SVM_NASID;
	r[2] = 0;
	r[3] = (u32)(SVM_FEATURE_NP | SVM_FEATURE_FLUSH_ASID);
	r[3] |= svm_host.features & (u32)SVM_FEATURE_NRIPS;
}

void svm_cpuid(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4])
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	switch (leaf) {
	case CPUID_FEATURES:
		r[2] &= ~(u32)CPUID_1_ECX_OSXSAVE;
		if (svm->vmcb->save.cr4 & CR4_OSXSAVE)
			r[2] |= (u32)CPUID_1_ECX_OSXSAVE;
		break;
	case CPUID_EXT_FEATURES:
		if (index == 0 && svm_host.limits.cr4_allowed & CR4_LA57)
			r[2] |= (u32)CPUID_7_ECX_LA57;
		break;
	case CPUID_EXT1:
		r[2] |= (u32)CPUID_EXT1_ECX_SVM;
		break;
	case CPUID_EXT8:
		if (svm_host.limits.cr4_allowed & CR4_LA57)
			r[0] = (r[0] & ~0xff00u) | 57 << 8;
		break;
	case CPUID_SVM:
		leaf_svm(r);
		break;
	}
}

/* CR4's bits that do not depend on a feature that may be missing from a long-mode processor. */
#define CR4_ALWAYS                                                                                \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)

/*
 * CR4 is not intercepted, so what the processor has may be in it although it is hidden: PKE and
 * PCIDE do no harm. LA57 takes that L0's tables of four levels map all that L2 can address, as
 * nested tables have as many levels as L1's own.
 */
static u64 cr4_allowed(void)
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
	if (f.ecx & CPUID_7_ECX_LA57 && cpu_physical_bits() <= 48)
		allowed |= CR4_LA57;
	if (f.ecx & CPUID_7_ECX_UMIP)
		allowed |= CR4_UMIP;
	if (f.ecx & CPUID_7_ECX_PKU)
		allowed |= CR4_PKE;
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_PCID)
		allowed |= CR4_PCIDE;
	return allowed;
}

void svm_limits_init(struct svm_limits *l)
{
	*l = (struct svm_limits){
		.maxphyaddr = (u8)cpu_physical_bits(),
		.nested_paging = true,
		.flush_by_asid = true,
		.cr4_allowed = cr4_allowed(),
		.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
	};
	if (cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_FFXSR)
		l->efer_allowed |= EFER_FFXSR;
}
