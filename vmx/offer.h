/* SPDX-License-Identifier: MIT */
/*
 * What L1 is offered of VMX: this processor's capabilities, less what nesting does not do. The
 * limits are the only source: the capability MSRs that L1 reads are made of them, and its VM
 * entries are checked against them. Plain C.
 */
#pragma once

#include "vmx/nested_check.h"
#include "vmx/probe.h"

/*
 * @processor: what its registers may hold, and its width of addresses; @cr4: what of CR4 guests may
 * set. For facts that are no refusal.
 */
struct vmx_limits vmx_offer(const struct vmx_facts *f, const struct vmx_limits *processor, u64 cr4);

/* A capability MSR as L1 reads it. 0, or -ENOENT: it is none, or L1 has no such. */
int __must_check vmx_offer_msr(const struct vmx_limits *offered, u32 msr, u64 *value);
