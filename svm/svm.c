// SPDX-License-Identifier: MIT
/* The SVM backend's table of operations: what the machine has, switching it on, vCPUs' lives. */
#include "svm/svm.h"
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "svm/probe.h"

struct svm_host svm_host;
struct svm_cpu svm_cpus[MAX_CPUS];

static struct svm_facts facts(void)
{
	struct svm_facts f = {
		.svm = cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_SVM &&
		       cpuid(CPUID_EXT1, 0).ecx & CPUID_EXT1_ECX_SVM,
	};

	if (f.svm) {
		f.vm_cr = rdmsr(MSR_VM_CR);
		f.asids = cpuid(CPUID_SVM, 0).ebx;
		f.features = cpuid(CPUID_SVM, 0).edx;
	}
	return f;
}

/* LSTAR is free: L0 has no system calls. */
static bool msrs_unchecked(void)
{
	u64 was = rdmsr(MSR_LSTAR);
	bool taken = !wrmsr_safe(MSR_LSTAR, BIT(62));

	wrmsr(MSR_LSTAR, was);
	return taken;
}

static int svm_probe(struct vendor_caps *caps, char *why, size_t size)
{
	struct svm_facts f = facts();
	const char *refusal = svm_refusal(&f);

	if (refusal) {
		snprintf(why, size, "SVM: %s", refusal);
		return -ENODEV;
	}
	svm_host.asids = f.asids;
	svm_host.features = f.features;
	fpu_probe();
	svm_host.tsc_aux = cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_RDTSCP;
	svm_host.msrs_unchecked = msrs_unchecked();
	svm_host.huge_1g = cpu_has_1g_pages();
	svm_limits_init(&svm_host.limits);
	svm_vmcb_init_maps();
	*caps = (struct vendor_caps){
		.what = "AMD SVM",
		.fmt = &pt_formats[PT_FMT_LONG4],
		.tags = svm_host.asids,
		.huge_1g = svm_host.huge_1g,
	};
	return 0;
}

static void free_page(void *page)
{
	if (page)
		page_free(page);
}

static int svm_cpu_enable(void)
{
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	cpu->host = page_alloc();
	cpu->hsave = page_alloc();
	if (!cpu->host || !cpu->hsave) {
		free_page(cpu->host);
		free_page(cpu->hsave);
		return -ENOMEM;
	}
	/*
	 * The first number taken opens a generation, with everything flushed. 0 is that of a vCPU
	 * that has none yet.
	 */
	cpu->asid_generation = 1;
	cpu->asid_next = svm_host.asids;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, ptr_to_hpa(cpu->hsave).v);
	__asm__ volatile("vmsave %%rax" : : "a"(ptr_to_hpa(cpu->host).v) : "memory");
	return 0;
}

static void svm_cpu_disable(void)
{
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	if (cpu->owner)
		svm_cpu_release(cpu->owner);
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	page_free(cpu->host);
	page_free(cpu->hsave);
	*cpu = (struct svm_cpu){0};
}

static void svm_vcpu_free(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	if (cpu->owner == svm)
		cpu->owner = NULL;
	nested_mmu_free(svm_mmu(svm), &vcpu->nested);
	free_page(svm->vmcb01);
	free_page(svm->vmcb02);
	free_page(vcpu->fpu);
	kfree(svm);
}

static struct vcpu *svm_vcpu_create(struct vm *vm, int id)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm));

	if (!svm)
		return NULL;
	svm->vcpu.vm = vm;
	svm->vcpu.id = id;
	svm->vcpu.fpu = page_alloc();
	if (!svm->vcpu.fpu || svm_vmcb_create(svm)) {
		svm_vcpu_free(&svm->vcpu);
		return NULL;
	}
	svm->asid01.tag = (struct tlb_tag){.kind = TAG_TDP, .must_flush = true};
	svm_reset(svm);
	return &svm->vcpu;
}

static void svm_nested_save(struct vcpu *vcpu, void *state)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nested.gif = svm_gif(svm);
	svm_nested_state_save(&svm->nested, svm->vmcb01, svm->vmcb02,
			      svm->window && vcpu->guest_mode, state);
}

static int svm_nested_load(struct vcpu *vcpu, const void *state)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct svm_nested_state *in = state;

	if (svm_nested_state_check(in, &svm_host.limits))
		return -EINVAL;
	if (in->guest_mode && !svm_vmcb_page(svm, in->vmcb12))
		return -EINVAL;
	svm_registers_to_vmcb(svm);
	svm_nested_state_load(&svm->nested, svm->vmcb01, svm->vmcb02, in);
	svm->kept = (struct svm_kept){0};
	svm_l1_asid_flush_all(svm);
	svm_use_vmcb01(svm);
	svm_gif_place(svm);
	if (in->guest_mode) {
		int err = svm_nested_load_root(svm, true);

		if (err)
			return err;
		svm_nested_merge_control(svm);
	}
	svm_registers_from_vmcb(svm);
	return 0;
}

const struct vendor_ops svm_ops = {
	.name = "svm",
	.shutdown_code = SVM_EXIT_SHUTDOWN,
	.probe = svm_probe,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.vcpu_create = svm_vcpu_create,
	.vcpu_free = svm_vcpu_free,
	.run = svm_run,
	.get_state = svm_get_state,
	.set_state = svm_set_state,
	.intr_allowed = svm_intr_allowed,
	.intr_window = svm_intr_window,
	.l1_tsc = svm_l1_tsc,
	.set_l1_tsc = svm_set_l1_tsc,
	.get_cr8 = svm_get_cr8,
	.set_cr8 = svm_set_cr8,
	.cr8_window = svm_cr8_window,
	.nested_intr = svm_nested_intr,
	.skip = svm_skip,
	.fetch_insn = svm_fetch_insn,
	.segment_bases = svm_segment_bases,
	.translate = svm_linear_to_gpa,
	.msr_read = svm_msr_read,
	.msr_write = svm_msr_write,
	.cpuid = svm_cpuid,
	.virt_insn = svm_virt_insn,
	.nested_owns = svm_nested_owns,
	.nested_reflect = svm_nested_reflect,
	.nested_reflect_fault = svm_nested_reflect_fault,
	.instants = svm_instants,
	.nested_desc = &svm_nested_state_desc,
	.nested_save = svm_nested_save,
	.nested_load = svm_nested_load,
};
