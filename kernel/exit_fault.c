// SPDX-License-Identifier: MIT
/* Faults in the tables that map L1's and L2's memory: who is to mend them, and out of memory. */
#include "kernel/exits.h"
#include "kernel/log.h"
#include "kernel/reclaim.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"

/*
 * So often may one instruction of the guest run into this before the VM ends: it needs more tables
 * at once than there is memory for. A string instruction may need many, one after the other.
 */
#define RECLAIM_LIMIT 1000
/* Twice as many each time. */
#define RECLAIM_PAGES 8ull
/* So often may it run into a table that is shadowed anew each time. */
#define STUCK_LIMIT 1000

static const char *access_name(u64 error)
{
	if (error & PFERR_W)
		return "wrote to";
	return error & PFERR_I ? "executed" : "read";
}

/*
 * Memory for page tables is out: some are given back, more each time that it was not enough for the
 * guest's next instruction, and the guest tries again.
 */
static void out_of_memory(struct vcpu *vcpu)
{
	if (vcpu->reclaim_rip != vcpu->rip)
		vcpu->reclaims = 0;
	vcpu->reclaim_rip = vcpu->rip;
	if (++vcpu->reclaims > RECLAIM_LIMIT) {
		vm_end(vcpu->vm, -ENOMEM,
		       "no memory is left for its page tables: give it less (mem=)");
		return;
	}
	(void)reclaim_now(RECLAIM_PAGES << MIN(vcpu->reclaims, 16u));
}

/*
 * A store to a table of L1's that is shadowed. One that L0 cannot make is the guest's to try again,
 * with the shadow gone. That never ends where L2 stores through what is shadowed.
 */
static void write_table(struct vcpu *vcpu, const struct vm_exit *exit, gpa_t gpa)
{
	char code[CODE_TEXT_SIZE];

	if (!exit_emulate(vcpu, exit, gpa, code))
		return;
	mmu_track_end(&vcpu->vm->mmu, gpa);
	if (vcpu->stuck_rip != vcpu->rip || vcpu->stuck_gpa != gpa.v)
		vcpu->stuck = 0;
	vcpu->stuck_rip = vcpu->rip;
	vcpu->stuck_gpa = gpa.v;
	if (++vcpu->stuck > STUCK_LIMIT && vcpu->guest_mode)
		vm_end(vcpu->vm, -EIO,
		       "its L2 writes the nested tables that map that write (0x%llx), in a way "
		       "that "
		       "cannot be carried out: rip 0x%llx%s",
		       (unsigned long long)gpa.v, (unsigned long long)vcpu->rip, code);
}

/* There is nothing, or a ROM: what is read is all ones, what is written goes nowhere. */
static void access_outside(struct vcpu *vcpu, const struct vm_exit *exit)
{
	char code[CODE_TEXT_SIZE];

	if (exit_emulate(vcpu, exit, (gpa_t){exit->fault.addr}, code))
		vm_end(vcpu->vm, -EFAULT,
		       "it %s 0x%llx, outside of its %llu MiB of memory, at rip 0x%llx%s",
		       access_name(exit->fault.error), (unsigned long long)exit->fault.addr,
		       (unsigned long long)vcpu->vm->mem_bytes >> 20, (unsigned long long)vcpu->rip,
		       code);
}

/* What could not be mended at once: @result, at @gpa. */
static __rare void not_fixed(struct vcpu *vcpu, const struct vm_exit *exit, gpa_t gpa, int result)
{
	switch (result) {
	case FAULT_EMULATE:
		write_table(vcpu, exit, gpa);
		break;
	case -ENOMEM:
		out_of_memory(vcpu);
		break;
	default:
		access_outside(vcpu, exit);
	}
}

static void l2_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested_fault fault;
	int result = mmu_nested_fault(&vcpu->vm->mmu, &vcpu->nested, (ngpa_t){exit->fault.addr},
				      exit->fault.error, &fault);

	if (likely(result == FAULT_FIXED))
		return;
	if (result != FAULT_REFLECT)
		not_fixed(vcpu, exit, fault.gpa, result);
	else if (vendor->nested_reflect_fault(vcpu, exit, &fault) == NESTED_DEAD)
		vm_end(vcpu->vm, -EIO, "its nested state cannot go on");
}

/* In guest mode without a nested root L1 keeps L2's memory itself, in tables of its own. */
void exit_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
	gpa_t gpa = {exit->fault.addr};
	int result;

	if (vcpu->guest_mode && vcpu->nested.root) {
		l2_fault(vcpu, exit);
		return;
	}
	result = mmu_tdp_fault(&vcpu->vm->mmu, gpa, exit->fault.error);
	if (unlikely(result != FAULT_FIXED))
		not_fixed(vcpu, exit, gpa, result);
}
