// SPDX-License-Identifier: MIT
/* Which page tables are in force, as modes for the MMU's walker, for either level. */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

static struct pt_mode paging_mode(const struct vmcb_save *s)
{
	enum pt_format_id id = PT_FMT_32;

	if (s->efer & EFER_LMA)
		id = s->cr4 & CR4_LA57 ? PT_FMT_LONG5 : PT_FMT_LONG4;
	else if (s->cr4 & CR4_PAE)
		id = PT_FMT_PAE;
	return (struct pt_mode){
		.fmt = &pt_formats[id],
		.maxphyaddr = svm_host.limits.maxphyaddr,
		/* APM 2 5.6.1: only entries of 8 bytes have the bit. */
		.nx = s->efer & EFER_NXE && s->cr4 & CR4_PAE,
		.huge_1g = svm_host.huge_1g,
		.pse = s->cr4 & CR4_PSE,
		.wp = s->cr0 & CR0_WP,
		.ad = true,
	};
}

static u64 paging_root(const struct pt_mode *mode, u64 cr3)
{
	u64 address = cr3 & (BIT(mode->maxphyaddr) - 1);

	return address & (mode->fmt->id == PT_FMT_PAE ? ~0x1full : PAGE_MASK);
}

/* APM 2 15.25.3: the host's paging mode at VMRUN is the nested tables'. Their W always counts. */
struct pt_mode svm_nested_mode(const struct vmcb_save *s)
{
	struct pt_mode mode = paging_mode(s);

	mode.wp = true;
	return mode;
}

u64 svm_paging(const struct svm_vcpu *svm, struct pt_mode *mode)
{
	*mode = paging_mode(&svm->vmcb->save);
	return paging_root(mode, svm->vmcb->save.cr3);
}

static int translate_l2(void *ctx, u64 address, u32 access, gpa_t *gpa)
{
	struct svm_vcpu *svm = ctx;

	return nested_translate(svm_mmu(svm), &svm->vcpu.nested, (ngpa_t){address}, access, gpa);
}

/* The second dimension, for the address that the first one gave in @w. */
static int translate_final(struct svm_vcpu *svm, u32 access, struct pt_walk *w)
{
	u64 address = w->gpa.v;

	if (!translate_l2(svm, address, access, &w->gpa))
		return 0;
	w->nested_fault = true;
	w->nested_addr = address;
	return -EFAULT;
}

int svm_translate(struct svm_vcpu *svm, u64 linear, u32 access, struct pt_walk *w)
{
	bool nested = svm_l2_is_nested(svm);
	struct pt_mode mode;
	u64 root;
	int err = 0;

	if (svm->vmcb->save.cr0 & CR0_PG) {
		root = svm_paging(svm, &mode);
		if (nested)
			err = pt_walk_nested(svm_mmu(svm), &mode, root, linear, access,
					     translate_l2, svm, w);
		else
			err = pt_walk(svm_mmu(svm), &mode, (gpa_t){root}, linear, access, w);
	} else { /* the linear address is the physical one */
		w->nested_fault = false;
		w->gpa.v = linear;
	}
	return err || !nested ? err : translate_final(svm, access, w);
}
