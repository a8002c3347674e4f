// SPDX-License-Identifier: MIT
/* The MSRs that the VMCB holds or that belong to SVM itself. */
#include "kernel/cpu.h"
#include "lib/x86.h"
#include "svm/svm.h"

#define VM_CR_WRITABLE	  (VM_CR_DPD | VM_CR_R_INIT | VM_CR_DIS_A20M | VM_CR_LOCK | VM_CR_SVMDIS)
#define DEBUGCTL_WRITABLE 0x3full /* accepted and without effect: LBR is not offered */

/* EFER as the level that runs sees it. L2 has SVME set, or VMRUN had been refused. */
u64 svm_efer(const struct svm_vcpu *svm)
{
	u64 efer = svm->vmcb->save.efer;

	return svm->nested.svme ? efer : efer & ~EFER_SVME;
}

static int efer_write(struct svm_vcpu *svm, u64 val)
{
	struct vmcb_save *s = &svm->vmcb->save;

	if (val & ~svm_host.limits.efer_allowed)
		return -EINVAL;
	if ((val ^ s->efer) & EFER_LME && s->cr0 & CR0_PG)
		return -EINVAL;
	if (val & EFER_SVME && svm->nested.vm_cr & VM_CR_SVMDIS)
		return -EINVAL;
	/* L2 clearing SVME is undefined (APM 2 15.4); here it is not possible. */
	if (svm->vcpu.guest_mode && !(val & EFER_SVME))
		return -EINVAL;
	if (!svm->vcpu.guest_mode) {
		svm->nested.svme = !!(val & EFER_SVME);
		svm->nested.gif = svm_gif(svm) || !svm->nested.svme;
		svm_gif_place(svm);
	}
	s->efer = (val & ~EFER_LMA) | (s->efer & EFER_LMA) | EFER_SVME;
	return 0;
}

/* APM 2 15.30.1 */
static int vm_cr_write(struct svm_vcpu *svm, u64 val)
{
	u64 kept = svm->nested.vm_cr & VM_CR_LOCK ? VM_CR_LOCK | VM_CR_SVMDIS : 0;

	if (val & ~VM_CR_WRITABLE)
		return -EINVAL;
	val = (val & ~kept) | (svm->nested.vm_cr & kept);
	if (val & VM_CR_SVMDIS && svm->nested.svme)
		return -EINVAL;
	svm->nested.vm_cr = val;
	return 0;
}

static int hsave_write(struct svm_vcpu *svm, u64 val)
{
	if (!IS_ALIGNED(val, PAGE_SIZE) || val >> svm_host.limits.maxphyaddr)
		return -EINVAL;
	svm->nested.hsave_pa = val;
	return 0;
}

static int pat_write(struct svm_vcpu *svm, u64 val)
{
	if (svm_check_pat(val))
		return -EINVAL;
	svm->vmcb->save.g_pat = val;
	return 0;
}

/* L1 and L2 share what VMLOAD loads: it rests in vmcb01. *@address: must be canonical. */
static u64 *vmload_msr(struct svm_vcpu *svm, u32 msr, bool *address)
{
	struct vmcb_save *s = &svm->vmcb01->save;

	*address = true;
	switch (msr) {
	case MSR_FS_BASE:
		return &s->fs.base;
	case MSR_GS_BASE:
		return &s->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &s->kernel_gs_base;
	case MSR_LSTAR:
		return &s->lstar;
	case MSR_CSTAR:
		return &s->cstar;
	case MSR_SYSENTER_ESP:
		return &s->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &s->sysenter_eip;
	}
	*address = false;
	switch (msr) {
	case MSR_STAR:
		return &s->star;
	case MSR_SFMASK:
		return &s->sfmask;
	case MSR_SYSENTER_CS:
		return &s->sysenter_cs;
	}
	return NULL;
}

/* By the width that the processor has, whatever CR4.LA57 says (SDM 3A 4.5.2). */
static bool canonical(u64 address)
{
	u32 unused = svm_host.limits.cr4_allowed & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(address << unused) >> unused) == address;
}

int svm_msr_read(struct vcpu *vcpu, u32 msr, u64 *val)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool address;
	u64 *field = vmload_msr(svm, msr, &address);

	if (field) {
		*val = *field;
		return 0;
	}
	switch (msr) {
	case MSR_EFER:
		*val = svm_efer(svm);
		return 0;
	case MSR_TSC:
		*val = rdtsc() + svm->vmcb->control.tsc_offset;
		return 0;
	case MSR_TSC_AUX:
		if (!svm_host.tsc_aux)
			return -EINVAL;
		*val = rdmsr(MSR_TSC_AUX); /* the guest's, which has this CPU */
		return 0;
	case MSR_PAT:
		*val = svm->vmcb->save.g_pat;
		return 0;
	case MSR_DEBUGCTL:
		*val = svm->debugctl;
		return 0;
	case MSR_VM_CR:
		*val = svm->nested.vm_cr;
		return 0;
	case MSR_VM_HSAVE_PA:
		*val = svm->nested.hsave_pa;
		return 0;
	}
	return -ENOENT;
}

int svm_msr_write(struct vcpu *vcpu, u32 msr, u64 val)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool address;
	u64 *field = vmload_msr(svm, msr, &address);

	if (field) {
		if (address && !canonical(val))
			return -EINVAL;
		*field = val;
		return 0;
	}
	switch (msr) {
	case MSR_EFER:
		return efer_write(svm, val);
	case MSR_TSC: /* L2 writes the machine's, too: VMRUN's offset is for reading only */
		svm_set_l1_tsc(vcpu, val);
		return 0;
	case MSR_TSC_AUX:
		if (!svm_host.tsc_aux || val >> 32)
			return -EINVAL;
		wrmsr(MSR_TSC_AUX, val);
		return 0;
	case MSR_PAT:
		return pat_write(svm, val);
	case MSR_DEBUGCTL:
		if (val & ~DEBUGCTL_WRITABLE)
			return -EINVAL;
		svm->debugctl = val;
		return 0;
	case MSR_VM_CR:
		return vm_cr_write(svm, val);
	case MSR_VM_HSAVE_PA:
		return hsave_write(svm, val);
	}
	return -ENOENT;
}
