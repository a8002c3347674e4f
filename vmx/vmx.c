// SPDX-License-Identifier: MIT
/* The place of the Intel VMX backend. It says at boot that it cannot run guests. */
#include "kernel/vendor.h"
#include "lib/printf.h"

static int vmx_probe(struct vendor_caps *caps, char *why, size_t size)
{
	caps->what = "Intel VMX";
	snprintf(why, size,
		 "this processor has Intel VMX, and this image runs guests on AMD SVM only: use "
		 "such a machine, or MACHINE=qemu-svm");
	return -ENODEV;
}

const struct vendor_ops vmx_ops = {
	.name = "vmx",
	.probe = vmx_probe,
};
