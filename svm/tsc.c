// SPDX-License-Identifier: MIT
/* L1's time-stamp counter: the machine's, and an offset. */
#include "kernel/cpu.h"
#include "svm/svm.h"

u64 svm_l1_tsc(struct vcpu *vcpu)
{
	return rdtsc() + to_svm(vcpu)->vmcb01->control.tsc_offset;
}

void svm_set_l1_tsc(struct vcpu *vcpu, u64 tsc)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb01->control.tsc_offset = tsc - rdtsc();
	svm->vmcb02->control.tsc_offset =
		svm->vmcb01->control.tsc_offset + svm->nested.ctl.tsc_offset;
}
