/* SPDX-License-Identifier: MIT */
/* VMX as a guest hypervisor uses it: switching it on, its instructions, a vCPU, the way in and out.
 */
#pragma once

#include "guests/virt.h"
#include "lib/vmx.h"

#define VMCS_FIELD(name, encoding, width, kind, seen, moves) VMCS_##name = (encoding),
enum vmcs_field {
#include "lib/vmcs_fields.def"
};
#undef VMCS_FIELD

/* How a VMX instruction ended, SDM 3C 30.2: 0, the error number, or this. */
#define VMX_FAIL_INVALID 0xffffu /* there is no current VMCS to hold a number */

/* One MSR of a list for entries or exits, SDM 3C 24.7.2. */
struct vmx_msr {
	u32 index, reserved;
	u64 value;
};

#define VMX_LIST_MSRS 5 /* STAR and the like: nothing else switches them */

struct vmx_vcpu {
	struct virt_regs regs;
	u64 *vmcs;
	u8 *io_bitmaps; /* A and B, side by side */
	u8 *msr_bitmap;
	struct vmx_msr *l2_msrs; /* stored by exits, loaded by entries */
	struct vmx_msr *l1_msrs; /* loaded by exits */
	u64 caps;		 /* MSR_VMX_EPT_VPID_CAP */
	bool launched;
};

/* The VMXON region. */
extern u64 vmx_region;

/* NULL, or why this processor cannot run guests. In VMX operation when it returns. */
const char *vmx_enable(void);

/*
 * Makes a current VMCS: a 64-bit guest as @c says, that exits for all that a small hypervisor
 * wants. The host state is what L1's registers are at vmx_vcpu_host().
 */
void vmx_vcpu_init(struct vmx_vcpu *v, const struct virt_config *c);
void vmx_vcpu_host(struct vmx_vcpu *v);

/* The EPT pointer for tables at @root. */
u64 vmx_eptp(u64 root, bool ad);

/* VMLAUNCH or VMRESUME, with interrupts off. 0 after an exit, else how it failed. */
u32 vmx_vcpu_enter(struct vmx_vcpu *v);

/* The controls of capability MSR @msr with @want set. Dies when the processor lacks one. */
u32 vmx_controls(u32 msr, u32 want);

void vmx_bitmap_msr(struct vmx_vcpu *v, u32 msr, bool read, bool write);
void vmx_bitmap_port(struct vmx_vcpu *v, u16 port, bool exits);

/* The instructions. A result is 0, VMX_FAIL_INVALID or the instruction error's number. */
u32 vmx_vmread(u64 field, u64 *value);
u32 vmx_vmwrite(u64 field, u64 value);
u32 vmx_vmclear(u64 address);
u32 vmx_vmptrld(u64 address);
u32 vmx_vmxon(u64 address);
u32 vmx_vmxoff(void);
u32 vmx_vmcall(void);
u64 vmx_vmptrst(void);
u32 vmx_invept(u64 type, u64 eptp, u64 reserved);
u32 vmx_invvpid(u64 type, u64 vpid, u64 address);

/* The same of fields that must be there. */
u64 vmcs_read(enum vmcs_field field);
void vmcs_write(enum vmcs_field field, u64 value);
