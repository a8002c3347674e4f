// SPDX-License-Identifier: MIT
/* The VM of svm_vm.h, and what svm/ needs beside it. */
#include "tests/host/svm_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/trace.h"
#include "lib/x86.h"

#define P   BIT(0)
#define RWX (BIT(0) | BIT(1) | BIT(2))

struct svm_vm sv;
struct svm_host svm_host;
struct svm_cpu svm_cpus[MAX_CPUS];
u64 trace_mask[BITMAP_WORDS(TRACE_COUNT)];

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

void vm_end(struct vm *vm, int status, const char *fmt, ...)
{
	(void)fmt;
	vm->exit_status = status;
	vm->ended = true;
}

void *page_alloc(void)
{
	void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	return memset(page, 0, PAGE_SIZE);
}

void *sv_va(u64 gpa)
{
	return (char *)env_va(memslot_hpa(sv.slot, gpa_to_gfn((gpa_t){gpa}), NULL)) +
	       gpa % PAGE_SIZE;
}

static u64 new_table(u64 base)
{
	sv.next_table -= PAGE_SIZE;
	memset(sv_va(sv.next_table), 0, PAGE_SIZE);
	return sv.next_table - base;
}

u64 *sv_map(u64 base, u64 root, u64 addr, u64 to, int level)
{
	u64 table = root, *entry = NULL;

	for (int l = 4; l >= level; l--) {
		entry = (u64 *)sv_va(base + table) + (addr >> (12 + 9 * (l - 1))) % 512;
		if (l == 1)
			*entry = to | RWX | BIT(5) | BIT(6);
		else if (!(*entry & P))
			*entry = new_table(base) | RWX | BIT(5);
		table = *entry & GENMASK(39, 12);
	}
	return entry;
}

u64 sv_copy_table(u64 base, u64 table)
{
	u64 copy = new_table(base);

	memcpy(sv_va(base + copy), sv_va(base + table), PAGE_SIZE);
	return copy;
}

static void make_tables(void)
{
	for (u64 at = 0; at < SV_L2_BASE; at += PAGE_SIZE)
		sv_map(0, SV_L1_ROOT, at, at, 1);
	/* L2's tables lie in L2's memory. */
	for (u64 at = 0; at < 0x80000; at += PAGE_SIZE)
		sv_map(SV_L2_BASE, SV_L2_ROOT, at, at, 1);
	for (u64 at = 0; at < (SV_PAGES << 12) - SV_L2_BASE; at += PAGE_SIZE)
		sv_map(0, SV_NP_ROOT, at, SV_L2_BASE + at, 1);
}

static void fill_registers(struct vmcb_save *s, u64 root, u64 rip)
{
	s->cs.attrib = VMCB_SEG_CODE64;
	s->es.attrib = s->ss.attrib = s->ds.attrib = VMCB_SEG_DATA;
	s->efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
	s->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
	s->cr3 = root;
	s->cr4 = CR4_PAE;
	s->dr6 = DR6_INIT;
	s->dr7 = DR7_INIT;
	s->g_pat = 0x0007040600070406;
	s->rflags = RFLAGS_FIXED;
	s->rip = rip;
}

static void fill_vmcb12(struct vmcb *v)
{
	memset(v, 0, PAGE_SIZE);
	vmcb_intercept_set(&v->control, INTERCEPT_VMRUN);
	vmcb_intercept_set(&v->control, INTERCEPT_VMMCALL);
	v->control.iopm_base = 0x70000;
	v->control.msrpm_base = 0x74000;
	v->control.asid = 1;
	v->control.nested_ctl = SVM_NP_ENABLE;
	v->control.ncr3 = SV_NP_ROOT;
	fill_registers(&v->save, SV_L2_ROOT, SV_L2_CODE);
}

static struct svm_vcpu *make_vcpu(int id)
{
	struct svm_vcpu *svm = calloc(1, sizeof(*svm));

	svm->vcpu.vm = &sv.vm;
	svm->vcpu.id = id;
	assert_int_equal(svm_vmcb_create(svm), 0);
	svm->asid01.tag = (struct tlb_tag){.kind = TAG_TDP, .must_flush = true};
	fill_registers(&svm->vmcb01->save, SV_L1_ROOT, SV_L1_CODE);
	svm_use_vmcb01(svm);
	svm_registers_from_vmcb(svm);
	svm->nested.svme = svm->nested.gif = 1;
	svm_gif_place(svm);
	return svm;
}

void sv_make(u32 features)
{
	env_reset();
	memset(&sv, 0, sizeof(sv));
	assert_int_equal(env_mmu_make(&sv.vm.mmu, NULL), 0);
	sv.slot = env_slot(&sv.vm.mmu, 0, 0, SV_PAGES, 0, 2);
	sv.next_table = SV_PAGES * PAGE_SIZE;
	svm_host = (struct svm_host){.asids = 16, .features = features, .huge_1g = true};
	svm_host.limits = (struct svm_limits){
		.maxphyaddr = 40,
		.nested_paging = true,
		.flush_by_asid = true,
		.cr4_allowed = CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE,
		.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
	};
	svm_vmcb_init_maps();
	make_tables();
	for (int i = 0; i < SV_VCPUS; i++) {
		sv.vcpus[i] = make_vcpu(i);
		fill_vmcb12(sv_vmcb12((u32)i));
	}
}

int sv_end(void)
{
	for (int i = 0; i < SV_VCPUS; i++) {
		nested_mmu_free(&sv.vm.mmu, &sv.vcpus[i]->vcpu.nested);
		free(sv.vcpus[i]->vmcb01);
		free(sv.vcpus[i]->vmcb02);
		free(sv.vcpus[i]);
	}
	return env_mmu_end(&sv.vm.mmu);
}

void sv_put_code(struct svm_vcpu *svm, const char *bytes, u32 len)
{
	u64 base = svm->vcpu.guest_mode ? SV_L2_BASE : 0;

	for (u32 i = 0; i < len; i++)
		*(char *)sv_va(base + svm->vcpu.rip + i) = bytes[i];
}

void sv_virt_insn(struct svm_vcpu *svm, u32 code)
{
	const struct vm_exit exit = {.kind = EXIT_VIRT_INSN, .code = code};
	char insn[4] = "\x0f\x01";

	insn[2] = code == SVM_EXIT_INVLPGA ? '\xdf' : (char)(0xd8 + code - SVM_EXIT_VMRUN);
	sv_put_code(svm, insn, 3);
	assert_int_equal(svm_virt_insn(&svm->vcpu, &exit), NESTED_DONE);
}

bool sv_vmrun(u32 vcpu)
{
	struct svm_vcpu *svm = sv.vcpus[vcpu];

	svm->vcpu.rip = SV_L1_CODE;
	svm->vcpu.gpr[RAX] = SV_VMCB(vcpu);
	sv_virt_insn(svm, SVM_EXIT_VMRUN);
	return svm->vcpu.guest_mode;
}
