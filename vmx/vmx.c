// SPDX-License-Identifier: MIT
/* The VMX backend's place. It tells processors that have VMX from those that do not. */
#include "kernel/cpu.h"
#include "kernel/vendor.h"
#include "lib/printf.h"
#include "lib/x86.h"

static int vmx_probe(struct vendor_caps *caps, char *why, size_t size)
{
	caps->what = "Intel VMX";
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX)
		snprintf(why, size,
			 "Intel VMX: not there yet; guests run on AMD SVM only: use such a "
			 "machine, or "
			 "MACHINE=qemu-svm");
	else
		snprintf(why, size, "Intel VMX: this processor does not have it");
	return -ENODEV;
}

const struct vendor_ops vmx_ops = {
	.name = "vmx",
	.probe = vmx_probe,
};
