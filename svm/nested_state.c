// SPDX-License-Identifier: MIT
/* Saving, checking and loading the nested state. Plain C: the host tests every byte of it. */
#include "svm/nested_state.h"
#include "lib/x86.h"

#define FIELD(member) STATE_FIELD(struct svm_nested_state, member)

static const struct state_field svm_nested_fields[] = {
	FIELD(svme),   FIELD(gif),	FIELD(guest_mode),   FIELD(run_pending),
	FIELD(vmcb12), FIELD(hsave_pa), FIELD(vm_cr),	     FIELD(ctl),
	FIELD(l1),     FIELD(l1_vintr), FIELD(l1_int_state),
};

const struct state_desc svm_nested_state_desc = {
	.name = "svm",
	.version = 1,
	.size = sizeof(struct svm_nested_state),
	.nr_fields = ARRAY_SIZE(svm_nested_fields),
	.fields = svm_nested_fields,
};

void svm_vmload_copy(struct vmcb_save *to, const struct vmcb_save *from)
{
	to->fs = from->fs;
	to->gs = from->gs;
	to->tr = from->tr;
	to->ldtr = from->ldtr;
	to->kernel_gs_base = from->kernel_gs_base;
	to->star = from->star;
	to->lstar = from->lstar;
	to->cstar = from->cstar;
	to->sfmask = from->sfmask;
	to->sysenter_cs = from->sysenter_cs;
	to->sysenter_esp = from->sysenter_esp;
	to->sysenter_eip = from->sysenter_eip;
}

void svm_nested_state_save(const struct svm_nested_state *n, const struct vmcb *vmcb01,
			   const struct vmcb *vmcb02, bool window, struct svm_nested_state *out)
{
	u64 live = window ? V_TPR_MASK : V_TPR_MASK | V_IRQ;

	*out = *n;
	out->l1_vintr = out->l1_int_state = 0;
	if (!n->guest_mode)
		return; /* L1 is the level that runs, and moves with the vCPU's own state */
	out->l1_vintr = vmcb01->control.vintr & V_TPR_MASK;
	out->l1_int_state = vmcb01->control.int_state & SVM_INTERRUPT_SHADOW;
	out->ctl.vintr = (n->ctl.vintr & ~live) | (vmcb02->control.vintr & live);
	out->l1 = vmcb01->save;
}

static const char *check_flags(const struct svm_nested_state *in)
{
	if (in->svme > 1 || in->gif > 1 || in->guest_mode > 1 || in->run_pending > 1)
		return "a flag is neither 0 nor 1";
	if (!in->svme && (in->guest_mode || !in->gif))
		return "nested state without EFER.SVME";
	if (in->run_pending && !in->guest_mode)
		return "VMRUN pending outside of guest mode";
	if (in->vm_cr & ~(VM_CR_DPD | VM_CR_R_INIT | VM_CR_DIS_A20M | VM_CR_LOCK | VM_CR_SVMDIS))
		return "VM_CR reserved bits";
	if (in->vm_cr & VM_CR_SVMDIS && in->svme)
		return "EFER.SVME in spite of VM_CR.SVMDIS";
	return NULL;
}

const char *svm_nested_state_check(const struct svm_nested_state *in, const struct svm_limits *l)
{
	const char *why = check_flags(in);

	if (why)
		return why;
	if (!IS_ALIGNED(in->hsave_pa, PAGE_SIZE) || in->hsave_pa >> l->maxphyaddr)
		return "VM_HSAVE_PA";
	if (!IS_ALIGNED(in->vmcb12, PAGE_SIZE) || in->vmcb12 >> l->maxphyaddr)
		return "address of vmcb12";
	if (in->l1_vintr & ~V_TPR_MASK || in->l1_int_state & ~(u64)SVM_INTERRUPT_SHADOW)
		return "L1's interrupt state";
	if (!in->guest_mode)
		return NULL;
	why = svm_check_registers(&in->l1, l);
	if (!why)
		why = svm_check_pat(in->l1.g_pat);
	if (!why && !(in->l1.cr0 & CR0_PE))
		why = "L1 ran VMRUN in real mode";
	return why ? why : svm_check_control(&in->ctl, l, in->l1.cr0 & CR0_PG);
}

void svm_nested_state_load(struct svm_nested_state *n, struct vmcb *vmcb01, struct vmcb *vmcb02,
			   const struct svm_nested_state *in)
{
	struct vmcb_save vmload;

	if (in->guest_mode && !n->guest_mode)
		vmcb02->save = vmcb01->save;
	*n = *in;
	if (!in->guest_mode)
		return;
	vmcb01->control.vintr = (vmcb01->control.vintr & ~V_TPR_MASK) | in->l1_vintr;
	vmload = vmcb01->save;
	vmcb01->save = in->l1;
	svm_vmload_copy(&vmcb01->save, &vmload);
	svm_normalise_registers(&vmcb01->save);
	vmcb01->control.int_state = in->l1_int_state;
}
