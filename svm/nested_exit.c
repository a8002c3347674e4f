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

	switch (exit->kind) {
	case EXIT_HOST:
	case EXIT_FAULT:
	case EXIT_INTR_WINDOW:
		return false;
	case EXIT_ENTRY_FAILED:
		return true;
	default:
		break;
	}
	if (exit->code >= 32 * ARRAY_SIZE(svm->nested.ctl.intercepts) ||
	    !vmcb_intercept_test(&svm->nested.ctl, (u32)exit->code))
		return false;
	if (exit->kind == EXIT_IO)
		return io_is_for_l1(svm, exit);
	if (exit->kind == EXIT_MSR)
		return msr_is_for_l1(svm, exit);
	return true;
}

/* --- the exit --- */

/* The words of the control area from vintr to EXITINTINFO, as they lie in the VMCB. */
struct exit_words {
	u64 vintr, int_state, exit_code, exit_info_1, exit_info_2, exit_int_info;
};
_Static_assert(offsetof(struct vmcb_control, exit_int_info) -
			       offsetof(struct vmcb_control, vintr) ==
		       offsetof(struct exit_words, exit_int_info),
	       "the words lie in a row");

static int write_at(struct svm_vcpu *svm, size_t offset, const void *from, size_t len)
{
	return guest_write(svm_mmu(svm), (gpa_t){svm->nested.vmcb12 + offset}, from, len);
}

static u64 vintr_for_l1(const struct svm_vcpu *svm)
{
	/* V_TPR and V_IRQ are what the processor changes. */
	u64 live = V_TPR_MASK | V_IRQ;

	return (svm->nested.ctl.vintr & ~live) | (svm->vmcb02->control.vintr & live);
}

static int write_control(struct svm_vcpu *svm, u64 code, u64 info1, u64 info2)
{
	const struct vmcb_control *c = &svm->vmcb02->control;
	struct exit_words w = {
		.vintr = vintr_for_l1(svm),
		.int_state = c->int_state & SVM_INTERRUPT_SHADOW,
		.exit_code = code,
		.exit_info_1 = info1,
		.exit_info_2 = info2,
		.exit_int_info = svm_event_encode(&svm->vcpu.pending),
	};
	u64 event_inj = svm->nested.ctl.event_inj & ~SVM_EVENT_VALID;
	int err = write_at(svm, offsetof(struct vmcb_control, vintr), &w, sizeof(w));

	if (!err && svm->nested.ctl.event_inj & SVM_EVENT_VALID)
		err = write_at(svm, offsetof(struct vmcb_control, event_inj), &event_inj,
			       sizeof(event_inj));
	if (!err && svm_host.features & SVM_FEATURE_NRIPS)
		err = write_at(svm, offsetof(struct vmcb_control, next_rip), &c->next_rip,
			       sizeof(c->next_rip));
	return err;
}

#define SAVE(member)	offsetof(struct vmcb_save, member)
#define SAVE_AT(member) (offsetof(struct vmcb, save) + SAVE(member))
#define SAVE_RUN(from, to) \
	SAVE_AT(from), SAVE(to) + sizeof(((struct vmcb_save *)0)->to) - SAVE(from)

/* Runs of fields that #VMEXIT stores; reserved words between them are left alone. */
static const struct {
	u16 offset, len;
} save_runs[] = {
	{SAVE_RUN(es, ds)},   {SAVE_RUN(gdtr, gdtr)}, {SAVE_RUN(idtr, idtr)}, {SAVE_RUN(cpl, efer)},
	{SAVE_RUN(cr4, rip)}, {SAVE_RUN(rsp, rsp)},   {SAVE_RUN(rax, rax)},   {SAVE_RUN(cr2, cr2)},
};

static int write_save(struct svm_vcpu *svm)
{
	const char *vmcb = (const char *)svm->vmcb02;

	for (u32 i = 0; i < ARRAY_SIZE(save_runs); i++) {
		int err = write_at(svm, save_runs[i].offset, vmcb + save_runs[i].offset,
				   save_runs[i].len);
		if (err)
			return err;
	}
	return 0;
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
	svm->nested.gif = 0;
	svm->nested.run_pending = 0;
	svm->vcpu.pending.type = EVENT_NONE;
	svm->vcpu.halted = false;
}

void svm_nested_exit(struct svm_vcpu *svm, u64 code, u64 info1, u64 info2)
{
	trace(nested_exit, code, info1, info2, svm->vcpu.rip);
	svm_window_close(svm);
	svm_registers_to_vmcb(svm);
	if (write_control(svm, code, info1, info2) || write_save(svm))
		vm_end(svm->vcpu.vm, -EFAULT, "#VMEXIT: the VMCB at 0x%lx cannot be written",
		       svm->nested.vmcb12);
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
