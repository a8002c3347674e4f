// SPDX-License-Identifier: MIT
#include "vmx/nested_msrs.h"
#include "kernel/exits.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/nested_check_internal.h"

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

/* The MSRs that guests read and write without an exit: those of fpu.c... */
static u64 *register_of(struct vmx_regs *r, u32 msr)
{
	switch (msr) {
	case MSR_STAR:
		return &r->star;
	case MSR_LSTAR:
		return &r->lstar;
	case MSR_CSTAR:
		return &r->cstar;
	case MSR_SFMASK:
		return &r->sfmask;
	case MSR_KERNEL_GS_BASE:
		return &r->kernel_gs_base;
	case MSR_TSC_AUX:
		return vmx_host.tsc_aux ? &r->tsc_aux : NULL;
	}
	return NULL;
}

/* ...and those of the VMCS. */
static bool field_of(u32 msr, enum vmcs_field *field)
{
	static const struct {
		u32 msr;
		enum vmcs_field field;
	} fields[] = {
		{MSR_SYSENTER_CS, VMCS_guest_sysenter_cs},
		{MSR_SYSENTER_ESP, VMCS_guest_sysenter_esp},
		{MSR_SYSENTER_EIP, VMCS_guest_sysenter_eip},
		{MSR_FS_BASE, VMCS_guest_fs_base},
		{MSR_GS_BASE, VMCS_guest_gs_base},
	};

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].msr == msr) {
			*field = fields[i].field;
			return true;
		}
	}
	return false;
}

/* What WRMSR refuses of them. */
static bool value_bad(u32 msr, u64 value)
{
	switch (msr) {
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_KERNEL_GS_BASE:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return !vmx_canonical(value);
	case MSR_SFMASK:
	case MSR_TSC_AUX:
		return value >> 32;
	}
	return false;
}

/* The TSC of L2 is L1's with an offset: loading one for the other is not done (26.4 allows it). */
static int load(struct vmx_vcpu *vmx, const struct msr_entry *e)
{
	u64 *reg = register_of(&vmx->regs, e->index);
	enum vmcs_field field;

	if (vmx_check_msr_entry(e->index, e->reserved, true) || value_bad(e->index, e->value) ||
	    e->index == MSR_TSC)
		return -EINVAL;
	if (reg) {
		vmx_cpu_release(vmx);
		*reg = e->value;
		return 0;
	}
	if (!field_of(e->index, &field))
		return msr_write(&vmx->vcpu, e->index, e->value);
	vmcs_write(field, e->value);
	return 0;
}

static int store(struct vmx_vcpu *vmx, struct msr_entry *e)
{
	u64 *reg = register_of(&vmx->regs, e->index);
	enum vmcs_field field;

	if (vmx_check_msr_entry(e->index, e->reserved, false))
		return -EINVAL;
	if (reg) {
		vmx_cpu_save(vmx);
		e->value = *reg;
		return 0;
	}
	if (!field_of(e->index, &field))
		return msr_read(&vmx->vcpu, e->index, &e->value);
	e->value = vmcs_read(field);
	return 0;
}

/* A list may be in anybody's memory: one entry after the other, each read once. */
static gpa_t entry_at(u64 list, u32 i)
{
	return (gpa_t){list + i * sizeof(struct msr_entry)};
}

u32 vmx_l1_msrs_load(struct vmx_vcpu *vmx, u64 list, u32 count)
{
	struct msr_entry e;

	vmx_vmcs_use(vmx);
	for (u32 i = 0; i < count; i++) {
		if (i == VMX_MSR_LIST_MAX ||
		    guest_read(vmx_mmu(vmx), entry_at(list, i), &e, sizeof(e)) || load(vmx, &e))
			return i + 1;
	}
	return 0;
}

u32 vmx_l1_msrs_store(struct vmx_vcpu *vmx, u64 list, u32 count)
{
	struct msr_entry e;

	vmx_vmcs_use(vmx);
	for (u32 i = 0; i < count; i++) {
		if (i == VMX_MSR_LIST_MAX ||
		    guest_read(vmx_mmu(vmx), entry_at(list, i), &e, sizeof(e)) || store(vmx, &e) ||
		    guest_write(vmx_mmu(vmx), entry_at(list, i), &e, sizeof(e)))
			return i + 1;
	}
	return 0;
}
