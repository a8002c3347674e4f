// SPDX-License-Identifier: MIT
/* The VMX backend's table of operations: what the machine has, switching it on, vCPUs' lives. */
#include "vmx/vmx.h"
#include "kernel/apic.h"
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/panic.h"
#include "kernel/time.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "vmx/asm.h"

#define VPIDS 65536 /* SDM 3C 24.6.12: 0 is VMX root operation's */

struct vmx_host vmx_host;
struct vmx_cpu vmx_cpus[MAX_CPUS];

/* Where there are TRUE_ MSRs, those; SDM 3D A.2. */
static u64 capability(u64 basic, u32 plain, u32 true_)
{
	return rdmsr(basic & VMX_BASIC_TRUE ? true_ : plain);
}

static struct vmx_facts facts(void)
{
	struct vmx_facts f = {.vmx = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX};

	if (!f.vmx)
		return f;
	f.feature_control = rdmsr(MSR_FEATURE_CONTROL);
	f.basic = rdmsr(MSR_VMX_BASIC);
	f.misc = rdmsr(MSR_VMX_MISC);
	f.pin = capability(f.basic, MSR_VMX_PIN, MSR_VMX_TRUE_PIN);
	f.proc = capability(f.basic, MSR_VMX_PROC, MSR_VMX_TRUE_PROC);
	f.exit = capability(f.basic, MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT);
	f.entry = capability(f.basic, MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY);
	if (f.proc >> 32 & VMX_PROC_SECONDARY)
		f.proc2 = rdmsr(MSR_VMX_PROC2);
	if (f.proc2 >> 32 & (VMX_PROC2_EPT | VMX_PROC2_VPID))
		f.ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
	f.rdtscp = cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_RDTSCP;
	return f;
}

static int vmx_probe(struct vendor_caps *caps, char *why, size_t size)
{
	struct vmx_facts f = facts();
	const char *refusal = vmx_refusal(&f);

	if (refusal) {
		snprintf(why, size, "Intel VMX: %s", refusal);
		return -ENODEV;
	}
	vmx_host.facts = f;
	vmx_host.controls = vmx_controls_for(&f);
	vmx_host.vpids = VPIDS;
	vmx_host.tsc_aux = vmx_host.controls.proc2 & VMX_PROC2_RDTSCP;
	vmx_host.huge_1g = cpu_has_1g_pages();
	vmx_host.timer_ticks = vmx_timer_ticks(&f, 2 * tsc_hz() / HZ);
	fpu_probe();
	vmx_limits_init();
	vmx_vmcs_init_maps();
	*caps = (struct vendor_caps){
		.what = "Intel VMX",
		.fmt = &pt_formats[PT_FMT_EPT4],
		.tags = vmx_host.vpids,
		.huge_1g = f.ept_vpid & VMX_EPT_1G,
		.no_dirty_bits = !(f.ept_vpid & VMX_EPT_AD),
	};
	return 0;
}

/* A bug of L0's: it uses these instructions only as it may. */
void vmx_insn_failed(const char *insn, u64 operand)
{
	panic("%s 0x%lx failed", insn, operand);
}

static void free_page(void *page)
{
	if (page)
		page_free(page);
}

static int vmx_cpu_enable(void)
{
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];
	u64 control = rdmsr(MSR_FEATURE_CONTROL);
	u32 *region = page_alloc();

	if (!region)
		return -ENOMEM;
	/* SDM 3C 23.7: firmware that leaves it unlocked leaves it to us. */
	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	*region = (u32)(vmx_host.facts.basic & VMX_BASIC_REVISION);
	write_cr4(read_cr4() | CR4_VMXE);
	if (!vmx_try_vmxon(ptr_to_hpa(region)))
		vmx_insn_failed("VMXON", ptr_to_hpa(region).v);
	/*
	 * The first number taken opens a generation, with everything flushed. 0 is that of a vCPU
	 * that has none yet.
	 */
	*cpu = (struct vmx_cpu){
		.vmxon = region,
		.vpid_generation = 1,
		.vpid_next = vmx_host.vpids,
	};
	return 0;
}

static void vmx_cpu_disable(void)
{
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];

	if (cpu->owner)
		vmx_cpu_release(cpu->owner);
	if (cpu->current)
		vmx_vmclear(ptr_to_hpa(cpu->current->page));
	vmx_vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	page_free(cpu->vmxon);
	*cpu = (struct vmx_cpu){0};
}

static void vmx_vcpu_free(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_cpu *cpu = &vmx_cpus[this_cpu()->id];

	if (cpu->owner == vmx)
		cpu->owner = NULL;
	nested_mmu_free(vmx_mmu(vmx), &vcpu->nested);
	vmx_vmcs_free(vmx);
	free_page(vmx->vapic);
	free_page(vcpu->fpu);
	kfree(vmx);
}

static struct vcpu *vmx_vcpu_create(struct vm *vm, int id)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx));

	if (!vmx)
		return NULL;
	vmx->vcpu.vm = vm;
	vmx->vcpu.id = id;
	vmx->vcpu.fpu = page_alloc();
	vmx->vapic = page_alloc();
	vmx->vpid01.eptp = vmx_eptp(&vmx_host.facts, mmu_tdp_root(vmx_mmu(vmx)));
	vmx->vpid = &vmx->vpid01;
	vmx->nested.vmxon_pointer = vmx->nested.current = VMCS12_NONE;
	vmx->vpid01.tag = (struct tlb_tag){.kind = TAG_TDP, .must_flush = true};
	if (!vmx->vcpu.fpu || !vmx->vapic || vmx_vmcs_create(vmx) || vmx_reset(vmx)) {
		vmx_vcpu_free(&vmx->vcpu);
		return NULL;
	}
	return &vmx->vcpu;
}

static void vmx_nested_save(struct vcpu *vcpu, void *state)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_nested_state *out = state;

	vmx_vmcs_use(vmx);
	*out = vmx->nested;
	out->mov_ss = !!(vmx->interruptibility & VMX_BLOCK_MOV_SS);
	out->pending_debug = vmcs_read(VMCS_guest_pending_debug);
}

static int vmx_nested_load(struct vcpu *vcpu, const void *state)
{
	const struct vmx_nested_state *in = state;
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx_nested_state_check(in, &vmx_host.limits, vmx_host.nesting))
		return -EINVAL;
	vmx_vmcs_use(vmx);
	vmcs_write(VMCS_guest_pending_debug, in->pending_debug);
	vmx->nested = *in;
	vmx_cr_masks(vmx);
	return 0;
}

const struct vendor_ops vmx_ops = {
	.name = "vmx",
	.shutdown_code = VMX_EXIT_TRIPLE_FAULT,
	.probe = vmx_probe,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_free = vmx_vcpu_free,
	.run = vmx_run,
	.get_state = vmx_get_state,
	.set_state = vmx_set_state,
	.intr_allowed = vmx_intr_allowed,
	.intr_window = vmx_intr_window,
	.l1_tsc = vmx_l1_tsc,
	.set_l1_tsc = vmx_set_l1_tsc,
	.get_cr8 = vmx_get_cr8,
	.set_cr8 = vmx_set_cr8,
	.cr8_window = vmx_cr8_window,
	.nested_intr = vmx_nested_intr,
	.skip = vmx_skip,
	.fetch_insn = vmx_fetch_insn,
	.segment_bases = vmx_segment_bases,
	.translate = vmx_linear_to_gpa,
	.msr_read = vmx_msr_read,
	.msr_write = vmx_msr_write,
	.cpuid = vmx_cpuid,
	.virt_insn = vmx_virt_insn,
	.nested_owns = vmx_nested_owns,
	.nested_reflect = vmx_nested_reflect,
	.nested_reflect_fault = vmx_nested_reflect_fault,
	.instants = vmx_instants,
	.nested_desc = &vmx_nested_state_desc,
	.nested_save = vmx_nested_save,
	.nested_load = vmx_nested_load,
};
