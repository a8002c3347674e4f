// SPDX-License-Identifier: MIT
/* The fields of the VMCS as a table, and words for numbers. */
#include "vmx/fields.h"

#define SEEN_L1 true
#define SEEN_L0 false
#define MOVES	true
#define STAYS	false

#define VMCS_FIELD(name_, encoding_, width_, kind_, seen, moves_) \
	{                                                         \
		.name = #name_,                                   \
		.encoding = (encoding_),                          \
		.l1 = SEEN_##seen,                                \
		.width = VMCS_##width_,                           \
		.kind = VMCS_##kind_,                             \
		.moves = moves_,                                  \
	},
const struct vmcs_field_info vmcs_fields[VMCS_FIELDS_NR] = {
#include "vmx/fields.def"
};
#undef VMCS_FIELD

u64 vmcs_width_mask(enum vmcs_width width)
{
	switch (width) {
	case VMCS_W16:
		return GENMASK(15, 0);
	case VMCS_W32:
		return GENMASK(31, 0);
	default:
		return ~0ull;
	}
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
