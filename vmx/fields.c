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
#include "vmx/fields.def"
};
#undef VMCS_FIELD

static size_t size_of(const struct vmcs_field_info *f)
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

u64 vmcs12_get(const struct vmcs12 *v, const struct vmcs_field_info *f)
{
	u64 value = 0;

	memcpy(&value, (const char *)v + f->offset, size_of(f));
	return value;
}

void vmcs12_set(struct vmcs12 *v, const struct vmcs_field_info *f, u64 value)
{
	memcpy((char *)v + f->offset, &value, size_of(f));
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
