// SPDX-License-Identifier: MIT
/*
 * The short way through a fault of L2. The tables that lead to the address are nearly always there,
 * and what is upper in them is as L1's tables say, as those are write-protected: so the processor's
 * own way down ends at the shadow page of L1's last table, and only its entry is to be read.
 * Whatever is not plain is left to the general way (mmu/shadow_fault.c), with nothing changed but A
 * and D.
 */
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/guest_mem.h"
#include "mmu/shadow_internal.h"

#define NOT_PLAIN (-EAGAIN)

/*
 * What was touched so many events ago is still near the warm end of the recency list, and L1 has
 * not written as often in between to a table on the way.
 */
#define EVENTS_UNTOUCHED 8

/* An entry of a shadow page of level 1, and who wants it. */
struct place {
	struct mmu *mmu;
	struct nested_mmu *n;
	struct shadow_page *sp;
	int index;
	u32 need; /* ACC_* that the access needs */
};

static int index_at(u64 addr, int shift)
{
	return addr >> shift & (TABLE_ENTRIES - 1);
}

/* The pages of the way that spte_last_table() has found. As the general way does each time. */
static __rare void touch_path(struct mmu *mmu, struct shadow_page *root, u64 addr)
{
	struct shadow_page *path[PT_MAX_LEVEL + 1], *sp = root;
	int level = root->role.level;

	path[level] = sp;
	while (level > PG_LEVEL_4K) {
		sp = spte_child(mmu, sp->spt[index_at(addr, LEVEL_SHIFT(level))]);
		path[--level] = sp;
	}
	shadow_path_touch(mmu, path, PG_LEVEL_4K, root->role.level);
}

/* May a page of @slot be mapped with all that L1 grants? */
static bool slot_is_plain(const struct memslot *slot, gfn_t gfn)
{
	return slot && !(slot->flags & MEMSLOT_READONLY) && !shadow_gfn_tracked(slot, gfn);
}

static void count_dirty_fault(struct mmu *mmu, struct memslot *slot, gfn_t gfn)
{
	mmu_stat_add(&mmu->stats.dirty_faults, 1);
	dirty_log_mark(slot, gfn);
}

/*
 * A write to what is mapped, and lacks W although what it was made from grants that: for the dirty
 * log, or because it was tracked. L1 has not flushed since it last changed its entry, or that would
 * have been compared: as good as a TLB that holds it, so the entry need not be read.
 */
static bool regain_write(const struct place *p, u64 old)
{
	const struct pt_format *fmt = p->mmu->cfg.fmt;
	gfn_t gfn = shadow_page_gfn(p->sp, p->index);
	struct memslot *slot;

	if (!(p->need & ACC_WRITE) || (old & fmt->write) ||
	    !(shadow_page_access(p->sp, p->index) & ACC_WRITE))
		return false;
	slot = memslot_find(p->mmu, gfn);
	if (!slot_is_plain(slot, gfn))
		return false;
	if (dirty_log_by_faults(p->mmu, slot))
		count_dirty_fault(p->mmu, slot, gfn);
	spte_grant(&p->sp->spt[p->index], old,
		   (fmt->write | fmt->dirty) & ~dirty_log_withheld(p->mmu, slot, true));
	mmu_stat_add(&p->mmu->stats.nested_pf_fixed, 1);
	return true;
}

/* Sets A, and for a write D, in L1's @entry as the processor would. False: that cannot be done. */
static bool set_ad(const struct place *p, struct memslot *slot, u64 *l1_entry, u64 *entry)
{
	const struct pt_format *fmt = p->n->mode.fmt;
	u64 old = *entry;

	if (!p->n->mode.ad)
		return true;
	*entry |= fmt->accessed | (p->need & ACC_WRITE ? fmt->dirty : 0);
	return old == *entry || guest_set_ad_locked(slot, p->sp->gfn, l1_entry, old, *entry);
}

/* The leaf @old is there, and may become @leaf, if that is more. */
static int upgrade(const struct place *p, struct memslot *slot, gfn_t gfn, u64 old, u64 leaf,
		   u32 grant)
{
	const struct pt_format *fmt = p->mmu->cfg.fmt;
	u64 lost = old & ~leaf & ~(fmt->accessed | fmt->dirty), gained = leaf & ~old;

	if (shadow_page_gfn(p->sp, p->index).v != gfn.v)
		return NOT_PLAIN;
	if (!(p->need & ~ACC_USER & ~spte_access(p->mmu, old))) {
		mmu_stat_add(&p->mmu->stats.pf_spurious, 1);
		return FAULT_FIXED;
	}
	if (lost || (gained & fmt->nx))
		return NOT_PLAIN;
	if ((leaf & fmt->write) && dirty_log_by_faults(p->mmu, slot))
		count_dirty_fault(p->mmu, slot, gfn);
	shadow_page_note(p->sp, p->index, gfn, grant);
	spte_grant(&p->sp->spt[p->index], old, gained);
	mmu_stat_add(&p->mmu->stats.nested_pf_fixed, 1);
	return FAULT_FIXED;
}

/* Nothing is there yet. */
static int map(const struct place *p, struct memslot *slot, gfn_t gfn, u64 leaf, u32 grant)
{
	struct rmap_head *head = rmap_get(slot, gfn, PG_LEVEL_4K);

	/* Lists have a limit. */
	if (head->val && (!rmap_single(head) || !p->n->caches.nr_descs))
		return NOT_PLAIN;
	if ((leaf & p->mmu->cfg.fmt->write) && dirty_log_by_faults(p->mmu, slot))
		dirty_log_mark(slot, gfn);
	shadow_page_note(p->sp, p->index, gfn, grant);
	spte_map_nested(p->mmu, p->sp, p->index, leaf, head, &p->n->caches);
	mmu_stat_add(&p->mmu->stats.nested_pf_fixed, 1);
	return FAULT_FIXED;
}

/* By L1's entry as it is now. */
static int fill(const struct place *p, u64 old)
{
	const struct pt_mode *mode = &p->n->mode;
	struct memslot *slot = memslot_find(p->mmu, p->sp->gfn);
	u64 *l1_entry, entry, leaf, withheld;
	gfn_t gfn;
	u32 grant;

	if (p->sp->role.direct || mode->fmt->entry_size != sizeof(u64) || !slot)
		return NOT_PLAIN;
	l1_entry = (u64 *)env_va(memslot_hpa(slot, p->sp->gfn, NULL)) + p->index;
	entry = READ_ONCE(*l1_entry);
	if (!(entry & mode->fmt->present))
		return FAULT_REFLECT;
	grant = p->sp->role.access & pt_leaf_access(mode, &p->n->leaf, entry);
	if ((p->need & ~grant) || !set_ad(p, slot, l1_entry, &entry))
		return NOT_PLAIN;
	if (mode->ad && !(entry & mode->fmt->dirty))
		grant &= ~ACC_WRITE;

	gfn.v = (entry & mode->fmt->addr_mask) >> PAGE_SHIFT;
	slot = memslot_find(p->mmu, gfn);
	if (!slot_is_plain(slot, gfn))
		return NOT_PLAIN;
	withheld = dirty_log_withheld(p->mmu, slot, p->need & ACC_WRITE) & ~old;
	leaf = spte_make_leaf(p->mmu, memslot_hpa(slot, gfn, NULL), PG_LEVEL_4K,
			      withheld & p->mmu->cfg.fmt->write ? grant & ~ACC_WRITE : grant) &
	       ~withheld;
	if (unlikely(spte_present(p->mmu, old)))
		return upgrade(p, slot, gfn, old, leaf, grant);
	return map(p, slot, gfn, leaf, grant);
}

/* mmu_lock (write). */
static int fault_locked(struct mmu *mmu, struct nested_mmu *n, u64 addr, u32 need)
{
	struct place p = {.mmu = mmu, .n = n, .need = need};
	u64 *table, old;

	if (!n->root)
		return NOT_PLAIN;
	/* Nothing leads on from a root that has been zapped. */
	table = spte_last_table(mmu, n->root->spt, (int)n->root->role.level, addr);
	if (!table)
		return NOT_PLAIN;
	p.sp = sptep_to_sp(table);
	p.index = index_at(addr, PAGE_SHIFT);
	if (unlikely(mmu->shadow_events - p.sp->touched > EVENTS_UNTOUCHED))
		touch_path(mmu, n->root, addr);
	old = READ_ONCE(table[p.index]);
	if (spte_present(mmu, old) && regain_write(&p, old))
		return FAULT_FIXED;
	return fill(&p, old);
}

static void reflect(struct mmu *mmu, const struct nested_mmu *n, u64 addr, u32 need,
		    struct nested_fault *out)
{
	out->addr = addr;
	out->granted = 0; /* the entry is not present */
	out->error = PFERR_U | (need & ACC_WRITE ? PFERR_W : 0);
	if ((need & ACC_EXEC) && pt_fetch_shows(&n->mode))
		out->error |= PFERR_I;
	mmu_stat_add(&mmu->stats.nested_pf_reflected, 1);
}

int mmu_nested_fault(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u64 error,
		     struct nested_fault *out)
{
	u32 need = ACC_READ | ACC_USER;
	int level = PG_LEVEL_4K, r;

	need |= error & PFERR_W ? ACC_WRITE : 0;
	need |= error & PFERR_I ? ACC_EXEC : 0;
	rwlock_write_lock(&mmu->lock);
	r = fault_locked(mmu, n, addr.v, need);
	rwlock_write_unlock(&mmu->lock);
	if (unlikely(r == FAULT_REFLECT))
		reflect(mmu, n, addr.v, need, out);
	if (unlikely(r == NOT_PLAIN)) {
		mmu_stat_add(&mmu->stats.nested_pf_walked, 1);
		r = nested_fault_walk(mmu, n, addr, need, out, &level);
	}
	env_trace(MMU_EV_nested_fault, addr.v, error, (u64)r, (u64)level);
	return r;
}
