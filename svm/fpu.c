// SPDX-License-Identifier: MIT
/*
 * Registers that VMRUN does not switch and L0 does not use: FPU, XCR0, DR0 to DR3, TSC_AUX. A
 * guest's stay where they are until another vCPU takes the CPU.
 */
#include "kernel/cpu.h"
#include "svm/svm.h"

void svm_cpu_save(struct svm_vcpu *svm)
{
	if (svm_cpus[this_cpu()->id].owner != svm)
		return;
	fpu_save(svm->vcpu.fpu, &svm->xcr0);
	svm->dr[0] = read_dr0();
	svm->dr[1] = read_dr1();
	svm->dr[2] = read_dr2();
	svm->dr[3] = read_dr3();
	if (svm_host.tsc_aux)
		svm->tsc_aux = rdmsr(MSR_TSC_AUX);
}

void svm_cpu_release(struct svm_vcpu *svm)
{
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	if (cpu->owner != svm)
		return;
	svm_cpu_save(svm);
	cpu->owner = NULL;
}

void svm_cpu_take(struct svm_cpu *cpu, struct svm_vcpu *svm)
{
	if (cpu->owner)
		svm_cpu_release(cpu->owner);
	fpu_load(svm->vcpu.fpu, svm->xcr0);
	write_dr0(svm->dr[0]);
	write_dr1(svm->dr[1]);
	write_dr2(svm->dr[2]);
	write_dr3(svm->dr[3]);
	if (svm_host.tsc_aux)
		wrmsr(MSR_TSC_AUX, svm->tsc_aux);
	cpu->owner = svm;
}
