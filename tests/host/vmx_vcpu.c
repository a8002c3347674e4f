// SPDX-License-Identifier: MIT
/* What vmx/state.c and its like need of their neighbours, and a vCPU for them. */
#include "tests/host/vmx_vcpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "mmu/pt_walk.h"

#define APIC_BASE 0xfee00900ull

/* --- what the sources need of their neighbours ---------------------------------------------- */

struct vmx_host vmx_host;
struct vmx_neighbours neighbours;

void vmx_vmcs_use(const struct vmx_vcpu *v)
{
	hpa_t page = {(u64)v->vmcs->page};

	vmx_vmptrld(page);
}

void vmx_cpu_save(struct vmx_vcpu *v)
{
	(void)v;
	neighbours.saves++;
}

void vmx_cpu_release(struct vmx_vcpu *v)
{
	(void)v;
	neighbours.releases++;
}

void vmx_set_dr6(struct vmx_vcpu *v, u64 clear, u64 set)
{
	(void)v, (void)clear, (void)set;
}

void vmx_set_cr2(struct vmx_vcpu *v, u64 cr2)
{
	(void)v, (void)cr2;
}

u32 vmx_cpl(void)
{
	return neighbours.cpl;
}

int vmx_translate(struct vmx_vcpu *v, u64 linear, u32 access, struct pt_walk *w)
{
	(void)v, (void)linear, (void)access, (void)w;
	return -EFAULT;
}

int xcr0_check(u64 xcr0)
{
	(void)xcr0;
	return neighbours.bad_xcr0 ? -EINVAL : 0;
}

int fpu_check(const u8 *fpu)
{
	(void)fpu;
	return neighbours.bad_fpu ? -EINVAL : 0;
}

int guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len)
{
	(void)mmu;
	neighbours.pdptes_at = gpa.v;
	if (gpa.v >> 40)
		return -EFAULT;
	memcpy(dst, neighbours.pdptes, len);
	return 0;
}

void *kzalloc(size_t size)
{
	return calloc(1, size);
}

void kfree(void *p)
{
	free(p);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level != LOG_ERR)
		return;
	va_start(ap, fmt);
	vsnprintf(neighbours.said, sizeof(neighbours.said), fmt, ap);
	va_end(ap);
}

/* --- a vCPU, and a state in which every field says something -------------------------------- */

void scramble(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((u8 *)p)[i] = (u8)(rand() >> 7);
}

void vmx_test_host(void)
{
	fake_vmx_init();
	memset(&neighbours, 0, sizeof(neighbours));
	vmx_host.limits = (struct vmx_limits){
		.misc = 0x401e0,
		.cr0_fixed0 = 0x80000021,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = CR4_OK | CR4_VMXE,
		.efer_allowed = EFER_OK,
		.maxphyaddr = 40,
	};
	vmx_host.cr4_allowed = CR4_OK;
	vmx_host.cr4_owned = CR4_OK;
	vmx_host.cr0_owned = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM | CR0_PG;
}

struct vmx_vcpu *vmx_test_vcpu(void)
{
	struct vmx_vcpu *vmx = calloc(1, sizeof(*vmx));
	static u32 pages;

	vmx->vcpu.vm = calloc(1, sizeof(struct vm));
	vmx->vcpu.fpu = calloc(1, VCPU_FPU_SIZE);
	vmx->vapic = calloc(1, PAGE_SIZE);
	vmx->vmcs = &vmx->vmcs01;
	vmx->vpid = &vmx->vpid01;
	vmx->vmcs01.page = (void *)(u64)(0x1000 * ++pages);
	vmx_vmcs_use(vmx);
	vmcs_write(VMCS_pin_controls, VMX_PIN_VIRTUAL_NMI);
	vmcs_write(VMCS_proc_controls, VMX_PROC_SECONDARY);
	vmcs_write(VMCS_proc_controls_2, VMX_PROC2_EPT | VMX_PROC2_UNRESTRICTED);
	vmcs_write(VMCS_entry_controls,
		   VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_LOAD_EFER | VMX_ENTRY_LOAD_PAT);
	vmcs_write(VMCS_link_pointer, ~0ull);
	return vmx;
}

void vmx_test_free(struct vmx_vcpu *vmx)
{
	free(vmx->vcpu.vm);
	free(vmx->vcpu.fpu);
	free(vmx->vapic);
	free(vmx);
}

static u64 canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16);
}

static void segments_fill(struct vcpu_state *s)
{
	for (int i = 0; i < SEG_NR; i++) {
		s->seg[i].base = i >= SEG_FS ? canonical(s->seg[i].base) : (u32)s->seg[i].base;
		s->seg[i].limit |= 0xfff;
		s->seg[i].attrib = 0xc93;
	}
	s->seg[SEG_ES].attrib = 0x413; /* not present: not usable */
	s->seg[SEG_CS].attrib = 0xa9b | s->cpl << 5;
	s->seg[SEG_CS].base = (u32)s->seg[SEG_CS].base;
	s->seg[SEG_SS].attrib |= s->cpl << 5;
	s->seg[SEG_LDTR].attrib = 0x882;
	s->seg[SEG_LDTR].selector &= ~4;
	s->seg[SEG_TR].attrib = 0x88b;
	s->seg[SEG_TR].selector &= ~4;
	for (int i = SEG_GDTR; i <= SEG_IDTR; i++) {
		s->seg[i].limit &= 0xffff;
		s->seg[i].attrib = s->seg[i].selector = 0;
	}
}

void vmx_test_state(struct vcpu_state *s)
{
	scramble(s, sizeof(*s));
	s->cpl &= 3;
	s->rip = canonical(s->rip);
	s->rflags = (s->rflags & 0x3c7dd5) | 0x202; /* not virtual 8086 mode */
	s->cr0 = (s->cr0 & 0x5003e) | 0x80000011;
	s->cr3 &= GENMASK(39, 0);
	s->cr4 = (s->cr4 & CR4_OK) | 0x20;
	s->cr8 &= 15;
	s->efer = (s->efer & 0x801) | 0x500;
	s->dr6 = (s->dr6 & 0xe00f) | 0xffff0ff0;
	s->dr7 = (u32)s->dr7 | 0x400;
	s->pat = 0x0706050401000706ull;
	s->lstar = canonical(s->lstar);
	s->cstar = canonical(s->cstar);
	s->sfmask = (u32)s->sfmask;
	s->kernel_gs_base = canonical(s->kernel_gs_base);
	s->sysenter_cs = (u32)s->sysenter_cs;
	s->sysenter_esp = canonical(s->sysenter_esp);
	s->sysenter_eip = canonical(s->sysenter_eip);
	s->tsc_aux = (u32)s->tsc_aux;
	s->debugctl = (u32)s->debugctl;
	s->interrupt_shadow &= 1;
	s->halted &= 1;
	s->nmi_masked &= 1;
	s->pending = (struct vcpu_event){.type = EVENT_EXCEPTION,
					 .vector = EXC_PF,
					 .has_error = 1,
					 .in_delivery = 1,
					 .error = s->pending.error};
	segments_fill(s);
}
