/* SPDX-License-Identifier: MIT */
/*
 * What VMX adds to a vCPU's state. The struct that moves in a migration is the struct that is used
 * while running.
 */
#pragma once

#include "lib/state.h"
#include "vmx/nested_check.h"

struct vmx_nested_state {
	/* 0 or 1 each */
	u32 vmxon;  /* L1 is in VMX operation */
	u32 mov_ss; /* the interrupt shadow is that of MOV SS; filled in when the state is saved */

	u64 vmxon_pointer; /* gpa; VMCS12_NONE outside of VMX operation */
	u64 current;	   /* gpa of the current VMCS, or VMCS12_NONE */
	u64 pending_debug; /* traps held back, as the VMCS has them; filled in when saved */
};

#define VMCS12_NONE (~0ull)

extern const struct state_desc vmx_nested_state_desc;

/* NULL, or what is wrong with a state that came from a stream; a constant. */
const char *vmx_nested_state_check(const struct vmx_nested_state *in, const struct vmx_limits *l,
				   bool nesting);
