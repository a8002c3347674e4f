// SPDX-License-Identifier: MIT
/* VMX's instructions, each with what came of it (SDM 3C 30.2). */
#include "guests/vmx.h"

struct descriptor {
	u64 low, high;
};

/* An error number is in the current VMCS, when there is one. */
static u32 result(bool invalid, bool valid)
{
	u64 error = 0;

	if (invalid)
		return VMX_FAIL_INVALID;
	if (!valid)
		return 0;
	asm volatile("vmread %1, %0" : "=r"(error) : "r"((u64)VMCS_insn_error) : "cc");
	return (u32)error;
}

#define RESULT_OF(insn, outputs, ...)                                                \
	({                                                                           \
		bool invalid_, valid_;                                               \
		asm volatile(insn                                                    \
			     : "=@ccc"(invalid_), "=@ccz"(valid_)outputs:__VA_ARGS__ \
			     : "memory");                                            \
		result(invalid_, valid_);                                            \
	})
#define AND_OUT(x) , x

u32 vmx_vmread(u64 field, u64 *value)
{
	u64 v = 0;
	u32 r = RESULT_OF("vmread %3, %2", AND_OUT("+r"(v)), "r"(field));

	*value = v;
	return r;
}

u32 vmx_vmwrite(u64 field, u64 value)
{
	return RESULT_OF("vmwrite %3, %2", , "r"(field), "r"(value));
}

u32 vmx_vmclear(u64 address)
{
	return RESULT_OF("vmclear %2", , "m"(address));
}

u32 vmx_vmptrld(u64 address)
{
	return RESULT_OF("vmptrld %2", , "m"(address));
}

u32 vmx_vmxon(u64 address)
{
	return RESULT_OF("vmxon %2", , "m"(address));
}

u32 vmx_vmxoff(void)
{
	return RESULT_OF("vmxoff", , );
}

u32 vmx_vmcall(void)
{
	return RESULT_OF("vmcall", , );
}

u64 vmx_vmptrst(void)
{
	u64 address = 0;

	asm volatile("vmptrst %0" : "+m"(address)::"cc");
	return address;
}

u32 vmx_invept(u64 type, u64 eptp, u64 reserved)
{
	struct descriptor d = {eptp, reserved};

	return RESULT_OF("invept %3, %2", , "r"(type), "m"(d));
}

u32 vmx_invvpid(u64 type, u64 vpid, u64 address)
{
	struct descriptor d = {vpid, address};

	return RESULT_OF("invvpid %3, %2", , "r"(type), "m"(d));
}

u64 vmcs_read(enum vmcs_field field)
{
	u64 value;
	u32 error = vmx_vmread(field, &value);

	if (error)
		die("VMREAD of field 0x%x: error %u", field, error);
	return value;
}

void vmcs_write(enum vmcs_field field, u64 value)
{
	u32 error = vmx_vmwrite(field, value);

	if (error)
		die("VMWRITE of field 0x%x: error %u", field, error);
}
