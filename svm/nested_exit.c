// SPDX-License-Identifier: MIT
/* #VMEXIT from L2 to L1: whose an exit is, and vmcb12 as L1 finds it (APM 2 15.6). */
#include "kernel/trace.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/permissions.h"
#include "svm/svm.h"

/* --- whose is it? --- */

static bool io_is_for_l1(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	u64 at = (svm->nested.ctl.iopm_base & PAGE_MASK) + exit->io.port / 8;
	u16 word;

	/* Nothing there reads as all ones. */
	if (guest_read(svm_mmu(svm), (gpa_t){at}, &word, sizeof(word)))
		return true;
	return svm_iopm_wants(word, exit->io.port, exit->io.size);
}

static bool msr_is_for_l1(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	int bit = svm_msrpm_bit(exit->msr.index);
	u64 at = (svm->nested.ctl.msrpm_base & PAGE_MASK) + (u64)bit / 8;
	u8 byte;

	if (bit < 0 || guest_read(svm_mmu(svm), (gpa_t){at}, &byte, sizeof(byte)))
		return true;
	return svm_msrpm_wants(byte, bit, exit->msr.write);
}

bool svm_nested_owns(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (exit->code >= 32 * ARRAY_SIZE(svm->nested.ctl.intercepts))
		return exit->kind == EXIT_ENTRY_FAILED;
	if (!vmcb_intercept_test(&svm->nested.ctl, (u32)exit->code))
		return false;
	switch (exit->kind) {
	case EXIT_HOST:
	case EXIT_INTR_WINDOW:
		return false;
	case EXIT_IO:
		return io_is_for_l1(svm, exit);
	case EXIT_MSR:
		return msr_is_for_l1(svm, exit);
	default:
		return true;
	}
}

/* --- the exit --- */

static void write_control(const struct svm_vcpu *svm, struct vmcb_control *to, u64 code, u64 info1,
			  u64 info2)
{
	const struct vmcb_control *c = &svm->vmcb02->control;
	const struct vmcb_control *ctl = &svm->nested.ctl;
	u64 live = V_TPR_MASK | V_IRQ; /* what the processor changes */

	to->vintr = (ctl->vintr & ~live) | (c->vintr & live);
	to->int_state = c->int_state & SVM_INTERRUPT_SHADOW;
	to->exit_code = code;
	to->exit_info_1 = info1;
	to->exit_info_2 = info2;
	to->exit_int_info = svm_event_encode(&svm->vcpu.pending);
	to->event_inj = ctl->event_inj & ~SVM_EVENT_VALID;
	if (svm_host.features & SVM_FEATURE_NRIPS)
		to->next_rip = c->next_rip;
}

static void write_save(struct vmcb_save *to, const struct vmcb_save *from)
{
	to->es = from->es;
	to->cs = from->cs;
	to->ss = from->ss;
	to->ds = from->ds;
	to->gdtr = from->gdtr;
	to->idtr = from->idtr;
	to->cpl = from->cpl;
	to->efer = from->efer;
	to->cr0 = from->cr0;
	to->cr2 = from->cr2;
	to->cr3 = from->cr3;
	to->cr4 = from->cr4;
	to->dr6 = from->dr6;
	to->dr7 = from->dr7;
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
}

/* What #VMEXIT stores, and nothing else of the page. */
static void write_vmcb12(struct svm_vcpu *svm, u64 code, u64 info1, u64 info2)
{
	struct guest_page *page = svm_vmcb_page(svm, svm->nested.vmcb12);
	struct vmcb *to;

	if (unlikely(!page)) {
		vm_end(svm->vcpu.vm, -EFAULT, "#VMEXIT: the VMCB at 0x%lx cannot be written",
		       svm->nested.vmcb12);
		return;
	}
	guest_page_write_begin(svm_mmu(svm), page);
	to = page->va;
	write_control(svm, &to->control, code, info1, info2);
	write_save(&to->save, &svm->vmcb02->save);
	guest_page_write_end(svm_mmu(svm), page);
}

/* APM 2 15.6: what #VMEXIT loads of the host, what it clears, and what it leaves as L2 had it. */
static void enter_l1(struct svm_vcpu *svm)
{
	struct vmcb_save *s = &svm->vmcb01->save;
	const struct vmcb *v02 = svm->vmcb02;

	s->cr2 = v02->save.cr2;
	s->dr6 = v02->save.dr6;
	s->dr7 = DR7_INIT;
	s->cpl = 0;
	s->rflags &= ~RFLAGS_VM;
	if (!(svm->nested.ctl.vintr & V_INTR_MASKING)) {
		svm->vmcb01->control.vintr &= ~V_TPR_MASK;
		svm->vmcb01->control.vintr |= v02->control.vintr & V_TPR_MASK;
	}
	svm_use_vmcb01(svm);
	svm_registers_from_vmcb(svm);
	svm_gif_set(svm, false);
	svm->nested.run_pending = 0;
	svm->vcpu.pending.type = EVENT_NONE;
	svm->vcpu.halted = false;
}

void svm_nested_exit(struct svm_vcpu *svm, u64 code, u64 info1, u64 info2)
{
	trace(nested_exit, code, info1, info2, svm->vcpu.rip);
	svm_window_close(svm);
	svm_registers_to_vmcb(svm);
	write_vmcb12(svm, code, info1, info2);
	enter_l1(svm);
}

enum nested_result svm_nested_reflect(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control *c = &svm->vmcb02->control;

	svm_nested_exit(svm, exit->code, c->exit_info_1, c->exit_info_2);
	return NESTED_DONE;
}

enum nested_result svm_nested_reflect_fault(struct vcpu *vcpu, const struct vm_exit *exit,
					    const struct nested_fault *fault)
{
	/* Which of L2's accesses it was, only the processor can tell. */
	u64 stage = exit->fault.error & (NPF_FINAL | NPF_PT);

	svm_nested_exit(to_svm(vcpu), SVM_EXIT_NPF, fault->error | stage, fault->addr);
	return NESTED_DONE;
}
