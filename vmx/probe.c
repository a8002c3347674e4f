// SPDX-License-Identifier: MIT
/* SDM 3C 23.7: firmware that locks IA32_FEATURE_CONTROL without the VMX bit forbids VMXON. */
#include "vmx/probe.h"
#include "lib/x86.h"

const char *vmx_refusal(const struct vmx_facts *f)
{
	u64 allowed = f->feature_control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);

	if (!f->vmx)
		return "this processor does not have it";
	if (allowed == FEATURE_CONTROL_LOCK)
		return "switched off by the firmware (IA32_FEATURE_CONTROL); besides, it is not "
		       "there yet: guests run on AMD SVM only";
	return "not there yet; guests run on AMD SVM only: use such a machine, or "
	       "MACHINE=qemu-svm";
}
