// SPDX-License-Identifier: MIT
/* The nested state, field by field, and what may be in it. */
#include "vmx/nested_state.h"
#include "vmx/nested_check_internal.h"

#define FIELD(member) STATE_FIELD(struct vmx_nested_state, member)

static const struct state_field fields[] = {
	FIELD(vmxon), FIELD(mov_ss), FIELD(vmxon_pointer), FIELD(current), FIELD(pending_debug),
};
_Static_assert(sizeof(struct vmx_nested_state) == 2 * 4 + 3 * 8, "no padding");

const struct state_desc vmx_nested_state_desc = {
	.name = "vmx",
	.version = 1,
	.size = sizeof(struct vmx_nested_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

#define PENDING_DEFINED (VMX_DEBUG_BREAKPOINTS | VMX_DEBUG_ENABLED | VMX_DEBUG_BS)

const char *vmx_nested_state_check(const struct vmx_nested_state *in, const struct vmx_limits *l,
				   bool nesting)
{
	REFUSE(in->vmxon > 1 || in->mov_ss > 1, "a flag");
	REFUSE(in->pending_debug & ~PENDING_DEFINED, "pending debug exceptions");
	REFUSE(in->vmxon && !nesting, "VMX operation, which is not offered here");
	if (!in->vmxon) {
		REFUSE(in->vmxon_pointer != VMCS12_NONE, "VMXON pointer outside of VMX operation");
		REFUSE(in->current != VMCS12_NONE, "current VMCS outside of VMX operation");
		return NULL;
	}
	REFUSE(vmx_page_bad(in->vmxon_pointer, l), "VMXON pointer");
	if (in->current == VMCS12_NONE)
		return NULL;
	REFUSE(vmx_page_bad(in->current, l), "current VMCS");
	REFUSE(in->current == in->vmxon_pointer, "current VMCS in the VMXON region");
	return NULL;
}
