/* SPDX-License-Identifier: MIT */
/*
 * vmcs12: the VMCS that L1 keeps for its L2. The layout is ours (SDM 3C 24.2 leaves it to the
 * processor): the fields that L1 is offered, each once, in the order of lib/vmcs_fields.def.
 */
#pragma once

#include "lib/types.h"
#include "lib/vmx.h"

#define VMCS12_W16	       u16
#define VMCS12_W32	       u32
#define VMCS12_W64	       u64
#define VMCS12_NAT	       u64
#define VMCS12_L1(name, width) VMCS12_##width name;
#define VMCS12_L0(name, width)
#define VMCS_FIELD(name, encoding, width, kind, seen, moves) VMCS12_##seen(name, width)

struct vmcs12 {
	u32 revision; /* what L1 wrote there, SDM 3C 24.2 */
	u32 abort;
	u32 launched;
	u32 reserved;
#include "lib/vmcs_fields.def"
};

#undef VMCS_FIELD

_Static_assert(sizeof(struct vmcs12) <= 4096, "a VMCS region is one page");
