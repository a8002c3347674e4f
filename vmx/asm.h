/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions, SDM 3C 30.3; VMLAUNCH and VMRESUME are in enter.S. CF or ZF set afterwards
 * means VMfail. That is a bug of L0's wherever no result is returned: vmx_insn_failed() ends L0.
 *
 * Operands have fixed registers where memory is addressed: the host tests, which carry these
 * instructions out, need not decode more.
 */
#pragma once

#include "vmx/fields.h"

__noreturn void vmx_insn_failed(const char *insn, u64 operand);

static inline u64 vmcs_read(enum vmcs_field field)
{
	bool failed;
	u64 value;

	__asm__ volatile("vmread %2, %1" : "=@ccna"(failed), "=r"(value) : "r"((u64)field));
	if (unlikely(failed))
		vmx_insn_failed("VMREAD", field);
	return value;
}

/* False: this processor has no such field. */
static inline bool __must_check vmcs_try_read(enum vmcs_field field, u64 *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccna"(failed), "=r"(*value) : "r"((u64)field));
	return !failed;
}

/* False: this processor has no such field, or it cannot be written. */
static inline bool __must_check vmcs_try_write(enum vmcs_field field, u64 value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1"
			 : "=@ccna"(failed)
			 : "r"((u64)field), "r"(value)
			 : "memory");
	return !failed;
}

static inline void vmcs_write(enum vmcs_field field, u64 value)
{
	if (unlikely(!vmcs_try_write(field, value)))
		vmx_insn_failed("VMWRITE", field);
}

/* Each takes the physical address from memory. */
#define VMX_ADDRESS_INSN(name, insn)                    \
	static inline bool __must_check name(hpa_t hpa) \
	{                                               \
		bool failed;                            \
                                                        \
		__asm__ volatile(insn " (%1)"           \
				 : "=@ccna"(failed)     \
				 : "a"(&hpa), "m"(hpa)  \
				 : "memory");           \
		return !failed;                         \
	}

VMX_ADDRESS_INSN(vmx_try_vmxon, "vmxon")
VMX_ADDRESS_INSN(vmx_try_vmclear, "vmclear")
VMX_ADDRESS_INSN(vmx_try_vmptrld, "vmptrld")
#undef VMX_ADDRESS_INSN

static inline void vmx_vmclear(hpa_t vmcs)
{
	if (!vmx_try_vmclear(vmcs))
		vmx_insn_failed("VMCLEAR", vmcs.v);
}

static inline void vmx_vmptrld(hpa_t vmcs)
{
	if (!vmx_try_vmptrld(vmcs))
		vmx_insn_failed("VMPTRLD", vmcs.v);
}

static inline void vmx_vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "memory", "cc");
}

/* @type: VMX_INVEPT_*, VMX_INVVPID_*. */
static inline void vmx_invept(u64 type, u64 eptp)
{
	const u64 descriptor[2] = {eptp, 0};
	bool failed;

	__asm__ volatile("invept (%1), %2"
			 : "=@ccna"(failed)
			 : "a"(descriptor), "c"(type), "m"(descriptor)
			 : "memory");
	if (unlikely(failed))
		vmx_insn_failed("INVEPT", eptp);
}

static inline void vmx_invvpid(u64 type, u16 vpid)
{
	const u64 descriptor[2] = {vpid, 0};
	bool failed;

	__asm__ volatile("invvpid (%1), %2"
			 : "=@ccna"(failed)
			 : "a"(descriptor), "c"(type), "m"(descriptor)
			 : "memory");
	if (unlikely(failed))
		vmx_insn_failed("INVVPID", vpid);
}
