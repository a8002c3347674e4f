// SPDX-License-Identifier: MIT
/* Which vendor's virtualization this processor has. 32-bit kernels know SVM only. */
#include "guests/virt.h"

const struct virt_ops *virt_choose(void)
{
	if (cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT1 &&
	    cpuid(CPUID_EXT1, 0).ecx & CPUID_EXT1_ECX_SVM)
		return &svm_virt;
#ifdef __x86_64__
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX)
		return &vmx_virt;
#endif
	return NULL;
}
