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

/* Sorted by width as Appendix B has it, then by the rest: what is compared is what sorts. */
static u32 rank(u32 encoding)
{
	static const u32 widths[] = {
		[VMCS_W16] = 0, [VMCS_W64] = 1, [VMCS_W32] = 2, [VMCS_NAT] = 3};

	return widths[encoding >> 13 & 3] << 13 | (encoding & 0x1fff);
}

const struct vmcs_field_info *vmcs_field_of_l1(u64 encoding)
{
	bool high = encoding & 1;
	u32 first = 0, end = VMCS_FIELDS_NR;

	while (first < end) {
		u32 middle = (first + end) / 2;
		const struct vmcs_field_info *f = &vmcs_fields[middle];

		if (f->encoding == (encoding & ~1ull))
			return f->offset < 0 || (high && f->width != VMCS_W64) ? NULL : f;
		if (rank(f->encoding) < rank((u32)encoding))
			first = middle + 1;
		else
			end = middle;
	}
	return NULL;
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
