// SPDX-License-Identifier: MIT
/* What it takes to carry out an instruction of the guest's: its segments and addresses. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "mmu/pt_walk.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

/* SDM 1 3.4.4: in 64-bit code only FS and GS have a base. */
u8 vmx_segment_bases(struct vcpu *vcpu, u64 base[SEG_GS + 1])
{
	bool wide;

	vmx_vmcs_use(to_vmx(vcpu));
	wide = vmx_code_is_64bit();
	base[SEG_ES] = wide ? 0 : vmcs_read(VMCS_guest_es_base);
	base[SEG_CS] = wide ? 0 : vmcs_read(VMCS_guest_cs_base);
	base[SEG_SS] = wide ? 0 : vmcs_read(VMCS_guest_ss_base);
	base[SEG_DS] = wide ? 0 : vmcs_read(VMCS_guest_ds_base);
	base[SEG_FS] = vmcs_read(VMCS_guest_fs_base);
	base[SEG_GS] = vmcs_read(VMCS_guest_gs_base);
	if (wide)
		return 64;
	return vmcs_read(VMCS_guest_cs_ar) & VMX_AR_DB ? 32 : 16;
}

static struct vmx_walk_key walk_key(u64 linear, u32 access)
{
	return (struct vmx_walk_key){
		.cr0 = vmcs_read(VMCS_guest_cr0),
		.cr3 = vmcs_read(VMCS_guest_cr3),
		.cr4 = vmcs_read(VMCS_guest_cr4),
		.efer = vmcs_read(VMCS_guest_efer),
		.page = linear / PAGE_SIZE,
		.access = access,
	};
}

static bool walk_holds(const struct vmx_walk *c, const struct vmx_walk_key *key)
{
	u64 differs = (c->key.cr0 ^ key->cr0) | (c->key.cr3 ^ key->cr3) | (c->key.cr4 ^ key->cr4) |
		      (c->key.efer ^ key->efer) | (c->key.page ^ key->page) |
		      (c->key.access ^ key->access);

	if (!c->entry[0])
		return false;
	for (u32 i = 0; i < VMX_WALK_LEVELS; i++)
		differs |= READ_ONCE(*c->entry[i]) ^ c->value[i];
	return !differs;
}

/* Only tables of four levels, which all 64-bit code has here. */
static void walk_keep(struct vmx_vcpu *vmx, struct vmx_walk *c, const struct vmx_walk_key *key,
		      const struct pt_walk *w)
{
	const struct pt_format *fmt = &pt_formats[PT_FMT_LONG4];

	c->entry[0] = NULL;
	if (!(key->efer & EFER_LMA) || key->cr4 & CR4_LA57)
		return;
	for (int i = VMX_WALK_LEVELS - 1; i >= 0; i--) {
		int level = MAX(VMX_WALK_LEVELS - i, w->level);
		u32 at = pt_index(fmt, key->page * PAGE_SIZE, level);
		const u64 *table = guest_page_read(vmx_mmu(vmx), gpa_to_gfn(w->table[level]));

		c->entry[i] = table ? table + at : NULL;
		c->value[i] = w->entry[level];
		if (!table)
			break;
	}
	c->key = *key;
	c->gpa.v = w->gpa.v & PAGE_MASK;
}

int vmx_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_walk *c = &vmx->walks[linear / PAGE_SIZE % VMX_WALKS];
	u32 access = ACC_READ | (write ? ACC_WRITE : 0);
	struct vmx_walk_key key;
	struct pt_walk w;

	vmx_vmcs_use(vmx);
	if (vmx_cpl() == 3)
		access |= ACC_USER;
	key = walk_key(linear, access);
	if (likely(vmx->vmcs == &vmx->vmcs01 && walk_holds(c, &key))) {
		gpa->v = c->gpa.v | linear % PAGE_SIZE;
		return 0;
	}
	if (vmx_translate(vmx, linear, access, &w)) {
		vmx_set_cr2(vmx, linear);
		vmx_queue_exception(vmx, EXC_PF, true, w.error);
		return -EFAULT;
	}
	if (vmx->vmcs == &vmx->vmcs01)
		walk_keep(vmx, c, &key, &w);
	*gpa = w.gpa;
	return 0;
}
