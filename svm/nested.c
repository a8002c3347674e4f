// SPDX-License-Identifier: MIT
/* The instructions of SVM as L1 executes them (APM 3), and where a vCPU stands. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

static __rare enum nested_result fault(struct svm_vcpu *svm, u8 vector)
{
	svm_queue_exception(svm, vector, vector == EXC_GP, 0);
	return NESTED_DONE;
}

static bool is_vmcb_address(u64 gpa)
{
	return IS_ALIGNED(gpa, PAGE_SIZE) && !(gpa >> svm_host.limits.maxphyaddr);
}

static __rare const struct vmcb *vmcb_in_rom(struct svm_vcpu *svm, u64 gpa)
{
	return is_vmcb_address(gpa) ? guest_page_read(svm_mmu(svm), gpa_to_gfn((gpa_t){gpa}))
				    : NULL;
}

struct guest_page *svm_vmcb_page_find(struct svm_vcpu *svm, u64 gpa)
{
	struct svm_vmcb_page *p = &svm->vmcb_pages[gpa / PAGE_SIZE % SVM_VMCB_PAGES];

	p->named = 0;
	if (!is_vmcb_address(gpa) ||
	    guest_page_find(svm_mmu(svm), gpa_to_gfn((gpa_t){gpa}), &p->page))
		return NULL;
	p->named = gpa + 1;
	return &p->page;
}

/* It may lie in a ROM. Moves RIP on first: the instruction may turn out to be unreadable. */
static enum nested_result vmload(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	u64 gpa = svm->vcpu.gpr[RAX];
	const struct guest_page *page = svm_vmcb_page(svm, gpa);
	const struct vmcb *from = page ? page->va : vmcb_in_rom(svm, gpa);
	struct vmcb_save *to = &svm->vmcb01->save;

	if (unlikely(!from))
		return fault(svm, EXC_GP);
	if (unlikely(svm_skip(&svm->vcpu, exit)))
		return NESTED_DONE;
	svm_vmload_copy(to, &from->save);
	to->fs.attrib &= 0xfff;
	to->gs.attrib &= 0xfff;
	to->tr.attrib &= 0xfff;
	to->ldtr.attrib &= 0xfff;
	return NESTED_DONE;
}

static enum nested_result vmsave(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	struct guest_page *page = svm_vmcb_page(svm, svm->vcpu.gpr[RAX]);
	struct vmcb *to;

	if (unlikely(!page))
		return fault(svm, EXC_GP);
	if (unlikely(svm_skip(&svm->vcpu, exit)))
		return NESTED_DONE;
	guest_page_write_begin(svm_mmu(svm), page);
	to = page->va;
	svm_vmload_copy(&to->save, &svm->vmcb01->save);
	guest_page_write_end(svm_mmu(svm), page);
	return NESTED_DONE;
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
		return vmload(svm, exit);
	case SVM_EXIT_VMSAVE:
		return vmsave(svm, exit);
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
		if (!svm_skip(vcpu, exit))
			svm_gif_set(svm, exit->code == SVM_EXIT_STGI);
		if (!svm_gif(svm))
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
	if (!svm_gif(svm))
		mask |= INSTANT_GIF0;
	if (vcpu->guest_mode && vcpu->halted)
		mask |= INSTANT_HALTED;
	return mask;
}
