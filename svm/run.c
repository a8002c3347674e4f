// SPDX-License-Identifier: MIT
/* Entering the guest once, and decoding why it came back. Nothing is handled here. */
#include "lib/x86.h"
#include "svm/asid.h"

/* What each exit code is to the run loop; codes that are missing are wanted by L1 only. */
static const u8 exit_kinds[256] = {
	[0 ... 255] = EXIT_OTHER,
	[SVM_EXIT_EXCP_BASE... SVM_EXIT_EXCP_BASE + 31] = EXIT_EXCEPTION,
	[SVM_EXIT_INTR] = EXIT_HOST,
	[SVM_EXIT_NMI] = EXIT_HOST,
	[SVM_EXIT_SMI] = EXIT_HOST,
	[SVM_EXIT_INIT] = EXIT_HOST,
	[SVM_EXIT_VINTR] = EXIT_INTR_WINDOW,
	[SVM_EXIT_RDPMC] = EXIT_UNDEFINED,
	[SVM_EXIT_CPUID] = EXIT_CPUID,
	[SVM_EXIT_INVD] = EXIT_IGNORE,
	[SVM_EXIT_PAUSE] = EXIT_IGNORE,
	[SVM_EXIT_HLT] = EXIT_HLT,
	[SVM_EXIT_INVLPGA] = EXIT_VIRT_INSN,
	[SVM_EXIT_IOIO] = EXIT_IO,
	[SVM_EXIT_MSR] = EXIT_MSR,
	[SVM_EXIT_SHUTDOWN] = EXIT_SHUTDOWN,
	[SVM_EXIT_VMRUN] = EXIT_VIRT_INSN,
	[SVM_EXIT_VMMCALL] = EXIT_HYPERCALL,
	[SVM_EXIT_VMLOAD] = EXIT_VIRT_INSN,
	[SVM_EXIT_VMSAVE] = EXIT_VIRT_INSN,
	[SVM_EXIT_STGI] = EXIT_VIRT_INSN,
	[SVM_EXIT_CLGI] = EXIT_VIRT_INSN,
	[SVM_EXIT_SKINIT] = EXIT_UNDEFINED,
	[SVM_EXIT_WBINVD] = EXIT_IGNORE,
	[SVM_EXIT_MONITOR] = EXIT_UNDEFINED,
	[SVM_EXIT_MWAIT] = EXIT_UNDEFINED,
	[SVM_EXIT_MWAIT_ARMED] = EXIT_UNDEFINED,
	[SVM_EXIT_XSETBV] = EXIT_XSETBV,
	[SVM_EXIT_RDPRU] = EXIT_UNDEFINED,
};

static void decode_io(const struct svm_vcpu *svm, struct vm_exit *exit)
{
	u64 info = svm->vmcb->control.exit_info_1;
	u64 len = svm->vmcb->control.exit_info_2 - svm->vcpu.rip;

	exit->io.port = (u16)(info >> SVM_IOIO_PORT_SHIFT);
	exit->io.size = info >> SVM_IOIO_SIZE_SHIFT & SVM_IOIO_SIZE_MASK;
	exit->io.in = info & SVM_IOIO_IN;
	exit->io.string = info & SVM_IOIO_STR;
	exit->io.rep = info & SVM_IOIO_REP;
	exit->insn_len = len <= 15 ? (u32)len : 0;
}

/* L2 halts, but L1's virtual interrupt for it ends that at once: there is nothing to wait for. */
static bool virtual_interrupt_wakes(const struct svm_vcpu *svm)
{
	u64 v = svm->vmcb->control.vintr;

	if (!svm->vcpu.guest_mode || svm->window || !(v & V_IRQ) || !(svm->vcpu.rflags & RFLAGS_IF))
		return false;
	return v & V_IGN_TPR || (v & V_INTR_PRIO_MASK) >> V_INTR_PRIO_SHIFT > (v & V_TPR_MASK);
}

/*
 * QEMU writes the code's low 32 bits only. It also gives VMEXIT_INVALID for a guest's write of
 * reserved bits to CR3 or CR4, which ought to be #GP.
 */
static void decode_invalid(struct svm_vcpu *svm, struct vm_exit *exit)
{
	svm_asid_refused(&svm_cpus[this_cpu()->id]);
	exit->code = SVM_EXIT_INVALID;
	exit->kind = EXIT_ENTRY_FAILED;
	if (!svm_at_mov_to_cr(svm))
		return;
	exit->code = SVM_EXIT_EXCP_BASE + EXC_GP;
	exit->kind = EXIT_EXCEPTION;
	exit->exception.vector = EXC_GP;
	exit->exception.error = 0;
}

static void decode(struct svm_vcpu *svm, struct vm_exit *exit)
{
	const struct vmcb_control *c = &svm->vmcb->control;
	u64 code = c->exit_code;

	exit->code = code;
	exit->insn_len = 0;
	if (code == SVM_EXIT_NPF) {
		exit->kind = EXIT_FAULT;
		exit->fault.addr = c->exit_info_2;
		exit->fault.error = c->exit_info_1;
		return;
	}
	if (code >= ARRAY_SIZE(exit_kinds)) {
		exit->kind = EXIT_OTHER;
		if ((u32)code == (u32)SVM_EXIT_INVALID)
			decode_invalid(svm, exit);
		return;
	}
	exit->kind = exit_kinds[code];
	switch (exit->kind) {
	case EXIT_IO:
		decode_io(svm, exit);
		break;
	case EXIT_MSR:
		exit->msr.index = (u32)svm->vcpu.gpr[RCX];
		exit->msr.write = c->exit_info_1 & SVM_MSR_EXIT_WRITE;
		break;
	case EXIT_EXCEPTION:
		exit->exception.vector = (u8)(code - SVM_EXIT_EXCP_BASE);
		exit->exception.error = (u32)c->exit_info_1;
		break;
	case EXIT_XSETBV:
		/* Whether the intercept or CPL comes first is the processor's to choose. */
		if (svm->vmcb->save.cpl) {
			exit->kind = EXIT_EXCEPTION;
			exit->exception.vector = EXC_GP;
			exit->exception.error = 0;
		}
		break;
	case EXIT_HLT:
		if (virtual_interrupt_wakes(svm))
			exit->kind = EXIT_IGNORE;
		break;
	case EXIT_INTR_WINDOW:
		if (!svm_virq_exit(svm))
			exit->kind = EXIT_OTHER;
		break;
	default:
		break;
	}
}

/*
 * QEMU's VMRUN does not load the interrupt shadow: a virtual interrupt, or L0's window, that waits
 * for its end would come at once, between STI and HLT, and HLT would sleep with its interrupt
 * behind it. So it waits for the next exit, which is HLT's, or the next tick's.
 */
static void enter(struct svm_vcpu *svm, const struct svm_cpu *cpu)
{
	struct vmcb_control *c = &svm->vmcb->control;
	u64 waits = 0;

	if (unlikely(c->int_state & SVM_INTERRUPT_SHADOW)) {
		waits = c->vintr & V_IRQ;
		c->vintr &= ~waits;
	}
	svm_enter(svm->vcpu.gpr, ptr_to_hpa(svm->vmcb), ptr_to_hpa(svm->vmcb01),
		  ptr_to_hpa(cpu->host));
	if (unlikely(waits))
		c->vintr |= waits;
}

void svm_run(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	if (unlikely(cpu->owner != svm))
		svm_cpu_take(cpu, svm);
	svm->injected = 0;
	if (vcpu->guest_mode && svm->vmcb->control.vintr & V_IRQ)
		svm_virq_enter(svm);
	if (vcpu->pending.type != EVENT_NONE)
		svm_event_inject(svm);
	/* A fault, or another task, may have put another root in place of one that was zapped. */
	if (vcpu->guest_mode && vcpu->nested.root)
		svm->vmcb->control.ncr3 = nested_mmu_root(&vcpu->nested).v;
	svm_asid_enter(svm, cpu);
	svm_registers_to_vmcb(svm);

	enter(svm, cpu);

	svm_registers_from_vmcb(svm);
	svm->vmcb->control.event_inj = 0;
	svm->nested.run_pending = 0;
	if (unlikely(svm->vmcb->control.exit_int_info & SVM_EVENT_VALID))
		svm_event_collect(svm);
	decode(svm, exit);
}
