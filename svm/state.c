// SPDX-License-Identifier: MIT
/*
 * A vCPU's registers as plain data, out of the VMCB and back. What comes in is checked as a
 * VMCB of L1's would be: a hostile stream can only hurt its own VM.
 */
#include "kernel/cpu.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "svm/svm.h"

struct seg_place {
	u8 reg;	    /* enum seg_reg */
	u16 offset; /* in struct vmcb_save */
};

/* VMRUN's own segments are the running VMCB's, VMLOAD's rest in vmcb01. */
static const struct seg_place vmrun_segs[] = {
	{SEG_ES, offsetof(struct vmcb_save, es)},     {SEG_CS, offsetof(struct vmcb_save, cs)},
	{SEG_SS, offsetof(struct vmcb_save, ss)},     {SEG_DS, offsetof(struct vmcb_save, ds)},
	{SEG_GDTR, offsetof(struct vmcb_save, gdtr)}, {SEG_IDTR, offsetof(struct vmcb_save, idtr)},
};
static const struct seg_place vmload_segs[] = {
	{SEG_FS, offsetof(struct vmcb_save, fs)},
	{SEG_GS, offsetof(struct vmcb_save, gs)},
	{SEG_LDTR, offsetof(struct vmcb_save, ldtr)},
	{SEG_TR, offsetof(struct vmcb_save, tr)},
};

static void segs_get(struct vcpu_state *state, const struct vmcb_save *s,
		     const struct seg_place *places, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		const struct vmcb_seg *seg = (const void *)((const char *)s + places[i].offset);

		state->seg[places[i].reg] = (struct segment){
			.base = seg->base,
			.limit = seg->limit,
			.selector = seg->selector,
			.attrib = seg->attrib,
		};
	}
}

static void segs_set(const struct vcpu_state *state, struct vmcb_save *s,
		     const struct seg_place *places, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		const struct segment *seg = &state->seg[places[i].reg];

		*(struct vmcb_seg *)((char *)s + places[i].offset) = (struct vmcb_seg){
			.base = seg->base,
			.limit = seg->limit,
			.selector = seg->selector,
			.attrib = seg->attrib & 0xfff,
		};
	}
}

static void vmload_get(struct vcpu_state *state, const struct vmcb_save *s)
{
	segs_get(state, s, vmload_segs, ARRAY_SIZE(vmload_segs));
	state->kernel_gs_base = s->kernel_gs_base;
	state->star = s->star;
	state->lstar = s->lstar;
	state->cstar = s->cstar;
	state->sfmask = s->sfmask;
	state->sysenter_cs = s->sysenter_cs;
	state->sysenter_esp = s->sysenter_esp;
	state->sysenter_eip = s->sysenter_eip;
}

static void vmload_set(const struct vcpu_state *state, struct vmcb_save *s)
{
	segs_set(state, s, vmload_segs, ARRAY_SIZE(vmload_segs));
	s->kernel_gs_base = state->kernel_gs_base;
	s->star = state->star;
	s->lstar = state->lstar;
	s->cstar = state->cstar;
	s->sfmask = state->sfmask;
	s->sysenter_cs = state->sysenter_cs;
	s->sysenter_esp = state->sysenter_esp;
	s->sysenter_eip = state->sysenter_eip;
}

static void vmrun_get(struct vcpu_state *state, const struct svm_vcpu *svm)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	segs_get(state, s, vmrun_segs, ARRAY_SIZE(vmrun_segs));
	state->cr0 = s->cr0;
	state->cr2 = s->cr2;
	state->cr3 = s->cr3;
	state->cr4 = s->cr4;
	state->efer = svm_efer(svm);
	state->dr6 = s->dr6;
	state->dr7 = s->dr7;
	state->pat = s->g_pat;
	state->cpl = s->cpl;
}

static void vmrun_set(const struct vcpu_state *state, struct vmcb_save *s)
{
	segs_set(state, s, vmrun_segs, ARRAY_SIZE(vmrun_segs));
	s->cr0 = state->cr0;
	s->cr2 = state->cr2;
	s->cr3 = state->cr3;
	s->cr4 = state->cr4;
	s->efer = state->efer | EFER_SVME;
	s->dr6 = state->dr6;
	s->dr7 = state->dr7;
	s->g_pat = state->pat;
	s->cpl = (u8)state->cpl;
	s->rip = state->rip;
	s->rflags = state->rflags;
	s->rsp = state->gpr[RSP];
	s->rax = state->gpr[RAX];
}

void svm_get_state(struct vcpu *vcpu, struct vcpu_state *state)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control *c = &svm->vmcb->control;

	memset(state, 0, sizeof(*state));
	svm_cpu_save(svm);
	memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	state->rip = vcpu->rip;
	state->rflags = vcpu->rflags;
	vmrun_get(state, svm);
	vmload_get(state, &svm->vmcb01->save);
	state->cr8 = c->vintr & V_TPR_MASK;
	state->interrupt_shadow = c->int_state & SVM_INTERRUPT_SHADOW;
	state->xcr0 = svm->xcr0;
	memcpy(state->dr, svm->dr, sizeof(state->dr));
	memcpy(state->fpu, vcpu->fpu, sizeof(state->fpu));
	state->tsc_aux = svm->tsc_aux;
	state->debugctl = svm->debugctl;
	state->halted = vcpu->halted;
	state->pending = vcpu->pending;
}

static int check_event(const struct vcpu_event *e)
{
	if (e->type > EVENT_SOFT_INTR || e->has_error > 1 || e->in_delivery > 1)
		return -EINVAL;
	return svm_check_event(svm_event_encode(e)) ? -EINVAL : 0;
}

static int check_state(const struct vcpu_state *state)
{
	struct vmcb_save s = {0};

	vmrun_set(state, &s);
	if (svm_check_registers(&s, &svm_host.limits) || svm_check_pat(state->pat))
		return -EINVAL;
	if (state->cpl > 3 || state->cr8 > 15 || state->interrupt_shadow > 1 || state->halted > 1 ||
	    state->nmi_masked || state->tsc_aux >> 32)
		return -EINVAL;
	if (state->debugctl >> 32)
		return -EINVAL;
	if (xcr0_check(state->xcr0) || fpu_check(state->fpu))
		return -EINVAL;
	return check_event(&state->pending);
}

/* @state is sound. EFER.SVME comes with the nested state, where it has to fit the rest. */
static void set_checked(struct svm_vcpu *svm, const struct vcpu_state *state)
{
	struct vcpu *vcpu = &svm->vcpu;
	struct vmcb_control *c = &svm->vmcb->control;

	svm_cpu_release(svm);
	memcpy(vcpu->gpr, state->gpr, sizeof(vcpu->gpr));
	vmload_set(state, &svm->vmcb01->save);
	vmrun_set(state, &svm->vmcb->save);
	svm_normalise_registers(&svm->vmcb->save);
	svm_registers_from_vmcb(svm);
	c->vintr = (c->vintr & ~V_TPR_MASK) | state->cr8;
	c->int_state = state->interrupt_shadow;
	svm->xcr0 = state->xcr0;
	memcpy(svm->dr, state->dr, sizeof(svm->dr));
	memcpy(vcpu->fpu, state->fpu, sizeof(state->fpu));
	svm->tsc_aux = state->tsc_aux;
	svm->debugctl = state->debugctl;
	vcpu->halted = state->halted;
	vcpu->pending = state->pending;
	svm_l1_asid_flush_all(svm);
}

int svm_set_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	int err = check_state(state);

	if (!err)
		set_checked(to_svm(vcpu), state);
	return err;
}

/* As after INIT and RESET, APM 2 14.1.3. */
void svm_reset(struct svm_vcpu *svm)
{
	struct vmcb_save *s = &svm->vmcb01->save;
	struct vmcb_seg data = {.attrib = VMCB_SEG_P | VMCB_SEG_S | 3, .limit = 0xffff};

	s->es = s->ss = s->ds = s->fs = s->gs = data;
	s->cs = (struct vmcb_seg){0xf000, VMCB_SEG_P | VMCB_SEG_S | 0xb, 0xffff, 0xffff0000};
	s->gdtr.limit = s->idtr.limit = 0xffff;
	s->ldtr = (struct vmcb_seg){.attrib = VMCB_SEG_LDT, .limit = 0xffff};
	s->tr = (struct vmcb_seg){.attrib = VMCB_SEG_TSS64, .limit = 0xffff};
	s->cr0 = CR0_CD | CR0_NW | CR0_ET;
	s->efer = EFER_SVME;
	s->dr6 = DR6_INIT;
	s->dr7 = DR7_INIT;
	s->g_pat = PAT_INIT;
	s->rflags = RFLAGS_FIXED;
	s->rip = 0xfff0;
	svm_use_vmcb01(svm);
	svm_registers_from_vmcb(svm);
	svm->nested.gif = 1;
	svm->xcr0 = XCR0_X87;
	vcpu_fpu_init(svm->vcpu.fpu);
}
