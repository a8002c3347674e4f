// SPDX-License-Identifier: MIT
/* The instructions of SVM as L1 executes them (APM 3), and where a vCPU stands. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

static enum nested_result fault(struct svm_vcpu *svm, u8 vector)
{
	svm_queue_exception(svm, vector, vector == EXC_GP, 0);
	return NESTED_DONE;
}

static int vmload(struct svm_vcpu *svm, u64 gpa)
{
	const struct vmcb *from = guest_page_read(svm_mmu(svm), gpa_to_gfn((gpa_t){gpa}));
	struct vmcb_save *to = &svm->vmcb01->save;

	if (!from)
		return -EFAULT;
	svm_vmload_copy(to, &from->save);
	to->fs.attrib &= 0xfff;
	to->gs.attrib &= 0xfff;
	to->tr.attrib &= 0xfff;
	to->ldtr.attrib &= 0xfff;
	return 0;
}

static int vmsave(struct svm_vcpu *svm, u64 gpa)
{
	struct guest_page page;
	struct vmcb *to;
	int err = guest_page_write_begin(svm_mmu(svm), gpa_to_gfn((gpa_t){gpa}), &page);

	if (err)
		return err;
	to = page.va;
	svm_vmload_copy(&to->save, &svm->vmcb01->save);
	guest_page_write_end(svm_mmu(svm), &page);
	return 0;
}

/* Moves RIP on first, so that nothing is done twice if the instruction cannot be fetched. */
static enum nested_result move_state(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	u64 gpa = svm->vcpu.gpr[RAX];
	u64 rip = svm->vcpu.rip;
	int err;

	if (!IS_ALIGNED(gpa, PAGE_SIZE) || gpa >> svm_host.limits.maxphyaddr)
		return fault(svm, EXC_GP);
	if (svm_skip(&svm->vcpu, exit))
		return NESTED_DONE;
	err = exit->code == SVM_EXIT_VMLOAD ? vmload(svm, gpa) : vmsave(svm, gpa);
	if (!err)
		return NESTED_DONE;
	svm->vcpu.rip = rip;
	svm->vcpu.pending.type = EVENT_NONE; /* a trap after an instruction that was not */
	return fault(svm, EXC_GP);
}

/*
 * APM 3 INVLPGA: one page of one ASID. L0 forgets the whole ASID, and the tree under it is
 * compared again at the next VMRUN, as the page's nested translation goes with it.
 */
static void invlpga(struct svm_vcpu *svm)
{
	u32 asid = (u32)svm->vcpu.gpr[RCX];

	if (asid)
		svm_l1_asid_flush(svm, asid);
	else
		svm->asid01.tag.must_flush = true;
}

enum nested_result svm_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_save *s = &svm->vmcb->save;

	if (!svm->nested.svme || !(s->cr0 & CR0_PE) || vcpu->rflags & RFLAGS_VM)
		return fault(svm, EXC_UD);
	if (s->cpl)
		return fault(svm, EXC_GP);
	switch (exit->code) {
	case SVM_EXIT_VMRUN:
		/* L2's VMRUN is always L1's: without that intercept L2 does not run. */
		return vcpu->guest_mode ? fault(svm, EXC_UD) : svm_vmrun(svm, exit);
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
		return move_state(svm, exit);
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
		if (!svm_skip(vcpu, exit))
			svm->nested.gif = exit->code == SVM_EXIT_STGI;
		if (!svm->nested.gif)
			svm_window_close(svm);
		return NESTED_DONE;
	case SVM_EXIT_INVLPGA:
		if (!svm_skip(vcpu, exit))
			invlpga(svm);
		return NESTED_DONE;
	}
	return fault(svm, EXC_UD);
}

u32 svm_instants(struct vcpu *vcpu)
{
	const struct svm_vcpu *svm = to_svm(vcpu);
	u32 mask = INSTANT_L1;

	if (vcpu->guest_mode)
		mask = svm->nested.run_pending ? INSTANT_TRANSITION : INSTANT_L2;
	if (vcpu->pending.type != EVENT_NONE && vcpu->pending.in_delivery)
		mask |= INSTANT_EVENT;
	if (!svm->nested.gif)
		mask |= INSTANT_GIF0;
	if (vcpu->guest_mode && vcpu->halted)
		mask |= INSTANT_HALTED;
	return mask;
}
