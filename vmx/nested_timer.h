/* SPDX-License-Identifier: MIT */
/*
 * The preemption timer as L1 has it (SDM 3C 25.5.1): it counts down while L2 runs and while L0 does
 * something for L2, and the exit is L1's when it is 0. L0 uses the processor's as well, to look
 * at what waits; so the count is kept as the time at which it ends. Units: the TSC's ticks, shifted
 * right by what IA32_VMX_MISC says, @tsc: now.
 */
#pragma once

#include "vmx/nested_check.h"

struct vmx_l1_timer {
	bool on;
	u64 end;
};

/* L2 is entered with the controls and the count of @v. */
void vmx_l1_timer_start(struct vmx_l1_timer *t, const struct vmcs12 *v, const struct vmx_limits *l,
			u64 tsc);
/* What is left of it; 0: the exit is due. Of one that is off: all ones. */
u32 vmx_l1_timer_left(const struct vmx_l1_timer *t, const struct vmx_limits *l, u64 tsc);
