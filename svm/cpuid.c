// SPDX-License-Identifier: MIT
/*
 * The processor that guests see: the one that there is, less what Cleave does not virtualize. The
 * limits that VMRUN's checks use come from the same place.
 */
#include "kernel/cpu.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "svm/svm.h"

/* Leaf 1, ECX: DTES64, MONITOR, DS-CPL, VMX, SMX, EST, TM2, PDCM, PCID, DCA, x2APIC, deadline. */
#define HIDE_1_ECX                                                                                 \
	(BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(15) | BIT(17) |        \
	 BIT(18) | BIT(21) | BIT(24))
/* Leaf 1, EDX: APIC, DS, ACPI, SS, HTT, TM, PBE. */
#define HIDE_1_EDX (BIT(9) | BIT(21) | BIT(22) | BIT(27) | BIT(28) | BIT(29) | BIT(31))
/* Leaf 7, EBX: TSC_ADJUST, SGX, HLE, INVPCID, RTM, PQM, PQE, Intel PT. */
#define HIDE_7_EBX                                                                                 \
	(BIT(1) | BIT(2) | BIT(4) | BIT(10) | BIT(11) | BIT(12) | BIT(15) | BIT(25))
/* Leaf 7, ECX that stays: AVX512_VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI.., LA57, RDPID. */
#define SHOW_7_ECX                                                                                 \
	(BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) |      \
	 BIT(16) | BIT(22))
/* Leaf 7, EDX that stays: AVX512_4VNNIW, 4FMAPS, FSRM, VP2INTERSECT. */
#define SHOW_7_EDX (BIT(2) | BIT(3) | BIT(4) | BIT(8))
/* Leaf 8000_0001, ECX: ExtApicSpace, OSVW, IBS, SKINIT, WDT, LWP, TCE, NodeId, TopoExt, PMCs, MONITORX */
#define HIDE_EXT1_ECX                                                                              \
	(BIT(3) | BIT(9) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(17) | BIT(19) | BIT(22) |   \
	 BIT(23) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29))
#define CPUID_7_ECX_PKU	 BIT(3)
#define CPUID_1_ECX_PCID BIT(17)
#define XSAVE_SUPERVISOR BIT(3) /* leaf 0Dh, subleaf 1: XSAVES */
#define CPUID_1_ECX_BITS_XSAVE (CPUID_1_ECX_XSAVE | CPUID_1_ECX_OSXSAVE | BIT(12) | BIT(28) | BIT(29))

static void leaf_1(const struct svm_vcpu *svm, u32 r[4])
{
	r[1] = (r[1] & 0xffff) | (u32)svm->vcpu.id << 24;
	r[2] &= ~(u32)HIDE_1_ECX;
	r[2] |= (u32)CPUID_1_ECX_HYPERVISOR;
	r[2] &= ~(u32)CPUID_1_ECX_OSXSAVE;
	if (!svm_host.xsave)
		r[2] &= ~(u32)CPUID_1_ECX_BITS_XSAVE;
	else if (svm->vmcb->save.cr4 & CR4_OSXSAVE)
		r[2] |= (u32)CPUID_1_ECX_OSXSAVE;
	r[3] &= ~(u32)HIDE_1_EDX;
}

static void leaf_7(u32 index, u32 r[4])
{
	if (index) {
		memset(r, 0, 4 * sizeof(r[0]));
		return;
	}
	r[0] = 0;
	r[1] &= ~(u32)HIDE_7_EBX;
	r[2] &= (u32)SHOW_7_ECX;
	r[3] &= (u32)SHOW_7_EDX;
}

/* Subleaf 0's sizes follow XCR0, which is the guest's own right now. */
static void leaf_xsave(u32 index, u32 r[4])
{
	if (!svm_host.xsave || (index > 1 && (index >= 64 || !(svm_host.xcr0 & BIT(index))))) {
		memset(r, 0, 4 * sizeof(r[0]));
	} else if (index == 0) {
		r[0] &= (u32)svm_host.xcr0;
		r[3] &= (u32)(svm_host.xcr0 >> 32);
	} else if (index == 1) {
		r[0] &= ~(u32)XSAVE_SUPERVISOR;
		r[1] = r[2] = r[3] = 0;
	}
}

static void leaf_svm(u32 r[4])
{
	u32 nrips = svm_host.features & SVM_FEATURE_NRIPS;

	r[0] = 1;
	r[1] = SVM_NASID;
	r[2] = 0;
	r[3] = (u32)(SVM_FEATURE_NP | SVM_FEATURE_FLUSH_ASID) | nrips;
}

void svm_cpuid(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4])
{
	struct svm_vcpu *svm = to_svm(vcpu);

	switch (leaf) {
	case CPUID_FEATURES:
		leaf_1(svm, r);
		break;
	case CPUID_EXT_FEATURES:
		leaf_7(index, r);
		break;
	case CPUID_XSAVE:
		leaf_xsave(index, r);
		break;
	case CPUID_EXT1:
		r[2] &= ~(u32)HIDE_EXT1_ECX;
		r[2] |= (u32)CPUID_EXT1_ECX_SVM;
		r[3] &= ~(u32)CPUID_1_EDX_APIC;
		break;
	case CPUID_EXT7:
		r[0] = r[1] = r[2] = 0;
		r[3] &= (u32)CPUID_EXT7_EDX_INVARIANT_TSC;
		break;
	case CPUID_EXT8:
		r[1] = r[2] = r[3] = 0;
		break;
	case CPUID_SVM:
		leaf_svm(r);
		break;
	case 0x5:	 /* MONITOR */
	case 0x6:	 /* power management */
	case 0xa:	 /* performance counters */
	case 0xb:	 /* topology */
	case 0xf:	 /* resource monitoring */
	case 0x10:
	case 0x12:	 /* SGX */
	case 0x14:	 /* processor trace */
	case CPUID_TSC_FREQUENCY: /* emulators give wrong ones */
	case CPUID_CPU_FREQUENCY:
	case 0x1f:	 /* topology */
	case 0x8000001b: /* IBS */
	case 0x8000001c: /* LWP */
	case 0x8000001e: /* topology */
	case 0x8000001f: /* memory encryption */
	case 0x80000020:
	case 0x80000021:
	case 0x80000022:
		memset(r, 0, 4 * sizeof(r[0]));
		break;
	}
}

/* CR4's bits that do not depend on a feature that may be missing from a long-mode processor. */
#define CR4_ALWAYS                                                                                 \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |  \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)

static u64 cr4_allowed(void)
{
	struct cpuid f = {0};
	u64 allowed = CR4_ALWAYS;

	if (cpuid(CPUID_VENDOR, 0).eax >= CPUID_EXT_FEATURES)
		f = cpuid(CPUID_EXT_FEATURES, 0);
	if (svm_host.xsave)
		allowed |= CR4_OSXSAVE;
	if (f.ebx & CPUID_7_EBX_FSGSBASE)
		allowed |= CR4_FSGSBASE;
	if (f.ebx & CPUID_7_EBX_SMEP)
		allowed |= CR4_SMEP;
	if (f.ebx & CPUID_7_EBX_SMAP)
		allowed |= CR4_SMAP;
	if (f.ecx & CPUID_7_ECX_UMIP)
		allowed |= CR4_UMIP;
	if (f.ecx & CPUID_7_ECX_LA57)
		allowed |= CR4_LA57;
	/* Hidden, but CR4 is not intercepted and so may hold what the processor has. */
	if (f.ecx & CPUID_7_ECX_PKU)
		allowed |= CR4_PKE;
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_PCID)
		allowed |= CR4_PCIDE;
	return allowed;
}

void svm_limits_init(struct svm_limits *l)
{
	struct cpuid ext = cpuid(CPUID_EXT1, 0);

	*l = (struct svm_limits){
		.maxphyaddr = (u8)cpu_physical_bits(),
		.nested_paging = true,
		.flush_by_asid = true,
		.cr4_allowed = cr4_allowed(),
		.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
	};
	if (ext.edx & BIT(25)) /* FFXSR */
		l->efer_allowed |= EFER_FFXSR;
}
