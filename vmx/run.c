// SPDX-License-Identifier: MIT
/* Entering the guest once, and decoding why it came back. Nothing is handled here. */
#include "lib/x86.h"
#include "mmu/pt_walk.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

#define DR7_GD BIT(13)

/* What each exit reason is to the run loop; those that are missing are wanted by L1 only. */
static const u8 exit_kinds[VMX_EXIT_NR] = {
	[0 ... VMX_EXIT_NR - 1] = EXIT_OTHER,
	[VMX_EXIT_EXCEPTION] = EXIT_EXCEPTION,
	[VMX_EXIT_INTERRUPT] = EXIT_HOST,
	[VMX_EXIT_TRIPLE_FAULT] = EXIT_SHUTDOWN,
	[VMX_EXIT_INIT] = EXIT_HOST,
	[VMX_EXIT_INTR_WINDOW] = EXIT_INTR_WINDOW,
	[VMX_EXIT_NMI_WINDOW] = EXIT_INTR_WINDOW,
	[VMX_EXIT_TPR] = EXIT_INTR_WINDOW,
	[VMX_EXIT_CPUID] = EXIT_CPUID,
	[VMX_EXIT_GETSEC] = EXIT_UNDEFINED,
	[VMX_EXIT_HLT] = EXIT_HLT,
	[VMX_EXIT_INVD] = EXIT_IGNORE,
	[VMX_EXIT_RDPMC] = EXIT_UNDEFINED,
	[VMX_EXIT_RSM] = EXIT_UNDEFINED,
	[VMX_EXIT_VMCALL] = EXIT_HYPERCALL,
	[VMX_EXIT_VMCLEAR] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMLAUNCH] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMPTRLD] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMPTRST] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMREAD] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMRESUME] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMWRITE] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMXOFF] = EXIT_VIRT_INSN,
	[VMX_EXIT_VMXON] = EXIT_VIRT_INSN,
	[VMX_EXIT_CR_ACCESS] = EXIT_VIRT_INSN,
	[VMX_EXIT_IO] = EXIT_IO,
	[VMX_EXIT_RDMSR] = EXIT_MSR,
	[VMX_EXIT_WRMSR] = EXIT_MSR,
	[VMX_EXIT_MWAIT] = EXIT_UNDEFINED,
	[VMX_EXIT_MONITOR] = EXIT_UNDEFINED,
	[VMX_EXIT_PAUSE] = EXIT_IGNORE,
	[VMX_EXIT_EPT_VIOLATION] = EXIT_FAULT,
	[VMX_EXIT_INVEPT] = EXIT_VIRT_INSN,
	[VMX_EXIT_TIMER] = EXIT_HOST,
	[VMX_EXIT_INVVPID] = EXIT_VIRT_INSN,
	[VMX_EXIT_WBINVD] = EXIT_IGNORE,
	[VMX_EXIT_XSETBV] = EXIT_XSETBV,
	[VMX_EXIT_VMFUNC] = EXIT_UNDEFINED,
	[VMX_EXIT_ENCLS] = EXIT_UNDEFINED,
};

/* The exits of instructions, which skip() is to move past; others have no length, 27.2.5. */
static bool has_length(enum exit_kind kind)
{
	switch (kind) {
	case EXIT_CPUID:
	case EXIT_HLT:
	case EXIT_IO:
	case EXIT_MSR:
	case EXIT_HYPERCALL:
	case EXIT_VIRT_INSN:
	case EXIT_XSETBV:
	case EXIT_IGNORE:
		return true;
	default:
		return false;
	}
}

static void decode_io(struct vm_exit *exit)
{
	u64 q = vmcs_read(VMCS_exit_qualification);

	exit->io.port = (u16)(q >> VMX_IO_PORT_SHIFT);
	exit->io.size = (u8)((q & VMX_IO_SIZE) + 1);
	exit->io.in = q & VMX_IO_IN;
	exit->io.string = q & VMX_IO_STRING;
	exit->io.rep = q & VMX_IO_REP;
}

/* 27.2.3: an IRET had ended the blocking of NMIs and then failed. */
static void restore_nmi_blocking(struct vmx_vcpu *vmx, bool unblocked)
{
	if (unblocked && vmx->vcpu.pending.type == EVENT_NONE)
		vmx->interruptibility |= VMX_BLOCK_NMI;
}

/* Table 27-7. The error is what AMD's #NPF would say. */
static void decode_fault(struct vmx_vcpu *vmx, struct vm_exit *exit)
{
	u64 q = vmcs_read(VMCS_exit_qualification);

	exit->fault.addr = vmcs_read(VMCS_guest_physical);
	exit->fault.error = (q & VMX_EPTV_GRANTED ? PFERR_P : 0) |
			    (q & VMX_EPTV_WRITE ? PFERR_W : 0) | (q & VMX_EPTV_FETCH ? PFERR_I : 0);
	if (q & VMX_EPTV_LINEAR)
		exit->fault.error |= q & VMX_EPTV_FINAL ? PFERR_FINAL : PFERR_TABLE;
	restore_nmi_blocking(vmx, q & VMX_EPTV_NMI_UNBLOCK);
}

/*
 * 27.1: an exception that exits has not changed DR6 and DR7; injecting it does not, either. ICEBP's
 * is a trap: RIP is after it when it is delivered.
 */
static void decode_debug(struct vmx_vcpu *vmx, u64 info)
{
	u64 q = vmcs_read(VMCS_exit_qualification);

	if ((info & VMX_EVENT_TYPE) == VMX_EVENT_ICEBP) {
		vmx_advance(vmx, vmcs_read(VMCS_exit_insn_len));
		return;
	}
	vmx_set_dr6(vmx, VMX_DEBUG_BREAKPOINTS,
		    q & (VMX_DEBUG_BREAKPOINTS | VMX_DEBUG_BD | VMX_DEBUG_BS));
	if (q & VMX_DEBUG_BD)
		vmcs_write(VMCS_guest_dr7, vmcs_read(VMCS_guest_dr7) & ~DR7_GD);
}

static void decode_exception(struct vmx_vcpu *vmx, struct vm_exit *exit)
{
	u64 info = vmcs_read(VMCS_exit_intr_info);
	u8 vector = info & VMX_EVENT_VECTOR;

	exit->exception.vector = vector;
	exit->exception.error = info & VMX_EVENT_ERROR ? (u32)vmcs_read(VMCS_exit_intr_error) : 0;
	if (vector != EXC_DF)
		restore_nmi_blocking(vmx, info & VMX_EVENT_NMI_UNBLOCK);
	/* The exit has taken these; their handlers are yet to be called. The latter does not
	 * return. */
	if ((info & VMX_EVENT_TYPE) == VMX_EVENT_NMI) {
		__asm__ volatile("int $2");
		exit->kind = EXIT_HOST;
	} else if (vector == EXC_MC) {
		__asm__ volatile("int $18");
		exit->kind = EXIT_HOST;
	} else if (vector == EXC_DB) {
		decode_debug(vmx, info);
	}
}

static void decode(struct vmx_vcpu *vmx, struct vm_exit *exit, u64 reason)
{
	exit->code = reason;
	exit->insn_len = 0;
	if (unlikely(reason >= VMX_EXIT_NR)) {
		exit->kind = reason & VMX_EXIT_FAILED ? EXIT_ENTRY_FAILED : EXIT_OTHER;
		return;
	}
	exit->kind = exit_kinds[reason];
	if (has_length(exit->kind))
		exit->insn_len = (u32)vmcs_read(VMCS_exit_insn_len);
	switch (exit->kind) {
	case EXIT_IO:
		decode_io(exit);
		break;
	case EXIT_MSR:
		exit->msr.index = (u32)vmx->vcpu.gpr[RCX];
		exit->msr.write = reason == VMX_EXIT_WRMSR;
		break;
	case EXIT_EXCEPTION:
		decode_exception(vmx, exit);
		break;
	case EXIT_FAULT:
		decode_fault(vmx, exit);
		break;
	case EXIT_XSETBV:
		/* Whether the exit or CPL comes first is the processor's to choose. */
		if (vmx_cpl()) {
			exit->kind = EXIT_EXCEPTION;
			exit->exception.vector = EXC_GP;
			exit->exception.error = 0;
		}
		break;
	case EXIT_INTR_WINDOW:
		if (reason == VMX_EXIT_TPR)
			vmcs_write(VMCS_tpr_threshold, 0);
		vmx->proc &= ~(u32)(VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW);
		break;
	default:
		break;
	}
}

/*
 * 26.3.1.5: with a shadow in force a single step must be pending if TF is set, and must not if it
 * is not. Both were in the guest's registers that L0 may have changed.
 */
static void fit_pending_debug(const struct vmx_vcpu *vmx)
{
	u64 pending = vmcs_read(VMCS_guest_pending_debug) & ~VMX_DEBUG_BS;

	if (vmx->vcpu.rflags & RFLAGS_TF)
		pending |= VMX_DEBUG_BS;
	vmcs_write(VMCS_guest_pending_debug, pending);
}

#define TO_VMCS(copy, value, field)                   \
	do {                                          \
		if ((copy) != (value)) {              \
			(copy) = (value);             \
			vmcs_write((field), (value)); \
		}                                     \
	} while (0)

static void registers_to_vmcs(const struct vmx_vcpu *vmx)
{
	struct vmx_vmcs *vmcs = vmx->vmcs;

	TO_VMCS(vmcs->rip, vmx->vcpu.rip, VMCS_guest_rip);
	TO_VMCS(vmcs->rsp, vmx->vcpu.gpr[RSP], VMCS_guest_rsp);
	TO_VMCS(vmcs->rflags, vmx->vcpu.rflags, VMCS_guest_rflags);
	TO_VMCS(vmcs->interruptibility, vmx->interruptibility, VMCS_guest_interruptibility);
	TO_VMCS(vmcs->proc, vmx->proc, VMCS_proc_controls);
	if (unlikely(vmx->interruptibility & VMX_BLOCK_SHADOW))
		fit_pending_debug(vmx);
}

static void registers_from_vmcs(struct vmx_vcpu *vmx)
{
	struct vmx_vmcs *vmcs = vmx->vmcs;

	vmx->vcpu.rip = vmcs->rip = vmcs_read(VMCS_guest_rip);
	vmx->vcpu.gpr[RSP] = vmcs->rsp = vmcs_read(VMCS_guest_rsp);
	vmx->vcpu.rflags = vmcs->rflags = vmcs_read(VMCS_guest_rflags);
	vmx->interruptibility = vmcs->interruptibility =
		(u32)vmcs_read(VMCS_guest_interruptibility);
}

/* An entry that VMfails: the number of the VM-instruction error, in the place of a reason. */
#define CODE_VMFAIL (VMX_EXIT_FAILED | BIT(32))

static u64 enter(struct vmx_vcpu *vmx)
{
	struct vmx_vmcs *vmcs = vmx->vmcs;
	bool entered = vmx_enter(vmx->vcpu.gpr, &vmcs->host_rsp, vmcs->launched);

	if (unlikely(!entered))
		return CODE_VMFAIL | vmcs_read(VMCS_insn_error);
	return vmcs_read(VMCS_exit_reason);
}

void vmx_run(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];
	u64 reason;
	u32 info;

	if (unlikely(cpu->owner != vmx))
		vmx_cpu_take(cpu, vmx);
	vmx_vmcs_use(vmx);
	if (vcpu->pending.type != EVENT_NONE)
		vmx_event_inject(vmx);
	vmx_vpid_enter(vmx, cpu);
	registers_to_vmcs(vmx);

	reason = enter(vmx);

	if (unlikely(reason & VMX_EXIT_FAILED)) {
		vmx_explain_failure(vmx, reason);
	} else {
		vmx->vmcs->launched = true;
		registers_from_vmcs(vmx);
		info = (u32)vmcs_read(VMCS_idt_vectoring_info);
		if (unlikely(info & VMX_EVENT_VALID))
			vmx_event_collect(vmx, info);
	}
	decode(vmx, exit, reason);
}
