// SPDX-License-Identifier: MIT
/*
 * ASIDs. Each CPU hands its numbers out in turn; when they run out it flushes everything and starts
 * a new generation, in which every number taken before is void. Where the processor cannot flush
 * one ASID, a number that was not used in this generation serves as well: nothing is cached for it.
 */
#include "svm/asid.h"

/* Returns the TLB_CONTROL that it is to be used with. */
static u8 take_number(struct svm_asid *a, struct svm_cpu *cpu)
{
	u8 flush = TLB_CONTROL_NONE;

	if (cpu->asid_next >= svm_host.asids) {
		cpu->asid_next = 1;
		cpu->asid_generation++;
		flush = TLB_CONTROL_FLUSH_ALL;
	}
	a->number = cpu->asid_next++;
	a->generation = cpu->asid_generation;
	a->cpu = cpu;
	return flush;
}

u8 svm_asid_renew(struct svm_vcpu *svm, struct svm_cpu *cpu, u64 paid)
{
	struct svm_asid *a = svm->asid;
	bool stale = tlb_tag_enter(svm_mmu(svm), &a->tag);

	a->paid = paid;
	if (a->generation != cpu->asid_generation || a->cpu != cpu)
		return take_number(a, cpu);
	if (!stale)
		return TLB_CONTROL_NONE;
	if (svm_host.features & SVM_FEATURE_FLUSH_ASID)
		return TLB_CONTROL_FLUSH_ASID;
	return take_number(a, cpu);
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

/* L1's numbers that have an entry in common keep flushing it, which is all that they lose. */
struct svm_l1_asid *svm_l1_asid_get(struct svm_vcpu *svm, u32 number)
{
	struct svm_l1_asid *e = svm_l1_asid_at(svm, number);

	if (unlikely(e->number != number)) {
		forget(e);
		e->number = number;
	}
	return e;
}

void svm_l1_asid_flush(struct svm_vcpu *svm, u32 number)
{
	struct svm_l1_asid *e = svm_l1_asid_at(svm, number);

	if (e->number == number)
		forget(e);
}

void svm_l1_asid_flush_all(struct svm_vcpu *svm)
{
	for (u32 i = 0; i < SVM_L1_ASIDS; i++)
		forget(&svm->l1_asids[i]);
	svm->asid01.tag.must_flush = true;
}
