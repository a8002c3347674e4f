/* SPDX-License-Identifier: MIT */
/*
 * Walks of L1's page tables that L0 has made for an operand. A walk costs more than all else that
 * such an instruction does, so each is remembered as the entries that it went through: while all of
 * them hold what they held, A and D included, it would go the same way again.
 */
#pragma once

#include "lib/types.h"

#define VMX_WALKS	4
#define VMX_WALK_LEVELS 4

struct vmx_walk {
	/* What it depends on: paging as the VMCS has it, the page, and what the access needs. */
	struct vmx_walk_key {
		u64 cr0, cr3, cr4, efer, page, access;
	} key;
	gpa_t gpa; /* of the page */
	/* The last one again where there are fewer. NULL: nothing is remembered. */
	const u64 *entry[VMX_WALK_LEVELS];
	u64 value[VMX_WALK_LEVELS];
};
