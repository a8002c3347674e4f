// SPDX-License-Identifier: MIT
/*
 * Registers that VM entry does not switch and L0 does not use: FPU, XCR0, CR2, DR0 to DR3, DR6,
 * TSC_AUX and the MSRs of SYSCALL and SWAPGS. A guest's stay where they are until another vCPU
 * takes the CPU.
 */
#include "kernel/cpu.h"
#include "vmx/vmx.h"

static struct vmx_cpu *this_vmx_cpu(void)
{
	return &vmx_cpus[this_cpu()->id];
}

void vmx_cpu_save(struct vmx_vcpu *vmx)
{
	struct vmx_regs *r = &vmx->regs;

	if (this_vmx_cpu()->owner != vmx)
		return;
	fpu_save(vmx->vcpu.fpu, &r->xcr0);
	r->dr[0] = read_dr0();
	r->dr[1] = read_dr1();
	r->dr[2] = read_dr2();
	r->dr[3] = read_dr3();
	r->dr6 = read_dr6();
	r->cr2 = read_cr2();
	r->star = rdmsr(MSR_STAR);
	r->lstar = rdmsr(MSR_LSTAR);
	r->cstar = rdmsr(MSR_CSTAR);
	r->sfmask = rdmsr(MSR_SFMASK);
	r->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
	if (vmx_host.tsc_aux)
		r->tsc_aux = rdmsr(MSR_TSC_AUX);
}

void vmx_cpu_release(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = this_vmx_cpu();

	if (cpu->owner != vmx)
		return;
	vmx_cpu_save(vmx);
	cpu->owner = NULL;
}

/* Nothing here faults: state.c has checked whatever did not come from these registers. */
void vmx_cpu_take(struct vmx_cpu *cpu, struct vmx_vcpu *vmx)
{
	const struct vmx_regs *r = &vmx->regs;

	if (cpu->owner)
		vmx_cpu_release(cpu->owner);
	fpu_load(vmx->vcpu.fpu, r->xcr0);
	write_dr0(r->dr[0]);
	write_dr1(r->dr[1]);
	write_dr2(r->dr[2]);
	write_dr3(r->dr[3]);
	write_dr6(r->dr6);
	write_cr2(r->cr2);
	wrmsr(MSR_STAR, r->star);
	wrmsr(MSR_LSTAR, r->lstar);
	wrmsr(MSR_CSTAR, r->cstar);
	wrmsr(MSR_SFMASK, r->sfmask);
	wrmsr(MSR_KERNEL_GS_BASE, r->kernel_gs_base);
	if (vmx_host.tsc_aux)
		wrmsr(MSR_TSC_AUX, r->tsc_aux);
	cpu->owner = vmx;
}

void vmx_set_cr2(struct vmx_vcpu *vmx, u64 cr2)
{
	if (this_vmx_cpu()->owner == vmx)
		write_cr2(cr2);
	else
		vmx->regs.cr2 = cr2;
}

void vmx_set_dr6(struct vmx_vcpu *vmx, u64 clear, u64 set)
{
	if (this_vmx_cpu()->owner == vmx)
		write_dr6((read_dr6() & ~clear) | set);
	else
		vmx->regs.dr6 = (vmx->regs.dr6 & ~clear) | set;
}
