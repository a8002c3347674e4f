// SPDX-License-Identifier: MIT
/*
 * Dispatch of exits, and the handlers that are only a few lines. The ones that happen all the
 * time (CPUID, VMMCALL, I/O to a port where nobody is) run straight through: no lock, no message.
 */
#include "kernel/exits.h"
#include "kernel/cpu.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"

/* RAX of a hypercall that there is not: Linux's -ENOSYS as KVM and Hyper-V guests know it. */
#define HYPERCALL_ENOSYS ((u64)-1000)

static const char *const kind_names[EXIT_KIND_NR] = {
	[EXIT_HOST] = "host_interrupt",
	[EXIT_CPUID] = "cpuid",
	[EXIT_HLT] = "halt",
	[EXIT_IO] = "io",
	[EXIT_MSR] = "msr",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_FAULT] = "page_fault",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_VIRT_INSN] = "virtualization",
	[EXIT_INTR_WINDOW] = "irq_window",
	[EXIT_SHUTDOWN] = "shutdown",
	[EXIT_ENTRY_FAILED] = "entry_failed",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_UNDEFINED] = "undefined",
	[EXIT_IGNORE] = "ignored",
	[EXIT_OTHER] = "other",
};

const char *exit_kind_name(enum exit_kind kind)
{
	return kind < EXIT_KIND_NR ? kind_names[kind] : "?";
}

static const char *level_name(const struct vcpu *vcpu)
{
	return vcpu->guest_mode ? "its L2" : "it";
}

/* SDM 3A 6.15, "Interrupt 8": which class an exception is of. */
static bool contributory(u8 vector)
{
	return BIT(vector) & (BIT(EXC_DE) | BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) | BIT(EXC_GP));
}

static void nested_outcome(struct vcpu *vcpu, enum nested_result result)
{
	if (result == NESTED_DEAD)
		vm_end(vcpu->vm, -EIO, "its nested state cannot go on");
}

/* A triple fault that L0 finds, as it intercepts #DB and #AC. L2's is L1's if L1 wants to know. */
static void triple_fault(struct vcpu *vcpu, u8 vector)
{
	const struct vm_exit exit = {.kind = EXIT_SHUTDOWN, .code = vendor->shutdown_code};

	vcpu->pending.type = EVENT_NONE;
	if (vcpu->guest_mode && vendor->nested_owns(vcpu, &exit))
		nested_outcome(vcpu, vendor->nested_reflect(vcpu, &exit));
	else
		vm_end(vcpu->vm, -EIO,
		       "%s shut down: exception %u while a double fault was delivered",
		       level_name(vcpu), vector);
}

void vcpu_inject_exception(struct vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	const struct vcpu_event *first = &vcpu->pending;

	if (first->type == EVENT_EXCEPTION) {
		if (first->vector == EXC_DF) {
			triple_fault(vcpu, vector);
			return;
		}
		if ((contributory(first->vector) && contributory(vector)) ||
		    (first->vector == EXC_PF && (contributory(vector) || vector == EXC_PF))) {
			vector = EXC_DF;
			has_error = true;
			error = 0;
		}
	}
	/*
	 * An interrupt whose delivery faults is lost: the interrupt controller has seen it
	 * accepted. INT n runs again, as RIP is still there.
	 */
	vcpu->pending = (struct vcpu_event){.type = EVENT_EXCEPTION,
					    .vector = vector,
					    .has_error = has_error,
					    .error = has_error ? error : 0};
}

/*
 * The instruction is done. False when it cannot be skipped: its fetch faulted, and that is queued,
 * or it is to be executed again.
 */
static bool done(struct vcpu *vcpu, const struct vm_exit *exit)
{
	return !vendor->skip(vcpu, exit);
}

/* An instruction that does nothing here. */
static void exit_ignore(struct vcpu *vcpu, const struct vm_exit *exit)
{
	done(vcpu, exit);
}

/* The run loop takes interrupts between all exits. */
static void exit_host(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
}

static void exit_cpuid(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u32 r[4];

	/* First of all, as one that is executed once more needs its EAX and ECX as they were. */
	if (!done(vcpu, exit))
		return;
	cpuid_read(vcpu, (u32)vcpu->gpr[RAX], (u32)vcpu->gpr[RCX], r);
	vcpu->gpr[RAX] = r[0];
	vcpu->gpr[RBX] = r[1];
	vcpu->gpr[RCX] = r[2];
	vcpu->gpr[RDX] = r[3];
}

/* With an exception queued there is no halt: it is the fetch's fault, or TF's trap. */
static void exit_hlt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (vendor->skip(vcpu, exit) || vcpu->pending.type != EVENT_NONE)
		return;
	vcpu->halted = true;
	/* L2 may halt with IF clear: an interrupt that L1 intercepts ends that. */
	if (!vcpu->guest_mode && !(vcpu->rflags & RFLAGS_IF))
		vm_end(vcpu->vm, -EIO, "it halted for good: HLT with interrupts off at rip 0x%llx",
		       (unsigned long long)vcpu->rip);
}

static void exit_msr(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 val = (u32)vcpu->gpr[RAX] | vcpu->gpr[RDX] << 32;
	int err;

	if (exit->msr.write)
		err = msr_write(vcpu, exit->msr.index, val);
	else
		err = msr_read(vcpu, exit->msr.index, &val);
	if (err) {
		vcpu_inject_exception(vcpu, EXC_GP, true, 0);
		return;
	}
	if (!exit->msr.write) {
		vcpu->gpr[RAX] = (u32)val;
		vcpu->gpr[RDX] = val >> 32;
	}
	done(vcpu, exit);
}

/* Cleave offers no hypercalls. */
static void exit_hypercall(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vcpu->gpr[RAX] = HYPERCALL_ENOSYS;
	done(vcpu, exit);
}

/* One that L0 intercepts for its own reasons, and finds to be the guest's. */
static void exit_exception(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u8 vector = exit->exception.vector;

	vcpu_inject_exception(vcpu, vector, vector < 64 && (BIT(vector) & EXC_WITH_ERROR_CODE),
			      exit->exception.error);
}

static void exit_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit)
{
	nested_outcome(vcpu, vendor->virt_insn(vcpu, exit));
}

/* The run loop delivers what waits. */
static void exit_intr_window(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	vcpu->cr8_window = 0;
	vcpu_kick(vcpu);
}

static void exit_shutdown(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	vm_end(vcpu->vm, -EIO, "%s shut down: triple fault near rip 0x%llx", level_name(vcpu),
	       (unsigned long long)vcpu->rip);
}

static void exit_entry_failed(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vm_end(vcpu->vm, -EINVAL, "the processor refused %s state (0x%llx) at rip 0x%llx",
	       vcpu->guest_mode ? "its L2's" : "its", (unsigned long long)exit->code,
	       (unsigned long long)vcpu->rip);
}

/*
 * SDM 2 XSETBV. XCR0 stays in the register while this vCPU has the physical CPU; L0 uses no state
 * that it governs.
 */
static void exit_xsetbv(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 val = (u32)vcpu->gpr[RAX] | vcpu->gpr[RDX] << 32;

	if ((u32)vcpu->gpr[RCX] != 0 || !(val & XCR0_X87) || (val & ~cpuid_xcr0_mask()) ||
	    ((val & XCR0_AVX) && !(val & XCR0_SSE))) {
		vcpu_inject_exception(vcpu, EXC_GP, true, 0);
		return;
	}
	xsetbv(0, val);
	done(vcpu, exit);
}

static void exit_undefined(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	vcpu_inject_exception(vcpu, EXC_UD, false, 0);
}

static void exit_other(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vm_end(vcpu->vm, -EIO, "%s caused exit 0x%llx, which nobody asked for", level_name(vcpu),
	       (unsigned long long)exit->code);
}

static void (*const handlers[EXIT_KIND_NR])(struct vcpu *vcpu, const struct vm_exit *exit) = {
	[EXIT_HOST] = exit_host,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_HLT] = exit_hlt,
	[EXIT_IO] = exit_io,
	[EXIT_MSR] = exit_msr,
	[EXIT_HYPERCALL] = exit_hypercall,
	[EXIT_FAULT] = exit_fault,
	[EXIT_EXCEPTION] = exit_exception,
	[EXIT_VIRT_INSN] = exit_virt_insn,
	[EXIT_INTR_WINDOW] = exit_intr_window,
	[EXIT_SHUTDOWN] = exit_shutdown,
	[EXIT_ENTRY_FAILED] = exit_entry_failed,
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_UNDEFINED] = exit_undefined,
	[EXIT_IGNORE] = exit_ignore,
	[EXIT_OTHER] = exit_other,
};

/*
 * What is L0's own business whatever L1 intercepts: its interrupts, and faults, whose owner only a
 * walk of L1's tables tells.
 */
static void exit_of_l2(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vcpu->stats.nested_exits++;
	if (exit->kind != EXIT_HOST && exit->kind != EXIT_FAULT && vendor->nested_owns(vcpu, exit))
		nested_outcome(vcpu, vendor->nested_reflect(vcpu, exit));
	else
		handlers[exit->kind](vcpu, exit);
}

static __rare void trace_exit(const struct vcpu *vcpu, const struct vm_exit *exit)
{
	trace(exit, exit->kind, exit->code, vcpu->rip, vcpu->guest_mode);
}

void exit_handle(struct vcpu *vcpu, const struct vm_exit *exit)
{
	vcpu->stats.exits++;
	vcpu->stats.exits_by_kind[exit->kind]++;
	if (trace_enabled(TRACE_exit))
		trace_exit(vcpu, exit);
	if (vcpu->guest_mode)
		exit_of_l2(vcpu, exit);
	else
		handlers[exit->kind](vcpu, exit);
}
