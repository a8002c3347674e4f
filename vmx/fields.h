/* SPDX-License-Identifier: MIT */
/*
 * What lib/vmcs_fields.def makes: the encodings (VMCS_guest_rip), and the table that knows each
 * field's name and place.
 */
#pragma once

#include "lib/types.h"
#include "lib/vmx.h"

#define VMCS_FIELD(name, encoding, width, kind, seen, moves) VMCS_##name = (encoding),
enum vmcs_field {
#include "lib/vmcs_fields.def"
};
#undef VMCS_FIELD

/* As bits 14:13 and 11:10 of an encoding have them, SDM 3C 24.11.2. */
enum vmcs_width { VMCS_W16, VMCS_W64, VMCS_W32, VMCS_NAT };
enum vmcs_kind { VMCS_CONTROL, VMCS_DATA, VMCS_GUEST, VMCS_HOST };

struct vmcs_field_info {
	const char *name;
	s32 offset; /* in struct vmcs12, or -1: L1 may not have it */
	u16 encoding;
	u8 width; /* enum vmcs_width */
	u8 kind;  /* enum vmcs_kind */
	bool moves;
};

#define VMCS_FIELD(name, encoding, width, kind, seen, moves) VMCS_N_##name,
enum vmcs_number {
#include "lib/vmcs_fields.def"
	VMCS_FIELDS_NR
};
#undef VMCS_FIELD

extern const struct vmcs_field_info vmcs_fields[VMCS_FIELDS_NR];

/* The bytes that a field of this width has. */
u32 vmcs_field_size(const struct vmcs_field_info *f);
/*
 * The field that VMREAD or VMWRITE of L1's means, or NULL: there is none, or it is not offered. Bit
 * 0 is the upper half of a 64-bit field, SDM 3C 24.11.2.
 */
const struct vmcs_field_info *vmcs_field_of_l1(u64 encoding);

struct vmcs12;
/* For fields that L1 may have. What is wider than the field is cut off. */
u64 vmcs12_get(const struct vmcs12 *v, const struct vmcs_field_info *f);
void vmcs12_set(struct vmcs12 *v, const struct vmcs_field_info *f, u64 value);

/* "VMCALL executed in VMX root operation"... SDM 3C 30.4. */
const char *vmx_error_text(u64 error);
/* "EPT_VIOLATION"... for any value of the exit reason's low half. */
const char *vmx_exit_name(u32 reason);
