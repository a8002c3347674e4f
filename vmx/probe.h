/* SPDX-License-Identifier: MIT */
/*
 * Whether VMX can be used here, and with which controls. Pure C: the host tests give it each answer
 * that a machine can.
 */
#pragma once

#include "lib/types.h"

/* What the processor and the firmware say. The MSRs are 0 where the processor has none. */
struct vmx_facts {
	bool vmx;	     /* CPUID 1 ECX.VMX */
	u64 feature_control; /* IA32_FEATURE_CONTROL */
	u64 basic, misc;
	/* TRUE_*, where there are such. Low half: must be 1; high half: may be 1. */
	u64 pin, proc, proc2, exit, entry;
	u64 ept_vpid;
	bool rdtscp; /* CPUID offers it */
};

/* NULL when Cleave can run guests; else why not and what to do, in words for one line. */
const char *vmx_refusal(const struct vmx_facts *f);

/* The controls under which L1 runs. */
struct vmx_controls {
	u32 pin, proc, proc2, exit, entry;
};

/* For facts that are no refusal. */
struct vmx_controls vmx_controls_for(const struct vmx_facts *f);

/* @wanted, with what must be 1 added and what may not be 1 left out, SDM 3D A.3. */
u32 vmx_control_adjust(u64 capability, u32 wanted);

/* The EPT pointer for the tables at @root: 4 levels, write-back, A and D bits where there are. */
u64 vmx_eptp(const struct vmx_facts *f, hpa_t root);

/* The preemption timer's ticks in @tsc ticks of the TSC; at least one. */
u32 vmx_timer_ticks(const struct vmx_facts *f, u64 tsc);
