// SPDX-License-Identifier: MIT
/* What vmx/run.c and its like need of their neighbours, and a processor that does as it is told. */
#include "tests/host/vmx_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "mmu/pt_walk.h"

struct vmx_host vmx_host;
struct vmx_cpu vmx_cpus[MAX_CPUS];

struct vmx_guest guest;

static struct vm vm;

/* --- the neighbours ------------------------------------------------------------------------- */

void vmx_vmcs_use(const struct vmx_vcpu *v)
{
	assert_ptr_equal(v, &guest.vmx);
}

void vmx_cpu_take(struct vmx_cpu *cpu, struct vmx_vcpu *v)
{
	cpu->owner = v;
}

void vmx_set_dr6(struct vmx_vcpu *v, u64 clear, u64 set)
{
	(void)v;
	guest.dr6 = (guest.dr6 & ~clear) | set;
}

void vmx_set_cr2(struct vmx_vcpu *v, u64 cr2)
{
	(void)v, (void)cr2;
}

int vmx_translate(struct vmx_vcpu *v, u64 linear, u32 access, struct pt_walk *w)
{
	(void)v, (void)linear, (void)access, (void)w;
	return -EFAULT;
}

int guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len)
{
	(void)mmu, (void)gpa, (void)dst, (void)len;
	return -EFAULT;
}

u32 vmx_cpl(void)
{
	return guest.cpl;
}

void vmx_explain_failure(const struct vmx_vcpu *v, u64 code)
{
	(void)v;
	guest.explained = code;
}

void assert_failed(const char *expr, const char *file, int line)
{
	fail_msg("%s:%d: %s", file, line, expr);
	abort();
}

void lock_relax(void)
{
}

/* --- the processor --------------------------------------------------------------------------- */

bool vmx_enter(u64 gpr[GPR_NR], u64 *host_rsp, bool launched_)
{
	(void)host_rsp;
	assert_ptr_equal(gpr, guest.vmx.vcpu.gpr);
	guest.launched = launched_;
	guest.entered.rip = *fake_field(VMCS_guest_rip);
	guest.entered.rsp = *fake_field(VMCS_guest_rsp);
	guest.entered.rflags = *fake_field(VMCS_guest_rflags);
	guest.entered.interruptibility = (u32)*fake_field(VMCS_guest_interruptibility);
	guest.entered.proc = (u32)*fake_field(VMCS_proc_controls);
	guest.entered.pending_debug = *fake_field(VMCS_guest_pending_debug);
	guest.entered.intr_info = (u32)*fake_field(VMCS_entry_intr_info);
	guest.entered.intr_error = (u32)*fake_field(VMCS_entry_intr_error);
	/* An exit clears the valid bit, SDM 3C 24.8.3. */
	*fake_field(VMCS_entry_intr_info) &= ~VMX_EVENT_VALID;
	return !guest.refuse;
}

struct vm_exit vmx_guest_exit(u32 reason, u64 qualification, u32 len)
{
	struct vm_exit exit;

	*fake_field(VMCS_exit_reason) = reason;
	*fake_field(VMCS_exit_qualification) = qualification;
	*fake_field(VMCS_exit_insn_len) = len;
	memset(&exit, 0xff, sizeof(exit));
	vmx_run(&guest.vmx.vcpu, &exit);
	assert_int_equal(exit.code, reason);
	return exit;
}

void vmx_guest_setup(void)
{
	fake_vmx_init();
	memset(&guest, 0, sizeof(guest));
	memset(vmx_cpus, 0, sizeof(vmx_cpus));
	vmx_host.vpids = 16;
	vmx_cpus[0].vpid_generation = 1;
	vmx_cpus[0].vpid_next = 1;
	guest.vmx.vcpu.vm = &vm;
	guest.vmx.vmcs = &guest.vmx.vmcs01;
	guest.vmx.vpid = &guest.vmx.vpid01;
	guest.vmx.vcpu.rip = *fake_field(VMCS_guest_rip) = 0x1000;
	guest.vmx.vcpu.rflags = *fake_field(VMCS_guest_rflags) = RFLAGS_FIXED | RFLAGS_IF;
	guest.vmx.vmcs01.rip = guest.vmx.vcpu.rip;
	guest.vmx.vmcs01.rflags = guest.vmx.vcpu.rflags;
	*fake_field(VMCS_guest_cr0) = CR0_PE;
}
