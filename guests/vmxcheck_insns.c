// SPDX-License-Identifier: MIT
/* What VMX's instructions refuse, and how (SDM 3C 30.3 and 30.4). */
#include "guests/vmxcheck.h"

#define NO_FIELD      0x7ffe
#define READ_ONLY_ANY BIT(29) /* of MSR_VMX_MISC: VMWRITE writes those, too */

u64 vmxcheck_blocked_launch(void);

static u64 *other;

static u64 revision(void)
{
	return rdmsr(MSR_VMX_BASIC) & VMX_BASIC_REVISION;
}

static void regions(void)
{
	vmxcheck_answer("VMXON in VMX operation", vmx_vmxon((u64)other), VMX_ERROR_VMXON_IN_ROOT);
	vmxcheck_answer("VMCLEAR not aligned", vmx_vmclear((u64)other + 8),
			VMX_ERROR_VMCLEAR_ADDRESS);
	vmxcheck_answer("VMCLEAR outside", vmx_vmclear(NOT_PHYSICAL), VMX_ERROR_VMCLEAR_ADDRESS);
	vmxcheck_answer("VMCLEAR of the VMXON region", vmx_vmclear(vmx_region),
			VMX_ERROR_VMCLEAR_VMXON);
	vmxcheck_answer("VMPTRLD not aligned", vmx_vmptrld((u64)other + 8),
			VMX_ERROR_VMPTRLD_ADDRESS);
	vmxcheck_answer("VMPTRLD outside", vmx_vmptrld(NOT_PHYSICAL), VMX_ERROR_VMPTRLD_ADDRESS);
	vmxcheck_answer("VMPTRLD of the VMXON region", vmx_vmptrld(vmx_region),
			VMX_ERROR_VMPTRLD_VMXON);
	other[0] = revision() ^ 1;
	vmxcheck_answer("VMPTRLD of another revision", vmx_vmptrld((u64)other),
			VMX_ERROR_VMPTRLD_REVISION);
	other[0] = revision();
	vmxcheck("VMPTRST", vmx_vmptrst() == (u64)vmxcheck_vcpu.vmcs, "0x%lx is current",
		 vmx_vmptrst());
}

static void fields(void)
{
	u64 v;

	vmxcheck_answer("VMREAD of no field", vmx_vmread(NO_FIELD, &v), VMX_ERROR_NO_SUCH_FIELD);
	vmxcheck_answer("VMWRITE of no field", vmx_vmwrite(NO_FIELD, 0), VMX_ERROR_NO_SUCH_FIELD);
	vmxcheck_answer("VMREAD of a field of 33 bits", vmx_vmread(BIT(32), &v),
			VMX_ERROR_NO_SUCH_FIELD);
	vmxcheck_answer("VMREAD of the upper half of 16 bits", vmx_vmread(VMCS_vpid + 1, &v),
			VMX_ERROR_NO_SUCH_FIELD);
	if (!(rdmsr(MSR_VMX_MISC) & READ_ONLY_ANY))
		vmxcheck_answer("VMWRITE of a read-only field", vmx_vmwrite(VMCS_exit_reason, 0),
				VMX_ERROR_READ_ONLY_FIELD);
	vmcs_write(VMCS_tsc_offset, 0x1122334455667788);
	vmxcheck_answer("VMWRITE of an upper half", vmx_vmwrite(VMCS_tsc_offset + 1, 0xaabbccdd),
			0);
	vmxcheck("the field's halves", vmcs_read(VMCS_tsc_offset) == 0xaabbccdd55667788,
		 "they read as 0x%lx", vmcs_read(VMCS_tsc_offset));
	vmcs_write(VMCS_tsc_offset, 0);
	vmx_vmwrite(VMCS_guest_es_selector, 0x123450010);
	vmxcheck("a field of 16 bits", vmcs_read(VMCS_guest_es_selector) == 0x10, "it keeps 0x%lx",
		 vmcs_read(VMCS_guest_es_selector));
}

static void launch_state(void)
{
	vmxcheck_vcpu.launched = false;
	vmxcheck_answer("VMLAUNCH of a launched VMCS", vmxcheck_enter(),
			VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	vmx_vmclear((u64)vmxcheck_vcpu.vmcs);
	vmxcheck_answer("VMLAUNCH without a VMCS", vmxcheck_enter(), VMX_FAIL_INVALID);
	vmxcheck_answer("VMWRITE without a VMCS", vmx_vmwrite(VMCS_vpid, 1), VMX_FAIL_INVALID);
	vmxcheck_answer("VMCLEAR not aligned, without a VMCS", vmx_vmclear((u64)other + 8),
			VMX_FAIL_INVALID);
	vmx_vmptrld((u64)vmxcheck_vcpu.vmcs);
	vmxcheck_vcpu.launched = true;
	vmxcheck_answer("VMRESUME of a clear VMCS", vmxcheck_enter(),
			VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	vmxcheck("VMLAUNCH after MOV SS",
		 (vmxcheck_blocked_launch() & RFLAGS_ZF) &&
			 vmcs_read(VMCS_insn_error) == VMX_ERROR_ENTRY_MOV_SS,
		 "VM-instruction error %lu", vmcs_read(VMCS_insn_error));
	vmxcheck_vcpu.launched = false;
	vmxcheck_valid();
	if (!vmxcheck_bochs_differs("VMCALL in root operation"))
		vmxcheck_answer("VMCALL in root operation", vmx_vmcall(), VMX_ERROR_VMCALL_IN_ROOT);
}

static void invalidations(void)
{
	u64 eptp = vmcs_read(VMCS_ept_pointer), caps = vmxcheck_vcpu.caps;

	vmxcheck_answer("INVEPT of type 0", vmx_invept(0, eptp, 0), VMX_ERROR_INVALIDATION_OPERAND);
	vmxcheck_answer("INVEPT of type 3", vmx_invept(3, eptp, 0), VMX_ERROR_INVALIDATION_OPERAND);
	if (!vmxcheck_bochs_differs("INVEPT of 33 bits"))
		vmxcheck_answer("INVEPT of 33 bits", vmx_invept(BIT(32) | 1, eptp, 0),
				VMX_ERROR_INVALIDATION_OPERAND);
	if (caps & VMX_EPT_INVEPT_SINGLE) {
		vmxcheck_answer("INVEPT single", vmx_invept(VMX_INVEPT_SINGLE, eptp, 0), 0);
		vmxcheck_answer("INVEPT of a bad EPT pointer",
				vmx_invept(VMX_INVEPT_SINGLE, eptp ^ 7, 0),
				VMX_ERROR_INVALIDATION_OPERAND);
	}
	if (caps & VMX_EPT_INVEPT_ALL)
		vmxcheck_answer("INVEPT all", vmx_invept(VMX_INVEPT_ALL, 7, 0), 0);
	vmxcheck_answer("INVVPID of type 4", vmx_invvpid(4, 1, 0), VMX_ERROR_INVALIDATION_OPERAND);
	if (caps & VMX_VPID_SINGLE) {
		vmxcheck_answer("INVVPID single", vmx_invvpid(VMX_INVVPID_SINGLE, 1, 0), 0);
		vmxcheck_answer("INVVPID of VPID 0", vmx_invvpid(VMX_INVVPID_SINGLE, 0, 0),
				VMX_ERROR_INVALIDATION_OPERAND);
		vmxcheck_answer("INVVPID of 17 bits", vmx_invvpid(VMX_INVVPID_SINGLE, BIT(16), 0),
				VMX_ERROR_INVALIDATION_OPERAND);
	}
	if (caps & VMX_VPID_ADDRESS)
		vmxcheck_answer("INVVPID of no canonical address",
				vmx_invvpid(VMX_INVVPID_ADDRESS, 1, NOT_CANONICAL),
				VMX_ERROR_INVALIDATION_OPERAND);
	if (caps & VMX_VPID_ALL)
		vmxcheck_answer("INVVPID all", vmx_invvpid(VMX_INVVPID_ALL, 0, 0), 0);
}

static u32 try_vmclear(u64 address)
{
	return TRY("vmclear %0", ::"m"(address) : "memory", "cc");
}

static u32 try_vmxon(u64 address)
{
	return TRY("vmxon %0", ::"m"(address) : "memory", "cc");
}

static u32 try_cr(u32 number, u64 v)
{
	return number ? TRY("mov %0, %%cr4", ::"r"(v)
			    : "memory")
		      : TRY("mov %0, %%cr0", ::"r"(v)
			    : "memory");
}

/* Outside of VMX operation, and on the way there. Afterwards the VMCS is not current. */
static void off(void)
{
	u64 cr4 = read_cr4();

	vmxcheck_answer("clearing CR4.VMXE in VMX operation", try_cr(4, cr4 & ~CR4_VMXE), EXC_GP);
	vmxcheck_answer("clearing CR0.NE in VMX operation", try_cr(0, read_cr0() & ~CR0_NE),
			EXC_GP);
	vmxcheck_answer("VMXOFF", vmx_vmxoff(), 0);
	vmxcheck_answer("VMCLEAR outside of VMX operation", try_vmclear((u64)other), EXC_UD);
	write_cr4(cr4 & ~CR4_VMXE);
	vmxcheck_answer("VMXON without CR4.VMXE", try_vmxon(vmx_region), EXC_UD);
	write_cr4(cr4);
	write_cr0(read_cr0() & ~CR0_NE);
	vmxcheck_answer("VMXON without CR0.NE", try_vmxon(vmx_region), EXC_GP);
	write_cr0(read_cr0() | CR0_NE);
	vmxcheck_answer("VMXON not aligned", vmx_vmxon(vmx_region + 8), VMX_FAIL_INVALID);
	vmxcheck_answer("VMXON outside", vmx_vmxon(NOT_PHYSICAL), VMX_FAIL_INVALID);
	other[0] = revision() ^ 1;
	vmxcheck_answer("VMXON of another revision", vmx_vmxon((u64)other), VMX_FAIL_INVALID);
	vmxcheck_answer("VMXON", vmx_vmxon(vmx_region), 0);
	vmxcheck("no VMCS is current after VMXON", vmx_vmptrst() == ~0ul, "0x%lx is",
		 vmx_vmptrst());
	vmxcheck_renew();
}

void vmxcheck_insns(void)
{
	other = pages_alloc(1);
	other[0] = revision();
	regions();
	fields();
	launch_state();
	invalidations();
	off();
}
