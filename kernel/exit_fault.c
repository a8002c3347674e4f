// SPDX-License-Identifier: MIT
/* Faults in the tables that map L1's and L2's memory: who is to mend them, and out of memory. */
#include "kernel/exits.h"
#include "kernel/log.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "mmu/split.h"

/*
 * So often may one instruction of the guest run into this before the VM ends: it needs more tables
 * at once than there is memory for. A string instruction may need many, one after the other.
 */
#define RECLAIM_LIMIT 1000

static const char *access_name(u64 error)
{
	if (error & PFERR_W)
		return "wrote to";
	return error & PFERR_I ? "executed" : "read";
}

/*
 * Gives page-table pages back: first what is kept for splitting, then every shadow page, as they
 * are made again on demand.
 */
static void reclaim(struct vcpu *vcpu)
{
	struct mmu *mmu = &vcpu->vm->mmu;
	struct flush_batch batch = FLUSH_BATCH_INIT;

	if (vcpu->reclaim_rip != vcpu->rip)
		vcpu->reclaims = 0;
	vcpu->reclaim_rip = vcpu->rip;
	if (++vcpu->reclaims > RECLAIM_LIMIT) {
		vm_end(vcpu->vm, -ENOMEM,
		       "no memory is left for its page tables: give it less (mem=)");
		return;
	}
	if (mutex_trylock(&mmu->slots_lock)) {
		split_caches_release(mmu);
		mutex_unlock(&mmu->slots_lock);
	}
	if (vcpu->reclaims == 1)
		return;
	rwlock_write_lock(&mmu->lock);
	shadow_zap_all(mmu, &batch);
	flush_pay(mmu, &batch);
	rwlock_write_unlock(&mmu->lock);
}

/* @result of a fault that is not for L1 to see. */
static void fault_outcome(struct vcpu *vcpu, const struct vm_exit *exit, int result)
{
	switch (result) {
	case FAULT_FIXED:
		break;
	case -ENOMEM:
		reclaim(vcpu);
		break;
	default:
		vm_end(vcpu->vm, -EFAULT,
		       "it %s 0x%llx, outside of its %llu MiB of memory, at rip 0x%llx",
		       access_name(exit->fault.error), (unsigned long long)exit->fault.addr,
		       (unsigned long long)vcpu->vm->mem_bytes >> 20,
		       (unsigned long long)vcpu->rip);
	}
}

/* In guest mode without a nested root L1 keeps L2's memory itself, in tables of its own. */
void exit_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct mmu *mmu = &vcpu->vm->mmu;
	struct nested_fault fault;
	int result;

	if (!vcpu->guest_mode || !vcpu->nested.root) {
		result = mmu_tdp_fault(mmu, (gpa_t){exit->fault.addr}, exit->fault.error);
		fault_outcome(vcpu, exit, result);
		return;
	}
	result = mmu_nested_fault(mmu, &vcpu->nested, (ngpa_t){exit->fault.addr}, exit->fault.error,
				  &fault);
	if (result != FAULT_REFLECT)
		fault_outcome(vcpu, exit, result);
	else if (vendor->nested_reflect_fault(vcpu, exit, &fault) == NESTED_DEAD)
		vm_end(vcpu->vm, -EIO, "its nested state cannot go on");
}
