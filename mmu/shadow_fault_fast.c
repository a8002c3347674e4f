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

struct quick {
	struct mmu *mmu;
	struct nested_mmu *n;
	u64 addr;		/* L2-physical */
	u32 need;		/* ACC_* that the access needs */
	struct shadow_page *sp; /* of level 1 */
	int index;
	u64 old; /* the entry there */
};

static int entry_index(const struct quick *q, int level)
{
	return q->addr >> LEVEL_SHIFT(level) & (TABLE_ENTRIES - 1);
}

/* The table of level 1 on the way to the address, or NULL. */
static u64 *last_table(const struct quick *q)
{
	const struct shadow_page *root = q->n->root;
	u64 *table = root->spt;

	for (int level = root->role.level; level > PG_LEVEL_4K; level--) {
		u64 spte = READ_ONCE(table[entry_index(q, level)]);

		if (!spte_is_table(q->mmu, spte, level))
			return NULL;
		table = env_va(spte_hpa(q->mmu, spte));
	}
	return table;
}

/* May a page of @slot be mapped with all that L1 grants? */
static bool slot_is_plain(const struct memslot *slot, gfn_t gfn)
{
	return slot && !(slot->flags & MEMSLOT_READONLY) && !shadow_gfn_tracked(slot, gfn);
}

static void count_dirty_fault(struct quick *q, struct memslot *slot, gfn_t gfn)
{
	mmu_stat_add(&q->mmu->stats.dirty_faults, 1);
	dirty_log_mark(slot, gfn);
}

/*
 * A write to what is mapped, and lacks W although what it was made from grants that: for the dirty
 * log, or because it was tracked. L1 has not flushed since it last changed its entry, or that would
 * have been compared: as good as a TLB that holds it, so the entry need not be read.
 */
static bool regain_write(struct quick *q)
{
	const struct pt_format *fmt = q->mmu->cfg.fmt;
	gfn_t gfn = shadow_page_gfn(q->sp, q->index);
	struct memslot *slot;

	if (!(q->need & ACC_WRITE) || (q->old & fmt->write) ||
	    !(shadow_page_access(q->sp, q->index) & ACC_WRITE))
		return false;
	slot = memslot_find(q->mmu, gfn);
	if (!slot_is_plain(slot, gfn))
		return false;
	if (dirty_log_by_faults(q->mmu, slot))
		count_dirty_fault(q, slot, gfn);
	spte_grant(&q->sp->spt[q->index], q->old,
		   (fmt->write | fmt->dirty) & ~dirty_log_withheld(q->mmu, slot, true));
	mmu_stat_add(&q->mmu->stats.nested_pf_fixed, 1);
	return true;
}

/* Sets A, and for a write D, in L1's @entry as the processor would. False: that cannot be done. */
static bool set_ad(const struct quick *q, struct memslot *slot, u64 *l1_entry, u64 *entry)
{
	const struct pt_format *fmt = q->n->mode.fmt;
	u64 old = *entry;

	if (!q->n->mode.ad)
		return true;
	*entry |= fmt->accessed | (q->need & ACC_WRITE ? fmt->dirty : 0);
	return old == *entry || guest_set_ad_locked(slot, q->sp->gfn, l1_entry, old, *entry);
}

/* The leaf is there, and may gain what L1 grants now. */
static int upgrade(struct quick *q, struct memslot *slot, gfn_t gfn, u64 leaf, u32 grant)
{
	const struct pt_format *fmt = q->mmu->cfg.fmt;
	u64 lost = q->old & ~leaf & ~(fmt->accessed | fmt->dirty), gained = leaf & ~q->old;

	if (!(q->need & ~ACC_USER & ~spte_access(q->mmu, q->old))) {
		mmu_stat_add(&q->mmu->stats.pf_spurious, 1);
		return FAULT_FIXED;
	}
	if (lost || (gained & fmt->nx))
		return NOT_PLAIN;
	if ((leaf & fmt->write) && dirty_log_by_faults(q->mmu, slot))
		count_dirty_fault(q, slot, gfn);
	shadow_page_note(q->sp, q->index, gfn, grant);
	spte_grant(&q->sp->spt[q->index], q->old, gained);
	mmu_stat_add(&q->mmu->stats.nested_pf_fixed, 1);
	return FAULT_FIXED;
}

/* Nothing is there yet. */
static int map(struct quick *q, struct memslot *slot, gfn_t gfn, u64 leaf, u32 grant)
{
	struct rmap_head *head = rmap_get(slot, gfn, PG_LEVEL_4K);

	/* Lists have a limit. */
	if (head->val && (!rmap_single(head) || !q->n->caches.nr_descs))
		return NOT_PLAIN;
	if ((leaf & q->mmu->cfg.fmt->write) && dirty_log_by_faults(q->mmu, slot))
		dirty_log_mark(slot, gfn);
	shadow_page_note(q->sp, q->index, gfn, grant);
	spte_map_nested(q->mmu, q->sp, q->index, leaf, head, &q->n->caches);
	mmu_stat_add(&q->mmu->stats.nested_pf_fixed, 1);
	return FAULT_FIXED;
}

static int reflect(const struct quick *q, struct nested_fault *out)
{
	const struct pt_mode *mode = &q->n->mode;

	out->addr = q->addr;
	out->error = PFERR_U | (q->need & ACC_WRITE ? PFERR_W : 0);
	if ((q->need & ACC_EXEC) && (mode->nx || mode->fmt->exec))
		out->error |= PFERR_I;
	mmu_stat_add(&q->mmu->stats.nested_pf_reflected, 1);
	return FAULT_REFLECT;
}

/* By L1's entry as it is now. */
static int fill(struct quick *q, struct nested_fault *out)
{
	const struct pt_mode *mode = &q->n->mode;
	struct memslot *l1_slot = memslot_find(q->mmu, q->sp->gfn), *slot;
	u64 *l1_entry, entry, leaf, withheld;
	gfn_t gfn;
	u32 grant;

	if (q->sp->role.direct || mode->fmt->entry_size != sizeof(u64) || !l1_slot)
		return NOT_PLAIN;
	l1_entry = (u64 *)env_va(memslot_hpa(l1_slot, q->sp->gfn, NULL)) + q->index;
	entry = READ_ONCE(*l1_entry);
	if (!(entry & mode->fmt->present))
		return reflect(q, out);
	grant = q->sp->role.access & pt_entry_access(mode, entry);
	gfn.v = (entry & mode->fmt->addr_mask) >> PAGE_SHIFT;
	slot = memslot_find(q->mmu, gfn);
	if (pt_malformed(mode, entry, PG_LEVEL_4K, true) || (q->need & ~grant) ||
	    !slot_is_plain(slot, gfn) || !set_ad(q, l1_slot, l1_entry, &entry))
		return NOT_PLAIN;
	if (mode->ad && !(entry & mode->fmt->dirty))
		grant &= ~ACC_WRITE;

	withheld = dirty_log_withheld(q->mmu, slot, q->need & ACC_WRITE) & ~q->old;
	leaf = spte_make_leaf(q->mmu, memslot_hpa(slot, gfn, NULL), PG_LEVEL_4K,
			      withheld & q->mmu->cfg.fmt->write ? grant & ~ACC_WRITE : grant) &
	       ~withheld;
	if (!spte_present(q->mmu, q->old))
		return map(q, slot, gfn, leaf, grant);
	if (shadow_page_gfn(q->sp, q->index).v != gfn.v)
		return NOT_PLAIN;
	return upgrade(q, slot, gfn, leaf, grant);
}

/* As the general way does each time. */
static void touch_path(struct quick *q)
{
	struct shadow_page *path[PT_MAX_LEVEL + 1], *sp = q->n->root;
	int top = sp->role.level;

	for (int level = top; level > PG_LEVEL_4K; level--) {
		path[level] = sp;
		sp = spte_child(q->mmu, sp->spt[entry_index(q, level)]);
	}
	path[PG_LEVEL_4K] = sp;
	shadow_path_touch(q->mmu, path, PG_LEVEL_4K, top);
}

static int fault_locked(struct quick *q, struct nested_fault *out)
{
	u64 *table;

	if (!q->n->root)
		return NOT_PLAIN;
	/* Nothing leads on from a root that has been zapped. */
	table = last_table(q);
	if (!table)
		return NOT_PLAIN;
	q->sp = sptep_to_sp(table);
	q->index = entry_index(q, PG_LEVEL_4K);
	q->old = READ_ONCE(table[q->index]);
	if (unlikely(q->mmu->shadow_events - q->sp->touched > EVENTS_UNTOUCHED))
		touch_path(q);
	if (spte_present(q->mmu, q->old) && regain_write(q))
		return FAULT_FIXED;
	return fill(q, out);
}

int nested_fault_fast(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u32 access,
		      struct nested_fault *out)
{
	struct quick q = {.mmu = mmu, .n = n, .addr = addr.v, .need = access};
	int r;

	rwlock_write_lock(&mmu->lock);
	r = fault_locked(&q, out);
	rwlock_write_unlock(&mmu->lock);
	return r;
}
