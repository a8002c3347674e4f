// SPDX-License-Identifier: MIT
/*
 * A vCPU's registers as plain data, out of the VMCS and back. What comes in is checked as a VMCS of
 * L1's would be: a hostile stream can only hurt its own VM.
 */
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/nested_check_internal.h"
#include "vmx/vmx.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)

/*
 * struct segment has a descriptor's attributes in 12 bits (APM 2 15.5.1); the access rights leave a
 * gap between its two halves, and know of segments that are not usable: those are not present.
 */
#define ATTRIB_P BIT(7)

static u32 rights_of(u16 attrib)
{
	u32 ar = (attrib & 0xff) | (u32)(attrib & 0xf00) << 4;

	return attrib & ATTRIB_P ? ar : ar | (u32)VMX_AR_UNUSABLE;
}

static u16 attrib_of(u32 ar)
{
	u16 attrib = (u16)((ar & 0xff) | (ar >> 4 & 0xf00));

	return ar & VMX_AR_UNUSABLE ? attrib & ~(u16)ATTRIB_P : attrib;
}

#define SEG_GET(state, v, name, NAME)                         \
	((state)->seg[SEG_##NAME] = (struct segment){         \
		 .base = (v)->guest_##name##_base,            \
		 .limit = (v)->guest_##name##_limit,          \
		 .selector = (v)->guest_##name##_selector,    \
		 .attrib = attrib_of((v)->guest_##name##_ar), \
	 })
#define SEG_SET(state, v, name, NAME)                                   \
	do {                                                            \
		const struct segment *seg_ = &(state)->seg[SEG_##NAME]; \
                                                                        \
		(v)->guest_##name##_base = seg_->base;                  \
		(v)->guest_##name##_limit = seg_->limit;                \
		(v)->guest_##name##_selector = seg_->selector;          \
		(v)->guest_##name##_ar = rights_of(seg_->attrib);       \
	} while (0)

static void segments_get(struct vcpu_state *state, const struct vmcs12 *v)
{
	SEG_GET(state, v, es, ES);
	SEG_GET(state, v, cs, CS);
	SEG_GET(state, v, ss, SS);
	SEG_GET(state, v, ds, DS);
	SEG_GET(state, v, fs, FS);
	SEG_GET(state, v, gs, GS);
	SEG_GET(state, v, ldtr, LDTR);
	SEG_GET(state, v, tr, TR);
	state->seg[SEG_GDTR].base = v->guest_gdtr_base;
	state->seg[SEG_GDTR].limit = v->guest_gdtr_limit;
	state->seg[SEG_IDTR].base = v->guest_idtr_base;
	state->seg[SEG_IDTR].limit = v->guest_idtr_limit;
	state->cpl = v->guest_ss_ar >> VMX_AR_DPL_SHIFT & 3;
}

static void segments_set(const struct vcpu_state *state, struct vmcs12 *v)
{
	SEG_SET(state, v, es, ES);
	SEG_SET(state, v, cs, CS);
	SEG_SET(state, v, ss, SS);
	SEG_SET(state, v, ds, DS);
	SEG_SET(state, v, fs, FS);
	SEG_SET(state, v, gs, GS);
	SEG_SET(state, v, ldtr, LDTR);
	SEG_SET(state, v, tr, TR);
	v->guest_gdtr_base = state->seg[SEG_GDTR].base;
	v->guest_gdtr_limit = state->seg[SEG_GDTR].limit;
	v->guest_idtr_base = state->seg[SEG_IDTR].base;
	v->guest_idtr_limit = state->seg[SEG_IDTR].limit;
}

static void fields_get(struct vcpu_state *state, const struct vmcs12 *v)
{
	u64 cr0_mask = ~vmx_host.cr0_owned, cr4_mask = ~vmx_host.cr4_owned;

	segments_get(state, v);
	state->cr0 = (v->cr0_shadow & cr0_mask) | (v->guest_cr0 & ~cr0_mask);
	state->cr3 = v->guest_cr3;
	state->cr4 = (v->cr4_shadow & cr4_mask) | (v->guest_cr4 & ~cr4_mask);
	state->efer = v->guest_efer;
	state->dr7 = v->guest_dr7;
	state->pat = v->guest_pat;
	state->sysenter_cs = v->guest_sysenter_cs;
	state->sysenter_esp = v->guest_sysenter_esp;
	state->sysenter_eip = v->guest_sysenter_eip;
}

static u32 interruptibility_of(const struct vcpu_state *state, bool mov_ss)
{
	u32 bits = state->nmi_masked ? (u32)VMX_BLOCK_NMI : 0;

	if (!state->interrupt_shadow)
		return bits;
	/* STI's shadow has IF set, SDM 3C 26.3.1.5. */
	return bits |
	       (u32)(mov_ss || !(state->rflags & RFLAGS_IF) ? VMX_BLOCK_MOV_SS : VMX_BLOCK_STI);
}

/* @v: the VMCS as it is. */
static void fields_set(const struct vmx_vcpu *vmx, const struct vcpu_state *state, struct vmcs12 *v)
{
	segments_set(state, v);
	v->guest_cr0 = vmx_cr0_real(state->cr0);
	v->cr0_shadow = state->cr0;
	v->guest_cr3 = state->cr3;
	v->guest_cr4 = vmx_cr4_real(state->cr4);
	v->cr4_shadow = state->cr4;
	v->guest_efer = state->efer;
	v->guest_dr7 = state->dr7;
	v->guest_pat = state->pat;
	v->guest_sysenter_cs = (u32)state->sysenter_cs;
	v->guest_sysenter_esp = state->sysenter_esp;
	v->guest_sysenter_eip = state->sysenter_eip;
	v->guest_rip = state->rip;
	v->guest_rsp = state->gpr[RSP];
	v->guest_rflags = state->rflags;
	v->guest_interruptibility = interruptibility_of(state, vmx->nested.mov_ss);
	v->entry_controls &= ~(u32)VMX_ENTRY_IA32E;
	if (state->efer & EFER_LMA)
		v->entry_controls |= (u32)VMX_ENTRY_IA32E;
	v->guest_pending_debug &= ~VMX_DEBUG_BS;
	if (state->rflags & RFLAGS_TF && state->interrupt_shadow)
		v->guest_pending_debug |= VMX_DEBUG_BS;
}

/* The registers that PAE paging has, from the guest's memory, which came before. */
static int pdptes_set(struct vmx_vcpu *vmx, const struct vcpu_state *state, struct vmcs12 *v)
{
	u64 pdptes[4] = {0};

	if (state->cr0 & CR0_PG && state->cr4 & CR4_PAE && !(state->efer & EFER_LMA) &&
	    vmx_pdptes_read(vmx, state->cr3, pdptes))
		return -EINVAL;
	v->guest_pdpte0 = pdptes[0];
	v->guest_pdpte1 = pdptes[1];
	v->guest_pdpte2 = pdptes[2];
	v->guest_pdpte3 = pdptes[3];
	return 0;
}

void vmx_get_state(struct vcpu *vcpu, struct vcpu_state *state)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const struct vmx_regs *r = &vmx->regs;
	struct vmcs12 v;

	memset(state, 0, sizeof(*state));
	vmx_cpu_save(vmx);
	vmx_vmcs_read_all(vmx, &v);
	fields_get(state, &v);
	memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	state->rip = vcpu->rip;
	state->rflags = vcpu->rflags;
	state->interrupt_shadow = !!(vmx->interruptibility & VMX_BLOCK_SHADOW);
	state->nmi_masked = !!(vmx->interruptibility & VMX_BLOCK_NMI);
	state->cr2 = r->cr2;
	state->cr8 = vmx_get_cr8(vcpu);
	state->xcr0 = r->xcr0;
	memcpy(state->dr, r->dr, sizeof(state->dr));
	state->dr6 = r->dr6;
	state->star = r->star;
	state->lstar = r->lstar;
	state->cstar = r->cstar;
	state->sfmask = r->sfmask;
	state->kernel_gs_base = r->kernel_gs_base;
	state->tsc_aux = r->tsc_aux;
	state->debugctl = vmx->debugctl;
	state->halted = vcpu->halted;
	state->pending = vcpu->pending;
	memcpy(state->fpu, vcpu->fpu, sizeof(state->fpu));
}

/* What is loaded into registers outside of VM entry, where nothing but L0 would take the fault. */
static int check_loaded(const struct vcpu_state *state)
{
	if (!vmx_canonical(state->lstar) || !vmx_canonical(state->cstar) ||
	    !vmx_canonical(state->kernel_gs_base) || state->sfmask >> 32)
		return -EINVAL;
	if (state->dr6 >> 32 || state->tsc_aux >> 32)
		return -EINVAL;
	return xcr0_check(state->xcr0) || fpu_check(state->fpu) ? -EINVAL : 0;
}

/* What L0 keeps itself, and the control registers as the guest sees them. */
static int check_kept(const struct vcpu_state *state)
{
	if (state->cr0 & ~CR0_DEFINED || (state->cr0 & CR0_NW && !(state->cr0 & CR0_CD)) ||
	    state->cr4 & ~vmx_host.cr4_allowed)
		return -EINVAL;
	if (state->cpl != (state->seg[SEG_SS].attrib >> VMX_AR_DPL_SHIFT & 3) ||
	    state->sysenter_cs >> 32)
		return -EINVAL;
	if (state->cr8 > 15 || state->interrupt_shadow > 1 || state->halted > 1 ||
	    state->nmi_masked > 1)
		return -EINVAL;
	if (state->debugctl >> 32)
		return -EINVAL;
	return vmx_event_check(&state->pending);
}

static int check_state(struct vmx_vcpu *vmx, const struct vcpu_state *state, struct vmcs12 *v)
{
	u64 qualification;

	if (check_kept(state) || check_loaded(state))
		return -EINVAL;
	vmx_vmcs_read_all(vmx, v);
	fields_set(vmx, state, v);
	v->entry_intr_info = vmx_event_encode(&state->pending);
	if (pdptes_set(vmx, state, v) || vmx_check_guest(v, &vmx_host.limits, &qualification))
		return -EINVAL;
	return 0;
}

static void regs_set(struct vmx_regs *r, const struct vcpu_state *state)
{
	*r = (struct vmx_regs){
		.dr6 = state->dr6,
		.cr2 = state->cr2,
		.xcr0 = state->xcr0,
		.tsc_aux = state->tsc_aux,
		.star = state->star,
		.lstar = state->lstar,
		.cstar = state->cstar,
		.sfmask = state->sfmask,
		.kernel_gs_base = state->kernel_gs_base,
	};
	memcpy(r->dr, state->dr, sizeof(r->dr));
}

/* The VMCS, and what vmcs remembers of it. */
static void vmcs_set(struct vmx_vmcs *vmcs, const struct vmcs12 *v)
{
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs_fields[i].moves)
			vmcs_write(vmcs_fields[i].encoding, vmcs12_get(v, &vmcs_fields[i]));
	vmcs_write(VMCS_entry_controls, v->entry_controls);
	vmcs->rip = v->guest_rip;
	vmcs->rsp = v->guest_rsp;
	vmcs->rflags = v->guest_rflags;
	vmcs->interruptibility = v->guest_interruptibility;
}

/* @state is sound, and so is @v, which was made from it. */
static void set_checked(struct vmx_vcpu *vmx, const struct vcpu_state *state,
			const struct vmcs12 *v)
{
	struct vcpu *vcpu = &vmx->vcpu;

	vmx_cpu_release(vmx);
	vmcs_set(vmx->vmcs, v);
	regs_set(&vmx->regs, state);
	memcpy(vcpu->gpr, state->gpr, sizeof(vcpu->gpr));
	vcpu->rip = state->rip;
	vcpu->rflags = state->rflags;
	vmx->interruptibility = v->guest_interruptibility;
	vmx_set_cr8(vcpu, (u8)state->cr8);
	memcpy(vcpu->fpu, state->fpu, sizeof(state->fpu));
	vmx->debugctl = state->debugctl;
	vcpu->halted = state->halted;
	vcpu->pending = state->pending;
	vmx->vpid->linear_stale = true;
}

int vmx_set_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmcs12 v;
	int err = check_state(vmx, state, &v);

	if (!err)
		set_checked(vmx, state, &v);
	return err;
}

/* As after INIT and RESET, SDM 3A table 9-1. */
static void reset_state(struct vcpu_state *s)
{
	static const struct segment data = {.limit = 0xffff, .attrib = 0x93};

	for (int i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = data;
	s->seg[SEG_CS] = (struct segment){0xffff0000, 0xffff, 0xf000, 0x9b};
	s->seg[SEG_LDTR] = (struct segment){.limit = 0xffff, .attrib = 0x82};
	s->seg[SEG_TR] = (struct segment){.limit = 0xffff, .attrib = 0x8b};
	s->seg[SEG_GDTR].limit = s->seg[SEG_IDTR].limit = 0xffff;
	s->cr0 = CR0_CD | CR0_NW | CR0_ET;
	s->dr6 = DR6_INIT;
	s->dr7 = DR7_INIT;
	s->pat = PAT_INIT;
	s->rflags = RFLAGS_FIXED;
	s->rip = 0xfff0;
	s->xcr0 = XCR0_X87;
	vcpu_fpu_init(s->fpu);
}

int vmx_reset(struct vmx_vcpu *vmx)
{
	struct vcpu_state *state = kzalloc(sizeof(*state));
	int err = -ENOMEM;

	if (state) {
		reset_state(state);
		err = vmx_set_state(&vmx->vcpu, state);
	}
	kfree(state);
	return err;
}
