// SPDX-License-Identifier: MIT
/*
 * A VMCS from its page on: what L0 intercepts in L1, the host's state, which of a CPU's VMCSs is
 * the current one; and the MSRs that L1 may touch without an exit.
 */
#include "kernel/cpu.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/bitmaps.h"
#include "vmx/vmx.h"

/* A set bit is an exit. For L1: what the processor switches, or fpu.c, L1 may read and write
 * itself. */
static u8 msr_bitmap_l1[PAGE_SIZE] __aligned(4096);

static const u32 free_msrs[] = {
	MSR_FS_BASE,	  MSR_GS_BASE,	    MSR_KERNEL_GS_BASE, MSR_LSTAR,  MSR_CSTAR,
	MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,		MSR_SFMASK, MSR_SYSENTER_CS,
};

/*
 * #DB and #AC: their delivery can raise them again for ever with no instruction boundary in
 * between, which would keep every interrupt out. #MC is the machine's.
 */
#define EXCEPTIONS_L1 (BIT(EXC_DB) | BIT(EXC_AC) | BIT(EXC_MC))

static void let_through(u32 msr)
{
	for (u32 write = 0; write < 2; write++) {
		int bit = vmx_msr_bit(msr, write);

		msr_bitmap_l1[bit / 8] &= (u8)~BIT(bit % 8);
	}
}

void vmx_vmcs_init_maps(void)
{
	memset(msr_bitmap_l1, 0xff, sizeof(msr_bitmap_l1));
	for (u32 i = 0; i < ARRAY_SIZE(free_msrs); i++)
		let_through(free_msrs[i]);
	if (vmx_host.tsc_aux)
		let_through(MSR_TSC_AUX);
}

/* 24.11.3: a new VMCS holds anything. What this processor does not have, or is read-only, stays. */
static void clear_fields(void)
{
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		if (vmcs_fields[i].kind != VMCS_DATA && !vmcs_try_write(vmcs_fields[i].encoding, 0))
			continue;
	}
}

static void init_controls(struct vmx_vcpu *vmx)
{
	const struct vmx_controls *c = &vmx_host.controls;

	vmcs_write(VMCS_pin_controls, c->pin);
	vmcs_write(VMCS_proc_controls, c->proc);
	vmcs_write(VMCS_proc_controls_2, c->proc2);
	vmcs_write(VMCS_exit_controls, c->exit);
	vmcs_write(VMCS_entry_controls, c->entry);
	vmcs_write(VMCS_exception_bitmap, EXCEPTIONS_L1);
	vmcs_write(VMCS_msr_bitmap, ptr_to_hpa(msr_bitmap_l1).v);
	vmcs_write(VMCS_virtual_apic, ptr_to_hpa(vmx->vapic).v);
	vmcs_write(VMCS_ept_pointer, vmx->vpid01.eptp);
	vmcs_write(VMCS_link_pointer, ~0ull);
	vmcs_write(VMCS_cr0_mask, ~vmx_host.cr0_owned);
	vmcs_write(VMCS_cr4_mask, ~vmx_host.cr4_owned);
	if (c->pin & VMX_PIN_TIMER)
		vmcs_write(VMCS_preemption_timer, vmx_host.timer_ticks);
	vmx->proc = c->proc;
	vmx->vmcs->proc = c->proc;
}

static u64 table_base(bool interrupts)
{
	struct {
		u16 limit;
		u64 base;
	} __packed table;

	if (interrupts)
		__asm__ volatile("sidt %0" : "=m"(table));
	else
		__asm__ volatile("sgdt %0" : "=m"(table));
	return table.base;
}

/* 24.5. What L0 does not use is 0. */
static void init_host_state(void)
{
	vmcs_write(VMCS_host_cr0, read_cr0());
	vmcs_write(VMCS_host_cr3, read_cr3());
	vmcs_write(VMCS_host_cr4, read_cr4());
	vmcs_write(VMCS_host_cs_selector, SEL_CODE);
	vmcs_write(VMCS_host_ss_selector, SEL_DATA);
	vmcs_write(VMCS_host_ds_selector, SEL_DATA);
	vmcs_write(VMCS_host_es_selector, SEL_DATA);
	vmcs_write(VMCS_host_tr_selector, SEL_TSS);
	vmcs_write(VMCS_host_gs_base, (u64)this_cpu());
	vmcs_write(VMCS_host_tr_base, (u64)&this_cpu()->tss);
	vmcs_write(VMCS_host_gdtr_base, table_base(false));
	vmcs_write(VMCS_host_idtr_base, table_base(true));
	vmcs_write(VMCS_host_pat, rdmsr(MSR_PAT));
	vmcs_write(VMCS_host_efer, rdmsr(MSR_EFER));
	vmcs_write(VMCS_host_rip, (u64)vmx_exit_here);
}

int vmx_vmcs_create(struct vmx_vcpu *vmx)
{
	u32 *page = page_alloc();

	vmx->vmcs01.page = page;
	vmx->vmcs = &vmx->vmcs01;
	if (!page)
		return -ENOMEM;
	*page = (u32)(vmx_host.facts.basic & VMX_BASIC_REVISION);
	vmx_vmclear(ptr_to_hpa(page));
	vmx_vmcs_use(vmx);
	clear_fields();
	init_controls(vmx);
	init_host_state();
	return 0;
}

/* VMCLEAR first: the processor may still hold parts of it and write them later, 24.11.1. */
void vmx_vmcs_free(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];

	if (!vmx->vmcs01.page)
		return;
	vmx_vmclear(ptr_to_hpa(vmx->vmcs01.page));
	if (cpu->current == &vmx->vmcs01)
		cpu->current = NULL;
	page_free(vmx->vmcs01.page);
}

void vmx_vmcs_use(const struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];

	if (cpu->current == vmx->vmcs)
		return;
	vmx_vmptrld(ptr_to_hpa(vmx->vmcs->page));
	cpu->current = vmx->vmcs;
}
