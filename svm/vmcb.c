// SPDX-License-Identifier: MIT
/* What L0 intercepts in L1, and the maps of ports and MSRs that L1 may touch without an exit. */
#include "lib/string.h"
#include "lib/x86.h"
#include "svm/permissions.h"
#include "svm/svm.h"

u32 svm_intercepts[6];
u8 svm_map_all[SVM_IOPM_SIZE] __aligned(4096);
/* For L1: what VMLOAD loads it may read and write itself. L2 gets svm_map_all (nested_enter.c). */
static u8 msrpm_l1[SVM_MSRPM_SIZE] __aligned(4096);

static const u32 address_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE,      MSR_KERNEL_GS_BASE, MSR_LSTAR,
	MSR_CSTAR,   MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
};
static const u32 value_msrs[] = {MSR_STAR, MSR_SFMASK, MSR_SYSENTER_CS};

/*
 * #DB and #AC: their delivery can raise them again for ever with no instruction boundary in
 * between, which would keep every interrupt out. #MC is the machine's.
 */
static const u16 always[] = {
	INTERCEPT_EXCP_BASE + EXC_DB,
	INTERCEPT_EXCP_BASE + EXC_AC,
	INTERCEPT_EXCP_BASE + EXC_MC,
	INTERCEPT_INTR,
	INTERCEPT_NMI,
	INTERCEPT_SMI,
	INTERCEPT_INIT,
	INTERCEPT_RDPMC,
	INTERCEPT_CPUID,
	INTERCEPT_INVD,
	INTERCEPT_HLT,
	INTERCEPT_INVLPGA,
	INTERCEPT_IOIO,
	INTERCEPT_MSR,
	INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN,
	INTERCEPT_VMMCALL,
	INTERCEPT_VMLOAD,
	INTERCEPT_VMSAVE,
	INTERCEPT_STGI,
	INTERCEPT_CLGI,
	INTERCEPT_SKINIT,
	INTERCEPT_WBINVD,
	INTERCEPT_MONITOR,
	INTERCEPT_MWAIT,
	INTERCEPT_XSETBV,
	INTERCEPT_RDPRU,
};

static void let_through(u32 msr, bool write)
{
	u32 bit = (u32)svm_msrpm_bit(msr);

	msrpm_l1[bit / 8] &= (u8) ~((write ? 3u : 1u) << bit % 8);
}

void svm_vmcb_init_maps(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(always); i++)
		svm_intercepts[always[i] / 32] |= (u32)BIT(always[i] % 32);
	memset(svm_map_all, 0xff, sizeof(svm_map_all));
	memset(msrpm_l1, 0xff, sizeof(msrpm_l1));
	for (u32 i = 0; i < ARRAY_SIZE(address_msrs); i++)
		let_through(address_msrs[i], !svm_host.msrs_unchecked);
	for (u32 i = 0; i < ARRAY_SIZE(value_msrs); i++)
		let_through(value_msrs[i], true);
	if (svm_host.tsc_aux)
		let_through(MSR_TSC_AUX, true);
}

static void init_control(struct svm_vcpu *svm, struct vmcb_control *c)
{
	memcpy(c->intercepts, svm_intercepts, sizeof(c->intercepts));
	c->iopm_base = ptr_to_hpa(svm_map_all).v;
	c->msrpm_base = ptr_to_hpa(msrpm_l1).v;
	c->vintr = V_INTR_MASKING;
	c->nested_ctl = SVM_NP_ENABLE;
	c->ncr3 = mmu_tdp_root(svm_mmu(svm)).v;
}

int svm_vmcb_create(struct svm_vcpu *svm)
{
	svm->vmcb01 = page_alloc();
	svm->vmcb02 = page_alloc();
	if (!svm->vmcb01 || !svm->vmcb02)
		return -ENOMEM;
	init_control(svm, &svm->vmcb01->control);
	return 0;
}
