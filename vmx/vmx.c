// SPDX-License-Identifier: MIT
/* The VMX backend's place. It tells processors that have VMX from those that do not. */
#include "kernel/cpu.h"
#include "kernel/vendor.h"
#include "lib/printf.h"
#include "lib/x86.h"
#include "vmx/probe.h"

static int vmx_probe(struct vendor_caps *caps, char *why, size_t size)
{
	struct vmx_facts f = {.vmx = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX};

	if (f.vmx && rdmsr_safe(MSR_FEATURE_CONTROL, &f.feature_control))
		f.feature_control = 0;
	caps->what = "Intel VMX";
	snprintf(why, size, "Intel VMX: %s", f.vmx ? "not there yet" : vmx_refusal(&f));
	return -ENODEV;
}

const struct vendor_ops vmx_ops = {
	.name = "vmx",
	.probe = vmx_probe,
};
