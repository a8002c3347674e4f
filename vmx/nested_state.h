/* SPDX-License-Identifier: MIT */
/* What VMX adds to a vCPU's state in a migration. */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

struct vmx_nested_state {
	u64 pending_debug; /* a trap that MOV SS holds back, as the VMCS has it */
	u32 mov_ss;	   /* 0 or 1: the interrupt shadow is that of MOV SS */
	u32 reserved;	   /* 0 */
};

extern const struct state_desc vmx_nested_state_desc;
