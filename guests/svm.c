// SPDX-License-Identifier: MIT
/* Switching SVM on, a VMCB for a guest, permission maps and TLB flushes. */
#include "guests/svm.h"
#include "guests/guest.h"
#include "lib/string.h"

void svm_enter(struct virt_regs *regs, u64 vmcb, u64 host_vmcb);

const char *svm_enable(void)
{
	if (cpuid(CPUID_EXT_MAX, 0).eax < CPUID_SVM ||
	    !(cpuid(CPUID_EXT1, 0).ecx & CPUID_EXT1_ECX_SVM))
		return "this processor has no SVM";
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return "SVM is switched off by the firmware (VM_CR.SVMDIS)";
	if (!(cpuid(CPUID_SVM, 0).edx & SVM_FEATURE_NP))
		return "this processor's SVM has no nested paging";
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (u64)pages_alloc(1));
	return NULL;
}

static void init_control(struct svm_vcpu *v, u64 ncr3)
{
	static const u16 intercepts[] = {
		INTERCEPT_INTR,	    INTERCEPT_NMI,     INTERCEPT_INIT,	  INTERCEPT_CPUID,
		INTERCEPT_HLT,	    INTERCEPT_INVLPGA, INTERCEPT_IOIO,	  INTERCEPT_MSR,
		INTERCEPT_SHUTDOWN, INTERCEPT_VMRUN,   INTERCEPT_VMMCALL, INTERCEPT_VMLOAD,
		INTERCEPT_VMSAVE,   INTERCEPT_STGI,    INTERCEPT_CLGI,	  INTERCEPT_SKINIT,
		INTERCEPT_MONITOR,  INTERCEPT_MWAIT,   INTERCEPT_XSETBV,
	};
	struct vmcb_control *c = &v->vmcb->control;

	for (u32 i = 0; i < ARRAY_SIZE(intercepts); i++)
		vmcb_intercept_set(c, intercepts[i]);
	c->iopm_base = (u64)v->iopm;
	c->msrpm_base = (u64)v->msrpm;
	c->asid = 1;
	c->tlb_control = TLB_CONTROL_FLUSH_ALL;
	c->vintr = V_INTR_MASKING;
	c->nested_ctl = SVM_NP_ENABLE;
	c->ncr3 = ncr3;
}

static void init_save(struct svm_vcpu *v, u64 cr3, u64 rip, u64 rsp)
{
	struct vmcb_save *s = &v->vmcb->save;
	struct vmcb_seg data = {0x10, VMCB_SEG_DATA, 0xffffffff, 0};
	bool wide = sizeof(void *) == 8;

	s->es = s->ss = s->ds = s->fs = s->gs = data;
	s->cs = (struct vmcb_seg){0x08, wide ? VMCB_SEG_CODE64 : VMCB_SEG_CODE32, 0xffffffff, 0};
	s->ldtr = (struct vmcb_seg){0, VMCB_SEG_LDT, 0xffff, 0};
	s->tr = (struct vmcb_seg){0, VMCB_SEG_TSS64, 0xffff, 0};
	s->gdtr.limit = s->idtr.limit = 0;
	s->efer = EFER_SVME | EFER_SCE | EFER_NXE | (wide ? EFER_LME | EFER_LMA : 0);
	s->cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->cr3 = cr3;
	s->dr6 = DR6_INIT;
	s->dr7 = DR7_INIT;
	s->rflags = RFLAGS_FIXED;
	s->rip = rip;
	s->rsp = rsp;
	s->g_pat = PAT_INIT;
}

void svm_vcpu_init(struct svm_vcpu *v, u64 ncr3, u64 cr3, u64 rip, u64 rsp)
{
	struct cpuid c = cpuid(CPUID_SVM, 0);

	memset(v, 0, sizeof(*v));
	v->asids = c.ebx;
	v->features = c.edx;
	v->vmcb = pages_alloc(1);
	v->host = pages_alloc(1);
	v->iopm = pages_alloc(SVM_IOPM_SIZE / PAGE_SIZE);
	v->msrpm = pages_alloc(SVM_MSRPM_SIZE / PAGE_SIZE);
	memset(v->iopm, 0xff, SVM_IOPM_SIZE);
	init_control(v, ncr3);
	init_save(v, cr3, rip, rsp);
}

void svm_vcpu_enter(struct svm_vcpu *v)
{
	svm_enter(&v->regs, (u64)v->vmcb, (u64)v->host);
	v->vmcb->control.tlb_control = TLB_CONTROL_NONE;
}

void svm_vcpu_flush(struct svm_vcpu *v)
{
	struct vmcb_control *c = &v->vmcb->control;
	u32 way = v->flushes++ % 3;

	if (way == 0 && (v->features & SVM_FEATURE_FLUSH_ASID)) {
		c->tlb_control = TLB_CONTROL_FLUSH_ASID;
	} else if (way != 1 && c->asid + 1 < v->asids) {
		/* Not used since everything was flushed last, so nothing is cached for it. */
		c->asid++;
	} else {
		c->tlb_control = TLB_CONTROL_FLUSH_ALL;
		c->asid = 1;
	}
}

void svm_iopm_set(struct svm_vcpu *v, u16 port, bool intercept)
{
	if (intercept)
		v->iopm[port / 8] |= (u8)(1u << (port % 8));
	else
		v->iopm[port / 8] &= (u8) ~(1u << (port % 8));
}

void svm_msrpm_set(struct svm_vcpu *v, u32 msr, bool read, bool write)
{
	static const u32 first[] = {0, 0xc0000000, 0xc0010000};

	for (u32 i = 0; i < ARRAY_SIZE(first); i++) {
		u32 bit = 2 * (msr - first[i]);
		u8 *byte = v->msrpm + i * 2048 + bit / 8;

		if (msr - first[i] >= 8192)
			continue;
		*byte &= (u8) ~(3u << (bit % 8));
		*byte |= (u8)((read | write << 1) << (bit % 8));
	}
}
