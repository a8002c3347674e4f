// SPDX-License-Identifier: MIT
/*
 * The run loop: before each entry what others want of this vCPU (a pause, an interrupt, the
 * processor), then the guest, then its exit.
 */
#include "kernel/cpu.h"
#include "kernel/exits.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"

/* A throttled vCPU runs so long between two rests. */
#define THROTTLE_SLICE_NS (5 * NSEC_PER_MSEC)
/* With audit=on the tables are audited each time a vCPU has made so many exits. */
#define AUDIT_EVERY 2048

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->irq_pending, 1, __ATOMIC_RELEASE);
	wait_wake(&vcpu->vm->vcpu_wait);
}

static bool irq_pending(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->irq_pending, __ATOMIC_ACQUIRE);
}

/* --- pausing --- */

static bool park_wanted(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	u32 where;

	if (!__atomic_load_n(&vm->pause_wanted, __ATOMIC_ACQUIRE))
		return false;
	where = READ_ONCE(vm->pause_instants);
	return !where || (vendor->instants(vcpu) & where);
}

/*
 * Parks when the pause that is wanted allows it here. The number is read before what it asks for:
 * whoever resumes and pauses again at once, with other wishes, sees that this was for the old one.
 */
static bool park(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	u32 gen = __atomic_load_n(&vm->pause_gen, __ATOMIC_ACQUIRE);

	if (!park_wanted(vcpu))
		return false;
	vcpu->parked = true;
	__atomic_store_n(&vcpu->parked_gen, gen, __ATOMIC_RELEASE);
	wait_wake(&vm->watch);
	wait_event(&vm->vcpu_wait, !READ_ONCE(vm->pause_wanted) ||
					   READ_ONCE(vm->pause_gen) != gen || vm_has_ended(vm));
	vcpu->parked = false;
	return true;
}

/*
 * QEMU's way: of a period, @throttle percent is rest. Broken off by a pause or the end.
 */
static void throttle(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	u64 percent = MIN(READ_ONCE(vm->throttle), 99u);
	u64 ran = time_ns() - vcpu->throttle_since;

	if (ran < THROTTLE_SLICE_NS)
		return;
	/* A long absence (parked, or another task had the processor) is not what it ran. */
	ran = MIN(ran, 2 * THROTTLE_SLICE_NS);
	wait_event_timeout(&vm->vcpu_wait, READ_ONCE(vm->pause_wanted) || vm_has_ended(vm),
			   ran * percent / (100 - percent));
	vcpu->throttle_since = time_ns();
}

/* --- interrupts --- */

enum delivery { NOTHING_WAITS, HELD_BACK, DELIVERED };

/* A waiting interrupt goes into the running level, or makes an exit to L1. */
static enum delivery deliver_interrupt(struct vcpu *vcpu)
{
	bool left;
	u8 vector;

	/* Before the look: who raises one after it sets the flag again. */
	__atomic_store_n(&vcpu->irq_pending, 0, __ATOMIC_SEQ_CST);
	if (!platform_interrupt(vcpu))
		return NOTHING_WAITS;
	/*
	 * L1 that intercepts interrupts gets an exit, and then the interrupt itself when it
	 * lets it in.
	 */
	left = vcpu->guest_mode && vendor->nested_intr(vcpu);
	if (!vendor->intr_allowed(vcpu)) {
		vendor->intr_window(vcpu);
		__atomic_store_n(&vcpu->irq_pending, 1, __ATOMIC_RELEASE);
		return left ? DELIVERED : HELD_BACK;
	}
	vector = platform_acknowledge(vcpu);
	trace(interrupt, vector, vcpu->guest_mode, vcpu->rip, 0);
	vcpu->pending = (struct vcpu_event){.type = EVENT_INTR, .vector = vector};
	/* There may be more. */
	__atomic_store_n(&vcpu->irq_pending, 1, __ATOMIC_RELEASE);
	return DELIVERED;
}

/* L1's CR8 holds interrupts back, which it changes without an exit. */
static void watch_cr8(struct vcpu *vcpu)
{
	u8 priority = platform_held_priority(vcpu);

	if (vcpu->guest_mode || priority == vcpu->cr8_window)
		return;
	vendor->cr8_window(vcpu, priority);
	vcpu->cr8_window = priority;
}

static void halted_for_good(struct vcpu *vcpu)
{
	vm_end(vcpu->vm, -EIO, "%s halted for good at rip 0x%llx: no interrupt will come",
	       vcpu->guest_mode ? "its L2" : "it", (unsigned long long)vcpu->rip);
}

/* A vCPU after HLT: sleeps until something happens that may concern it. */
static void halted(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	u64 now;

	if (irq_pending(vcpu)) {
		switch (deliver_interrupt(vcpu)) {
		case DELIVERED:
			vcpu->halted = false;
			return;
		case HELD_BACK:
			halted_for_good(vcpu);
			return;
		case NOTHING_WAITS:
			break;
		}
	}
	if (vm->next_event == PLATFORM_NEVER && vm->nr_vcpus == 1) {
		halted_for_good(vcpu);
		return;
	}
	now = time_ns();
	if (vm->next_event > now)
		wait_event_timeout(&vm->vcpu_wait,
				   irq_pending(vcpu) || park_wanted(vcpu) || vm_has_ended(vm),
				   vm->next_event - now);
}

/* --- running --- */

/* What others want of the VM's vCPUs. False: do not enter, look again. */
static __rare bool attend_to_vm(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (vm_has_ended(vm))
		return false;
	if (READ_ONCE(vm->throttle))
		throttle(vcpu);
	return !READ_ONCE(vm->pause_wanted) || !park(vcpu);
}

/* What waits for this vCPU itself. */
static __rare bool attend_to_vcpu(struct vcpu *vcpu)
{
	if (vcpu->halted) {
		halted(vcpu);
		return false;
	}
	if (irq_pending(vcpu) && deliver_interrupt(vcpu) == NOTHING_WAITS)
		watch_cr8(vcpu);
	return true;
}

static bool may_enter(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (unlikely(need_resched()))
		task_yield();
	if (vm->next_event != PLATFORM_NEVER && time_ns() >= vm->next_event)
		vm->next_event = platform_tick(vm);
	if (unlikely(READ_ONCE(vm->attention)) && !attend_to_vm(vcpu))
		return false;
	return likely(!READ_ONCE(vcpu->attention)) || attend_to_vcpu(vcpu);
}

void vcpu_task(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	struct vm_exit exit;

	vcpu->parked = false;
	for (;;) {
		/*
		 * Not only after EXIT_HOST: a guest that exits all the time, or an emulator that
		 * holds interrupts back while the guest has its own switched off, must not stop the
		 * tick.
		 */
		interrupts_poll();
		if (unlikely(!may_enter(vcpu))) {
			if (vm_has_ended(vm))
				break;
			continue;
		}
		vendor->run(vcpu, &exit);
		exit_handle(vcpu, &exit);
		if (unlikely(params.audit) && vcpu->stats.exits % AUDIT_EVERY == 0)
			vm_audit(vm, "between exits");
	}
	vcpu->parked = true;
}
