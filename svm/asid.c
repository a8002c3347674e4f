// SPDX-License-Identifier: MIT
/*
 * ASIDs. Each CPU hands its numbers out in turn; when they run out it flushes everything and starts
 * a new generation, in which every number taken before is void. Where the processor cannot flush
 * one ASID, a number that was not used in this generation serves as well: nothing is cached for it.
 */
#include "svm/svm.h"

static void take_number(struct svm_asid *a, struct svm_cpu *cpu, struct vmcb_control *c)
{
	if (cpu->asid_next >= svm_host.asids) {
		cpu->asid_next = 1;
		cpu->asid_generation++;
		c->tlb_control = TLB_CONTROL_FLUSH_ALL;
	}
	a->number = cpu->asid_next++;
	a->generation = cpu->asid_generation;
	a->cpu = (u32)(cpu - svm_cpus);
}

/*
 * Called with interrupts off. A CPU that makes translations stale after this raises the
 * generation first and then interrupts this one, which ends the guest at once: APM 2 15.13.1.
 */
void svm_asid_enter(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	struct vmcb_control *c = &svm->vmcb->control;
	struct svm_asid *a = svm->asid;
	bool stale = tlb_tag_enter(svm_mmu(svm), &a->tag);

	c->tlb_control = TLB_CONTROL_NONE;
	if (a->generation != cpu->asid_generation || &svm_cpus[a->cpu] != cpu)
		take_number(a, cpu, c);
	else if (stale && svm_host.features & SVM_FEATURE_FLUSH_ASID)
		c->tlb_control = TLB_CONTROL_FLUSH_ASID;
	else if (stale)
		take_number(a, cpu, c);
	c->asid = a->number;
}

/* Every number taken is void then, and the next one to be taken flushes everything. */
void svm_asid_refused(struct svm_cpu *cpu)
{
	cpu->asid_next = svm_host.asids;
	cpu->asid_generation++;
}

static void forget(struct svm_l1_asid *e)
{
	e->asid.tag.must_flush = true;
	e->synced = false;
}

static struct svm_l1_asid *coldest(struct svm_vcpu *svm)
{
	struct svm_l1_asid *e = &svm->l1_asids[0];

	for (u32 i = 1; i < SVM_L1_ASIDS; i++) {
		if (svm->l1_asids[i].used < e->used)
			e = &svm->l1_asids[i];
	}
	return e;
}

struct svm_l1_asid *svm_l1_asid_get(struct svm_vcpu *svm, u32 number)
{
	struct svm_l1_asid *e = NULL;

	for (u32 i = 0; i < SVM_L1_ASIDS && !e; i++) {
		if (svm->l1_asids[i].number == number)
			e = &svm->l1_asids[i];
	}
	if (!e) {
		e = coldest(svm);
		forget(e);
		e->number = number;
	}
	e->used = ++svm->l1_asid_clock;
	return e;
}

void svm_l1_asid_flush(struct svm_vcpu *svm, u32 number)
{
	for (u32 i = 0; i < SVM_L1_ASIDS; i++) {
		if (svm->l1_asids[i].number == number)
			forget(&svm->l1_asids[i]);
	}
}

void svm_l1_asid_flush_all(struct svm_vcpu *svm)
{
	for (u32 i = 0; i < SVM_L1_ASIDS; i++)
		forget(&svm->l1_asids[i]);
	svm->asid01.tag.must_flush = true;
}
