// SPDX-License-Identifier: MIT
/* The fields of the VMCS as a table, and words for numbers. */
#include "vmx/fields.h"
#include "lib/string.h"
#include "vmx/vmcs12.h"

#define OFFSET_L1(name) offsetof(struct vmcs12, name)
#define OFFSET_L0(name) (-1)
#define MOVES		true
#define STAYS		false

#define VMCS_FIELD(name_, encoding_, width_, kind_, seen, moves_) \
	{                                                         \
		.name = #name_,                                   \
		.encoding = (encoding_),                          \
		.offset = OFFSET_##seen(name_),                   \
		.width = VMCS_##width_,                           \
		.kind = VMCS_##kind_,                             \
		.moves = moves_,                                  \
	},
const struct vmcs_field_info vmcs_fields[VMCS_FIELDS_NR] = {
#include "lib/vmcs_fields.def"
};
#undef VMCS_FIELD

u32 vmcs_field_size(const struct vmcs_field_info *f)
{
	switch (f->width) {
	case VMCS_W16:
		return sizeof(u16);
	case VMCS_W32:
		return sizeof(u32);
	default:
		return sizeof(u64);
	}
}

/* An encoding's width, kind and index, SDM 3C 24.11.2; no index needs more than six bits. */
#define PLACE(encoding) \
	(((encoding) >> 13 & 3) << 8 | ((encoding) >> 10 & 3) << 6 | ((encoding) >> 1 & 63))

/* Which field a place is, one more; 0: none. VMREAD and VMWRITE of L1's come by here. */
#define VMCS_FIELD(name, encoding, width, kind, seen, moves) [PLACE(encoding)] = VMCS_N_##name + 1,
static const u8 numbers[PLACE(0x7fff) + 1] = {
#include "lib/vmcs_fields.def"
};
#undef VMCS_FIELD
_Static_assert(VMCS_FIELDS_NR < 255, "a number is a byte");

const struct vmcs_field_info *vmcs_field_of_l1(u64 encoding)
{
	u32 number = numbers[PLACE(encoding)];
	const struct vmcs_field_info *f = &vmcs_fields[number ? number - 1 : 0];
	bool high = encoding & 1;

	if (f->encoding != (encoding & ~1ull))
		return NULL;
	return f->offset < 0 || (high && f->width != VMCS_W64) ? NULL : f;
}

u64 vmcs12_get(const struct vmcs12 *v, const struct vmcs_field_info *f)
{
	u64 value = 0;

	memcpy(&value, (const char *)v + f->offset, vmcs_field_size(f));
	return value;
}

void vmcs12_set(struct vmcs12 *v, const struct vmcs_field_info *f, u64 value)
{
	memcpy((char *)v + f->offset, &value, vmcs_field_size(f));
}

#define ERROR_TEXT(name, number, text) [number] = (text),

const char *vmx_error_text(u64 error)
{
	static const char *const texts[] = {VMX_ERRORS(ERROR_TEXT)};

	if (error >= ARRAY_SIZE(texts) || !texts[error])
		return "unknown VM-instruction error";
	return texts[error];
}

#define EXIT_NAME(name, number) [number] = #name,

const char *vmx_exit_name(u32 reason)
{
	static const char *const names[] = {VMX_EXIT_REASONS(EXIT_NAME)};

	if (reason >= ARRAY_SIZE(names) || !names[reason])
		return "unknown exit reason";
	return names[reason];
}
