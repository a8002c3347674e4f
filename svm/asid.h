/* SPDX-License-Identifier: MIT */
/* What each entry into the guest does about its ASID: nothing, nearly always. */
#pragma once

#include "svm/svm.h"

/*
 * Changes with each flush that is paid. While it is what it was, tlb_tag_enter() can only tell of
 * what was asked for through the tag itself.
 */
static inline u64 svm_flushes_paid(struct svm_vcpu *svm)
{
	const u64 *gen = svm_mmu(svm)->flush_gen;

	return __atomic_load_n(&gen[MMU_TREE_TDP], __ATOMIC_SEQ_CST) +
	       __atomic_load_n(&gen[MMU_TREE_NESTED], __ATOMIC_SEQ_CST);
}

/*
 * Before each entry: the current VMCB's ASID and TLB_CONTROL. Called with interrupts off. A CPU
 * that makes translations stale after this raises the generation first and then interrupts this
 * one, which ends the guest at once: APM 2 15.13.1.
 */
static inline void svm_asid_enter(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	struct svm_asid *a = svm->asid;
	struct vmcb_control *c = &svm->vmcb->control;
	u64 paid = svm_flushes_paid(svm);
	u8 flush = TLB_CONTROL_NONE;

	if (unlikely(a->paid != paid || a->tag.must_flush ||
		     a->generation != cpu->asid_generation || a->cpu != cpu))
		flush = svm_asid_renew(svm, cpu, paid);
	c->tlb_control = flush;
	c->asid = a->number;
}
