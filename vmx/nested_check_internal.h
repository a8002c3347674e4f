/* SPDX-License-Identifier: MIT */
/* What the three lists of vm-entry checks share with each other and with nobody else. */
#pragma once

#include "lib/x86.h"
#include "vmx/nested_check.h"

/* Each check has a name of its own: it is what the trace and the tests show. */
#define REFUSE(condition, name)      \
	do {                         \
		if (condition)       \
			return name; \
	} while (0)

/* Passes on the name of a check that failed further down. */
#define REFUSE_ALSO(check)                  \
	do {                                \
		const char *why_ = (check); \
		if (why_)                   \
			return why_;        \
	} while (0)

/* @control differs from what @allowed, a capability MSR, lets it be (SDM 3D A.2). */
static inline bool vmx_control_bad(u32 control, u64 allowed)
{
	return ((u32)allowed & ~control) || (control & ~(u32)(allowed >> 32));
}

/* A bit that @fixed0 wants set or @fixed1 wants clear, those of @except left out (SDM 3D A.7). */
static inline bool vmx_fixed_bad(u64 cr, u64 fixed0, u64 fixed1, u64 except)
{
	return ((fixed0 & ~cr) | (cr & ~fixed1)) & ~except;
}

static inline bool vmx_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

static inline bool vmx_physical_bad(u64 address, const struct vmx_limits *l)
{
	return address >> l->maxphyaddr;
}

/* The address of a page for the processor's use. */
static inline bool vmx_page_bad(u64 address, const struct vmx_limits *l)
{
	return address % PAGE_SIZE || vmx_physical_bad(address, l);
}

/* Secondary controls count only where the primary ones activate them. */
static inline u32 vmx_proc2(const struct vmcs12 *v)
{
	return v->proc_controls & VMX_PROC_SECONDARY ? v->proc_controls_2 : 0;
}

/* 26.3.1.2, in nested_check_segments.c. */
const char *vmx_check_segments(const struct vmcs12 *v);

/* Each byte of a PAT is a memory type: UC, WC, WT, WP, WB or UC- (SDM 3A 11.12.2). */
static inline bool vmx_pat_bad(u64 pat)
{
	for (int i = 0; i < 64; i += 8) {
		u8 type = (u8)(pat >> i);

		if (type > 7 || type == 2 || type == 3)
			return true;
	}
	return false;
}
