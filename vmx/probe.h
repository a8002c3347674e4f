/* SPDX-License-Identifier: MIT */
/* Whether VMX can be used here. Pure C: the host tests give it each answer that a machine can. */
#pragma once

#include "lib/types.h"

/* What the processor and the firmware say. */
struct vmx_facts {
	bool vmx;	     /* CPUID 1 ECX.VMX */
	u64 feature_control; /* IA32_FEATURE_CONTROL; 0 without VMX */
};

/* Why Cleave cannot run guests with VMX and what to do, in words for one line. */
const char *vmx_refusal(const struct vmx_facts *f);
