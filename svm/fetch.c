// SPDX-License-Identifier: MIT
/*
 * Reading the guest's code. A walk of its page tables (both dimensions, for L2) costs more than all
 * else that a short exit does, so each walk is remembered as the entries that it went through:
 * while all of them hold what they held, it would go the same way again.
 */
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

static struct svm_code_page *code_page(struct svm_vcpu *svm, u64 linear)
{
	return &svm->code[svm->vcpu.guest_mode][linear / PAGE_SIZE % SVM_CODE_PAGES];
}

static u64 ncr3(const struct svm_vcpu *svm)
{
	return svm_l2_is_nested(svm) ? svm->nested.ctl.ncr3 : ~0ull;
}

/* What else the walk depends on: which tables, and how they are read. */
static bool same_paging(const struct svm_vcpu *svm, const struct svm_code_page *c)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	return s->cr3 == c->cr3 && s->cr0 == c->cr0 && s->cr4 == c->cr4 && s->efer == c->efer &&
	       s->cpl == c->cpl && ncr3(svm) == c->ncr3;
}

static const u8 *code_page_find(struct svm_vcpu *svm, u64 linear)
{
	const struct svm_code_page *c = code_page(svm, linear);

	if (c->linear != (linear & PAGE_MASK) || !c->va || !same_paging(svm, c))
		return NULL;
	for (u32 i = 0; i < c->nr; i++) {
		if (READ_ONCE(*c->path[i].entry) != c->path[i].value)
			return NULL;
	}
	return c->va + linear % PAGE_SIZE;
}

/* --- remembering a walk --- */

struct recorder {
	struct svm_vcpu *svm;
	struct svm_code_page *c;
	bool failed;
	u32 calls;		       /* of record_l2(), one for each of L2's levels */
	gpa_t outer[PT_MAX_LEVEL + 1]; /* where L2's entries lie, from the root down */
};

static void record_entry(struct recorder *r, gpa_t gpa, u64 value)
{
	const char *page = guest_page_read(svm_mmu(r->svm), gpa_to_gfn(gpa));

	if (!page || r->c->nr == ARRAY_SIZE(r->c->path)) {
		r->failed = true;
		return;
	}
	r->c->path[r->c->nr].entry = (const u64 *)(page + gpa.v % PAGE_SIZE);
	r->c->path[r->c->nr++].value = value;
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
	struct svm_code_page *c = code_page(svm, linear);
	struct recorder r = {.svm = svm, .c = c};
	struct pt_mode mode;
	u64 root;

	c->va = NULL;
	c->nr = 0;
	if (!(s->cr0 & CR0_PG))
		return;
	root = svm_paging(svm, &mode);
	if (mode.fmt->entry_size != sizeof(u64))
		return;
	if (svm_l2_is_nested(svm))
		record_nested(&r, &mode, root, linear, access);
	else
		record_walk(&r, mode.fmt, linear, w);
	if (r.failed)
		return;
	c->linear = linear & PAGE_MASK;
	c->cr3 = s->cr3;
	c->cr0 = s->cr0;
	c->cr4 = s->cr4;
	c->efer = s->efer;
	c->cpl = s->cpl;
	c->ncr3 = ncr3(svm);
	c->va = guest_page_read(svm_mmu(svm), gpa_to_gfn(w->gpa));
}

/* --- reading --- */

bool svm_code_is_64bit(const struct svm_vcpu *svm)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	return s->efer & EFER_LMA && s->cs.attrib & VMCB_SEG_L;
}

static u64 linear_rip(const struct svm_vcpu *svm)
{
	if (svm_code_is_64bit(svm))
		return svm->vcpu.rip;
	return (u32)(svm->vcpu.rip + svm->vmcb->save.cs.base);
}

const u8 *svm_code_at_rip(struct svm_vcpu *svm, u32 len)
{
	u64 linear = linear_rip(svm);

	if (linear % PAGE_SIZE + len > PAGE_SIZE)
		return NULL;
	return code_page_find(svm, linear);
}

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
	u64 linear = linear_rip(svm) + *have;
	u32 len = MIN((u32)(PAGE_SIZE - linear % PAGE_SIZE), SVM_INSN_MAX - *have);
	int err = fetch_in_page(svm, linear, buf + *have, len);

	if (!err)
		*have += len;
	return err;
}
