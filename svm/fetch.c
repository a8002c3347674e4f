// SPDX-License-Identifier: MIT
/* Reading the guest's code, and remembering the way to it (code.h). */
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

/* --- remembering a walk --- */

u64 svm_code_differs_further(const struct svm_code_page *c)
{
	u64 differs = 0;

	for (u64 i = SVM_CODE_STEP; i < c->nr; i += SVM_CODE_STEP)
		differs |= svm_code_differs(&c->path[i]);
	return differs;
}

void svm_code_forget_l2(struct svm_vcpu *svm)
{
	for (u32 i = 0; i < SVM_CODE_PAGES; i++)
		svm->code[SVM_CODE_PAGES + i].efer = 0;
}

struct recorder {
	struct svm_vcpu *svm;
	struct svm_code_page *c;
	bool failed;
	u32 calls;		       /* of record_l2(), one for each of L2's levels */
	gpa_t outer[PT_MAX_LEVEL + 1]; /* where L2's entries lie, from the root down */
};

/*
 * The ways to L2's tables have most of L1's upper entries in common: once each is enough. One that
 * has changed in between makes two of them, and no path.
 */
static bool is_recorded(const struct svm_code_page *c, const u64 *entry, u64 value)
{
	for (u32 i = 0; i < c->nr; i++) {
		if (c->path[i].entry == entry && c->path[i].value == value)
			return true;
	}
	return false;
}

static void record_entry(struct recorder *r, gpa_t gpa, u64 value)
{
	const u64 *page = guest_page_read(svm_mmu(r->svm), gpa_to_gfn(gpa));
	u64 index = gpa.v % PAGE_SIZE / sizeof(u64);

	if (!page || r->c->nr == SVM_CODE_PATH)
		r->failed = true;
	else if (!is_recorded(r->c, page + index, value))
		r->c->path[r->c->nr++] = (struct svm_code_entry){page + index, value};
}

static void record_walk(struct recorder *r, const struct pt_format *fmt, u64 addr,
			const struct pt_walk *w)
{
	for (int level = fmt->levels; level >= w->level; level--) {
		u64 at = w->table[level].v + pt_index(fmt, addr, level) * sizeof(u64);

		record_entry(r, (gpa_t){at}, w->entry[level]);
	}
}

static int record_l2(void *ctx, u64 addr, u32 access, gpa_t *gpa)
{
	struct recorder *r = ctx;
	const struct nested_mmu *n = &r->svm->vcpu.nested;
	struct pt_walk w;

	if (pt_walk(svm_mmu(r->svm), &n->mode, n->root_gpa, addr, access | ACC_USER, &w))
		return -EFAULT;
	record_walk(r, n->mode.fmt, addr, &w);
	*gpa = w.gpa;
	if (r->calls < ARRAY_SIZE(r->outer))
		r->outer[r->calls] = *gpa;
	r->calls++;
	return 0;
}

/* The walk again, now that A and D are set: each entry is read once. */
static void record_nested(struct recorder *r, const struct pt_mode *mode, u64 root, u64 linear,
			  u32 access)
{
	struct pt_walk w;
	gpa_t gpa;
	u32 levels;

	if (r->svm->vcpu.nested.mode.fmt->entry_size != sizeof(u64) ||
	    pt_walk_nested(svm_mmu(r->svm), mode, root, linear, access, record_l2, r, &w)) {
		r->failed = true;
		return;
	}
	levels = (u32)(mode->fmt->levels - w.level + 1);
	if (r->calls != levels) {
		r->failed = true; /* the guest changed something in between */
		return;
	}
	for (u32 i = 0; i < levels; i++)
		record_entry(r, r->outer[i], w.entry[mode->fmt->levels - (int)i]);
	if (record_l2(r, w.gpa.v, access, &gpa))
		r->failed = true;
}

static void remember(struct svm_vcpu *svm, u64 linear, u32 access, const struct pt_walk *w)
{
	const struct vmcb_save *s = &svm->vmcb->save;
	struct svm_code_page *c = svm_code_page(svm, linear, svm->vcpu.guest_mode);
	struct recorder r = {.svm = svm, .c = c};
	struct pt_mode mode;
	u64 root;

	c->efer = 0;
	c->nr = 0;
	if (!(s->efer & EFER_LMA))
		return;
	root = svm_paging(svm, &mode);
	if (svm_l2_is_nested(svm))
		record_nested(&r, &mode, root, linear, access);
	else
		record_walk(&r, mode.fmt, linear, w);
	c->va = guest_page_read(svm_mmu(svm), gpa_to_gfn(w->gpa));
	if (r.failed || !c->va)
		return;
	for (; c->nr % SVM_CODE_STEP; c->nr++)
		c->path[c->nr] = c->path[c->nr - 1];
	c->linear = linear & PAGE_MASK;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->efer = s->efer;
	c->ncr3 = svm->nested.ctl.ncr3;
}

/* --- reading --- */

/* @len bytes at @linear, which lie within one page. */
static int fetch_in_page(struct svm_vcpu *svm, u64 linear, u8 *buf, size_t len)
{
	u32 access = ACC_READ | ACC_EXEC | (svm->vmcb->save.cpl == 3 ? ACC_USER : 0);
	struct pt_walk w;

	if (svm_translate(svm, linear, access, &w)) {
		if (w.nested_fault)
			return -EAGAIN;
		svm->vmcb->save.cr2 = linear;
		svm_queue_exception(svm, EXC_PF, true, w.error);
		return -EFAULT;
	}
	if (guest_read(svm_mmu(svm), w.gpa, buf, len))
		return -EAGAIN;
	remember(svm, linear, access, &w);
	return 0;
}

int svm_fetch(struct svm_vcpu *svm, u8 buf[SVM_INSN_MAX], u32 *have)
{
	u64 linear = svm_linear_rip(svm) + *have;
	u32 len = MIN((u32)(PAGE_SIZE - linear % PAGE_SIZE), SVM_INSN_MAX - *have);
	int err = fetch_in_page(svm, linear, buf + *have, len);

	if (!err)
		*have += len;
	return err;
}
