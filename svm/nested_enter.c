// SPDX-License-Identifier: MIT
/*
 * VMRUN by L1. Everything that can go wrong is found first, on a private copy of vmcb12 that L1
 * cannot change any more; what follows cannot fail.
 */
#include "kernel/trace.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/nested_copy.h"
#include "svm/svm.h"

/*
 * L1's own registers say how its nested tables are read, and what is right in a VMCB. While they
 * are the same, what was found under them holds.
 */
static void keep_under(struct svm_kept *kept, const struct vmcb_save *l1)
{
	if (likely(!((kept->cr0 ^ l1->cr0) | (kept->cr4 ^ l1->cr4) | (kept->efer ^ l1->efer))))
		return;
	*kept = (struct svm_kept){.cr0 = l1->cr0, .cr4 = l1->cr4, .efer = l1->efer};
}

/* The checks, on the private copy. NULL, or what is wrong. */
static __rare const char *check(const struct svm_vcpu *svm)
{
	const struct vmcb_save *l1 = &svm->vmcb01->save;
	const char *why = svm_check_vmcb(&svm->nested.ctl, &svm->vmcb02->save, &svm_host.limits,
					 l1->cr0 & CR0_PG);

	if (!why && l1->cr4 & ~svm_host.limits.cr4_allowed)
		why = "L1's CR4 has bits that are not offered";
	return why;
}

/*
 * A private copy of all that VMRUN reads, at once where it will be used: nothing looks at either
 * place outside of guest mode. A part that is the same as the last time is not copied, and what is
 * known of its copy is known of it. NULL, or what is wrong with it.
 */
static const char *copy_vmcb12(struct svm_vcpu *svm, const struct vmcb *from)
{
	struct vmcb_control *ctl = &svm->nested.ctl;
	struct vmcb_save *save = &svm->vmcb02->save;
	struct svm_kept *kept = &svm->kept;

	keep_under(kept, &svm->vmcb01->save);
	if (!kept->control || svm_control_differs(ctl, &from->control)) {
		kept->control = false;
		svm_control_copy(ctl, &from->control);
	}
	if (!kept->save || svm_save_differs(save, &from->save)) {
		kept->save = false;
		svm_save_copy(save, &from->save);
	}
	svm_control_copy_events(ctl, &from->control);
	svm_save_copy_flow(save, &from->save);
	if (likely(kept->control && kept->save))
		return svm_check_event(ctl->event_inj);
	return check(svm);
}

/* The #VMEXIT of a VMRUN that was refused: L1 goes on after it, GIF is clear. */
static __rare enum nested_result vmrun_invalid(struct svm_vcpu *svm, u64 gpa, const char *why)
{
	u64 fields[] = {SVM_EXIT_INVALID, 0, 0, 0}; /* code, info 1 and 2, EXITINTINFO */

	trace(nested_check, gpa, (u64)why, 0, 0);
	svm_gif_set(svm, false);
	if (!guest_write(svm_mmu(svm), (gpa_t){gpa + offsetof(struct vmcb_control, exit_code)},
			 fields, sizeof(fields)))
		return NESTED_DONE;
	vm_end(svm->vcpu.vm, -EFAULT, "VMRUN: the VMCB at 0x%lx cannot be written", gpa);
	return NESTED_DEAD;
}

/* Is there a root already, of tables that are read in this way? */
static bool same_mode(const struct nested_mmu *n, const struct pt_mode *mode)
{
	return n->root && n->mode.fmt == mode->fmt && n->mode.nx == mode->nx &&
	       n->mode.pse == mode->pse;
}

static int load_nested_root(struct svm_vcpu *svm, bool sync)
{
	struct pt_mode mode = svm_nested_mode(&svm->vmcb01->save);
	u64 low = mode.fmt->id == PT_FMT_PAE ? 0x1f : PAGE_SIZE - 1;
	u64 root = svm->nested.ctl.ncr3 & ~low;
	struct nested_mmu *n = &svm->vcpu.nested;

	if (!same_mode(n, &mode))
		svm_code_forget_l2(svm);
	else if (!sync && !n->root->role.invalid && n->root_gpa.v == root)
		return 0;
	return nested_mmu_load(svm_mmu(svm), n, &mode, (gpa_t){root}, sync);
}

static void unload_nested_root(struct svm_vcpu *svm)
{
	svm_code_forget_l2(svm);
	nested_mmu_unload(svm_mmu(svm), &svm->vcpu.nested);
}

/*
 * APM 2 15.16.1: what L1 may rely on after VMRUN is that translations of an ASID that is new or
 * flushed are made anew. That, and another nCR3, is when the shadow is compared with its tables.
 */
int svm_nested_load_root(struct svm_vcpu *svm, bool sync)
{
	const struct vmcb_control *c = &svm->nested.ctl;
	bool np = c->nested_ctl & SVM_NP_ENABLE;
	struct svm_l1_asid *a = svm_l1_asid_get(svm, c->asid);
	struct vcpu *vcpu = &svm->vcpu;
	int err = 0;

	if (a->np != np || (np && a->ncr3 != c->ncr3)) {
		a->asid.tag.must_flush = true;
		a->synced = false;
	}
	if (np)
		err = load_nested_root(svm, sync || !a->synced);
	else if (vcpu->nested.root)
		unload_nested_root(svm);
	if (err)
		return err;
	a->synced = true;
	a->np = np;
	a->ncr3 = c->ncr3;
	a->asid.tag.kind = np ? TAG_NESTED : TAG_TDP;
	svm_use_vmcb02(svm, &a->asid);
	return 0;
}

/* What L0 intercepts in L1 it intercepts in L2; what changes from run to run is left out. */
static void merge_lasting(struct svm_vcpu *svm)
{
	const struct vmcb_control *c01 = &svm->vmcb01->control;
	const struct vmcb_control *c12 = &svm->nested.ctl;
	struct vmcb_control *c = &svm->vmcb02->control;
	bool np = c12->nested_ctl & SVM_NP_ENABLE;

	for (u32 i = 0; i < ARRAY_SIZE(c->intercepts); i++)
		c->intercepts[i] = svm_intercepts[i] | c12->intercepts[i];
	/* L2 has no hypercalls to L0: what L1 does not want raises #UD in L2. */
	if (!vmcb_intercept_test(c12, INTERCEPT_VMMCALL))
		vmcb_intercept_clear(c, INTERCEPT_VMMCALL);
	/* Every port and MSR comes to L0; L1's maps are read then (nested_exit.c). */
	c->iopm_base = c->msrpm_base = ptr_to_hpa(svm_map_all).v;
	c->tsc_offset = c01->tsc_offset + c12->tsc_offset;
	c->nested_ctl = SVM_NP_ENABLE;
	/* L1 that shadows L2's tables itself: what it calls physical is its own. */
	c->ncr3 = np ? nested_mmu_root(&svm->vcpu.nested).v : c01->ncr3;
}

static void merge_events(struct svm_vcpu *svm)
{
	const struct vmcb_control *c12 = &svm->nested.ctl;
	struct vmcb_control *c = &svm->vmcb02->control;

	c->vintr = (c12->vintr & SVM_VINTR_OF_L1) | V_INTR_MASKING;
	/* APM 2 15.21.2: without V_INTR_MASKING L2's CR8 is L1's. */
	if (!(c12->vintr & V_INTR_MASKING))
		c->vintr = (c->vintr & ~V_TPR_MASK) | (svm->vmcb01->control.vintr & V_TPR_MASK);
	svm_virq_intercept(svm);
	c->int_state = c12->int_state & SVM_INTERRUPT_SHADOW;
	c->exit_int_info = 0;
}

void svm_nested_merge_control(struct svm_vcpu *svm)
{
	merge_lasting(svm);
	merge_events(svm);
}

/* Brings vmcb02 from what it was after the last VMRUN to what the copies say. */
static void put_in_place(struct svm_vcpu *svm)
{
	struct vmcb_save *save = &svm->vmcb02->save;

	if (!svm->kept.control)
		merge_lasting(svm);
	merge_events(svm);
	if (svm->kept.save)
		svm_normalise_flow(save);
	else
		svm_normalise_registers(save);
	svm->kept.control = svm->kept.save = true;
	/* Without nested paging there is one PAT, the machine's. */
	if (unlikely(!svm_l2_is_nested(svm)))
		save->g_pat = svm->vmcb01->save.g_pat;
}

/* Cannot fail: the root is loaded and vmcb12's copy was checked. */
static void commit(struct svm_vcpu *svm, u64 gpa)
{
	struct vcpu *vcpu = &svm->vcpu;
	u64 event = svm->nested.ctl.event_inj;

	svm->nested.vmcb12 = gpa;
	svm->nested.gif = 1;
	svm->nested.run_pending = 1;
	put_in_place(svm);
	svm_registers_from_vmcb(svm);
	if (event & SVM_EVENT_VALID)
		svm_event_decode(&vcpu->pending, event);
	vcpu->stats.nested_runs++;
	trace(nested_run, gpa, svm->nested.ctl.asid, svm->nested.ctl.ncr3, vcpu->rip);
}

static void flush_as_asked(struct svm_vcpu *svm)
{
	const struct vmcb_control *c = &svm->nested.ctl;

	if (c->tlb_control == TLB_CONTROL_FLUSH_ALL)
		svm_l1_asid_flush_all(svm);
	else if (c->tlb_control)
		svm_l1_asid_flush(svm, c->asid);
}

/*
 * The usual VMRUN: the same tables with nothing to bring up to date. A root that is zapped after
 * this look is noticed by the next fault under it, which makes another.
 */
static bool root_serves(const struct svm_vcpu *svm, const struct svm_l1_asid *a)
{
	const struct vmcb_control *c = &svm->nested.ctl;
	const struct shadow_page *root = svm->vcpu.nested.root;

	if (!svm->kept.control || a->number != c->asid || !a->synced)
		return false;
	return c->nested_ctl & SVM_NP_ENABLE ? root && !root->role.invalid : !root;
}

static int load_root(struct svm_vcpu *svm)
{
	struct svm_l1_asid *a = svm_l1_asid_at(svm, svm->nested.ctl.asid);

	if (unlikely(!root_serves(svm, a)))
		return svm_nested_load_root(svm, false);
	svm_use_vmcb02(svm, &a->asid);
	return 0;
}

static __rare enum nested_result no_memory(struct svm_vcpu *svm)
{
	vm_end(svm->vcpu.vm, -ENOMEM, "VMRUN: out of memory for the nested tables");
	return NESTED_DEAD;
}

enum nested_result svm_vmrun(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	struct vcpu *vcpu = &svm->vcpu;
	u64 gpa = vcpu->gpr[RAX];
	const struct guest_page *page = svm_vmcb_page(svm, gpa);
	const char *why;

	if (unlikely(!page)) {
		svm_queue_exception(svm, EXC_GP, true, 0);
		return NESTED_DONE;
	}
	if (unlikely(svm_skip(vcpu, exit)))
		return NESTED_DONE;
	why = copy_vmcb12(svm, page->va);
	if (unlikely(why))
		return vmrun_invalid(svm, gpa, why);

	vcpu->pending.type = EVENT_NONE; /* L1's single-step trap does not reach L2 */
	svm_window_close(svm);
	svm_registers_to_vmcb(svm);
	flush_as_asked(svm);
	if (unlikely(load_root(svm)))
		return no_memory(svm);
	commit(svm, gpa);
	return NESTED_DONE;
}
