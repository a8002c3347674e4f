// SPDX-License-Identifier: MIT
/*
 * The shadow MMU's part of the audit: what each shadow page, entry and list claims is compared
 * with what the others say.
 */
#include "mmu/audit.h"

#include "lib/assert.h"
#include "mmu/shadow_internal.h"

static bool rmap_holds(const struct rmap_head *head, const u64 *sptep)
{
	struct rmap_iter it;
	u64 *other;

	rmap_for_each (head, it, other) {
		if (other == sptep)
			return true;
	}
	return false;
}

static u64 rmap_descs(const struct rmap_head *head)
{
	u32 n = rmap_count(head);

	return n > 1 ? DIV_ROUND_UP(n, RMAP_DESC_ENTRIES) : 0;
}

/* No page of a logged slot is writable while its dirty bit is clear. */
static bool all_dirty(const struct memslot *slot, gfn_t gfn, u64 pages)
{
	const u64 *map = slot->dirty_bitmap;

	for (u64 i = gfn.v - slot->base.v, end = i + pages; map && i < end; i++) {
		if (!(READ_ONCE(map[i / 64]) & BIT(i % 64)))
			return false;
	}
	return true;
}

static void audit_writable(struct mmu *mmu, struct audit *a, const struct memslot *slot, gfn_t gfn,
			   int level)
{
	unsigned long long g = gfn.v;

	if (slot->flags & MEMSLOT_READONLY)
		audit_fail(a, "nested: gfn %llx of a read-only slot is writable", g);
	if (memslot_tracked_inside(slot, gfn, level))
		audit_fail(a, "nested: a tracked table in gfn %llx level %d is writable", g, level);
	/* By dirty bits the processor notes who writes a 4K page. */
	if ((level > PG_LEVEL_4K || mmu->cfg.dirty == DIRTY_WP) &&
	    !all_dirty(slot, gfn, LEVEL_PAGES(level)))
		audit_fail(a, "nested: gfn %llx level %d is writable but clean", g, level);
}

/* Below what a scan for dirty bits skips, a leaf has D only where the log knows of it. */
static void audit_cold(struct mmu *mmu, struct audit *a, const struct shadow_page *sp,
		       const struct memslot *slot, int i)
{
	gfn_t gfn = shadow_page_gfn(sp, i);
	struct rmap_iter it;
	u64 *sptep;

	if (!sp->cold || !(sp->spt[i] & mmu->cfg.fmt->dirty) || all_dirty(slot, gfn, 1))
		return;
	rmap_for_each (&sp->parents, it, sptep) {
		if (READ_ONCE(*sptep) & mmu->cfg.fmt->accessed)
			return;
	}
	audit_fail(a, "nested: gfn %llx is dirty where no scan looks", (unsigned long long)gfn.v);
}

static void audit_leaf(struct mmu *mmu, struct audit *a, struct shadow_page *sp, int i)
{
	u64 spte = sp->spt[i];
	int level = sp->role.level;
	gfn_t gfn = shadow_page_gfn(sp, i);
	unsigned long long g = gfn.v;
	struct memslot *slot = memslot_find(mmu, gfn);
	u32 grants = spte_access(mmu, spte);
	int host_level = 0;

	assert(level >= PG_LEVEL_4K && level <= PG_LEVEL_1G);
	a->leaves[MMU_TREE_NESTED][level - 1]++;
	if (!slot || gfn.v + LEVEL_PAGES(level) > slot->base.v + slot->npages ||
	    !IS_ALIGNED(gfn.v, LEVEL_PAGES(level))) {
		audit_fail(a, "nested: leaf of level %d over gfn %llx leaves its slot", level, g);
		return;
	}
	if (spte_hpa(mmu, spte).v != memslot_hpa(slot, gfn, &host_level).v || host_level < level)
		audit_fail(a, "nested: gfn %llx level %d is mapped to the wrong memory", g, level);
	if (level > mmu->cfg.max_leaf_level)
		audit_fail(a, "nested: gfn %llx is mapped at level %d", g, level);
	if (!rmap_holds(rmap_get(slot, gfn, level), &sp->spt[i]))
		audit_fail(a, "nested: no rmap entry for gfn %llx level %d", g, level);
	if (grants & ~shadow_page_access(sp, i) & (ACC_WRITE | ACC_EXEC))
		audit_fail(a, "nested: gfn %llx level %d grants %x", g, level, grants);
	if (spte_writable(mmu, spte))
		audit_writable(mmu, a, slot, gfn, level);
	if (level == PG_LEVEL_4K)
		audit_cold(mmu, a, sp, slot, i);
	if (level > PG_LEVEL_4K && mmu->cfg.nx_huge_pages && (grants & ACC_EXEC))
		audit_fail(a, "nested: gfn %llx level %d is huge and executable", g, level);
}

static void audit_table(struct mmu *mmu, struct audit *a, struct shadow_page *sp, int i)
{
	struct shadow_page *child = spte_child(mmu, sp->spt[i]);
	unsigned long long g = sp->gfn.v;
	union page_role role;

	if (!child) {
		audit_fail(a, "nested: entry %d of table %llx leads to no shadow page", i, g);
		return;
	}
	role = page_role_child(sp->role, shadow_page_access(sp, i), child->role.direct, (u32)i);
	role.invalid = 0; /* a zapped page may lead to one that others lead to as well */
	if (child->role.word != role.word)
		audit_fail(a, "nested: role %x under entry %d of table %llx, expected %x",
			   child->role.word, i, g, role.word);
	if (child->gfn.v != shadow_page_gfn(sp, i).v)
		audit_fail(a, "nested: entry %d of table %llx leads to another gfn", i, g);
	if (!rmap_holds(&child->parents, &sp->spt[i]))
		audit_fail(a, "nested: entry %d of table %llx is no parent of its child", i, g);
}

static void audit_state(struct mmu *mmu, struct audit *a, const struct shadow_page *sp)
{
	unsigned long long g = sp->gfn.v;
	bool tracked = page_role_has_table(sp->role) && !sp->unsync && memslot_find(mmu, sp->gfn);

	if (sp->role.invalid)
		audit_fail(a, "nested: invalid page of gfn %llx is still found", g);
	if (sp->unsync && (sp->role.level != PG_LEVEL_4K || sp->role.direct))
		audit_fail(a, "nested: page of gfn %llx level %d is unsync", g, sp->role.level);
	if (!sp->role.direct && sp->unsync == list_empty(&sp->unsync_link))
		audit_fail(a, "nested: page of gfn %llx is on the wrong list", g);
	if ((sp->role.level == PG_LEVEL_4K) == list_empty(&sp->leaf_link))
		audit_fail(a, "nested: page of gfn %llx level %d is missed by scans", g,
			   sp->role.level);
	if (sp->tracked != tracked)
		audit_fail(a, "nested: tracking of gfn %llx is %d", g, sp->tracked);
	if (sp->role.level < shadow_root_level(mmu, sp->role.fmt) && !sp->parents.val)
		audit_fail(a, "nested: page of gfn %llx level %d has no parent", g, sp->role.level);
}

/* Each parent that @sp lists leads here. */
static void audit_parents(struct mmu *mmu, struct audit *a, struct shadow_page *sp)
{
	struct rmap_iter it;
	u64 *sptep;

	rmap_for_each (&sp->parents, it, sptep) {
		a->rmap_entries++;
		if (!spte_present(mmu, *sptep) || spte_child(mmu, *sptep) != sp)
			audit_fail(a, "nested: a parent of table %llx does not lead to it",
				   (unsigned long long)sp->gfn.v);
	}
	a->rmap_descs += rmap_descs(&sp->parents);
}

/* Returns the number of present entries, each of which must stand in one list. */
static u64 audit_entries(struct mmu *mmu, struct audit *a, struct shadow_page *sp)
{
	int present = 0;

	for (int i = 0; i < TABLE_ENTRIES; i++) {
		if (!spte_present(mmu, sp->spt[i]))
			continue;
		a->checked++;
		present++;
		if (spte_is_leaf(mmu, sp->spt[i], sp->role.level))
			audit_leaf(mmu, a, sp, i);
		else
			audit_table(mmu, a, sp, i);
	}
	if (sp->present != present)
		audit_fail(a, "nested: table %llx has %d entries, says %d",
			   (unsigned long long)sp->gfn.v, present, sp->present);
	return (u64)present;
}

static u64 audit_page(struct mmu *mmu, struct audit *a, struct shadow_page *sp)
{
	a->shadow_pages++;
	a->nx_splits += sp->role.direct && !list_empty(&sp->nx_link);
	audit_state(mmu, a, sp);
	audit_parents(mmu, a, sp);
	return audit_entries(mmu, a, sp);
}

/* A page that waits to be emptied: nobody may reach it, what it maps is in the books as before. */
static u64 audit_zapped(struct mmu *mmu, struct audit *a, struct shadow_page *sp)
{
	if (!sp->role.invalid || sp->root_count || sp->parents.val || sp->tracked || sp->unsync ||
	    !list_empty(&sp->lru_link))
		audit_fail(a, "nested: page of gfn %llx is zapped, but still in use",
			   (unsigned long long)sp->gfn.v);
	return audit_entries(mmu, a, sp);
}

/* Each SPTE in @head is a leaf of @level that maps @gfn. */
static void audit_rmap(struct mmu *mmu, struct audit *a, struct rmap_head *head, gfn_t gfn,
		       int level)
{
	struct rmap_iter it;
	u64 *sptep;

	rmap_for_each (head, it, sptep) {
		struct shadow_page *sp = sptep_to_sp(sptep);

		a->rmap_entries++;
		if (!sp || sp->role.level != (u32)level || !spte_is_leaf(mmu, *sptep, level) ||
		    shadow_page_gfn(sp, sptep_index(sp, sptep)).v != gfn.v)
			audit_fail(a, "nested: rmap of gfn %llx level %d holds what maps it not",
				   (unsigned long long)gfn.v, level);
	}
	a->rmap_descs += rmap_descs(head);
}

static void audit_slot_rmaps(struct mmu *mmu, struct audit *a, struct memslot *slot)
{
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) {
		u64 first = slot->base.v & ~(LEVEL_PAGES(level) - 1);

		for (u64 i = 0; i < memslot_entries(slot, level); i++) {
			if (slot->rmap[level - 1][i].val)
				audit_rmap(mmu, a, &slot->rmap[level - 1][i],
					   (gfn_t){first + i * LEVEL_PAGES(level)}, level);
		}
	}
}

static u32 tracking_pages(struct mmu *mmu, gfn_t gfn)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;
	u32 n = 0;

	list_for_each_entry(sp, bucket, hash_link) n += sp->gfn.v == gfn.v && sp->tracked;
	return n;
}

/* How many ends of @slot cut through the page of @level at @first. */
static u32 cut_ends(const struct memslot *slot, u64 first, int level)
{
	u64 last = first + LEVEL_PAGES(level), end = slot->base.v + slot->npages;

	return (first < slot->base.v) + (last > end);
}

/* write_track is what the shadow pages say; disallow_lpage counts the tracked gfns and the ends. */
static void audit_tracking(struct mmu *mmu, struct audit *a, struct memslot *slot)
{
	for (u64 i = 0; i < slot->npages; i++) {
		gfn_t gfn = {slot->base.v + i};

		if (slot->write_track[i] && slot->write_track[i] != tracking_pages(mmu, gfn))
			audit_fail(a, "nested: gfn %llx is tracked %u times",
				   (unsigned long long)gfn.v, slot->write_track[i]);
	}
	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		u64 first = slot->base.v & ~(LEVEL_PAGES(level) - 1);

		for (u64 i = 0; i < memslot_entries(slot, level);
		     i++, first += LEVEL_PAGES(level)) {
			u64 from = MAX(first, slot->base.v);
			u64 to = MIN(first + LEVEL_PAGES(level), slot->base.v + slot->npages);
			u32 n = cut_ends(slot, first, level);

			for (u64 g = from; g < to; g++)
				n += slot->write_track[g - slot->base.v] > 0;
			if (slot->disallow_lpage[level - 2][i] != n)
				audit_fail(a,
					   "nested: level %d at gfn %llx is disallowed %u "
					   "times, for %u reasons",
					   level, (unsigned long long)first,
					   slot->disallow_lpage[level - 2][i], n);
		}
	}
}

static void audit_counts(struct mmu *mmu, struct audit *a, u64 entries)
{
	const struct mmu_stats *st = &mmu->stats;
	struct list_head *link;
	u64 lru = 0;

	for (link = mmu->shadow_lru.next; link != &mmu->shadow_lru; link = link->next)
		lru++;
	if (lru != a->shadow_pages || st->mmu_shadow_pages != lru)
		audit_fail(a, "nested: %llu pages found, %llu listed, %llu counted",
			   (unsigned long long)a->shadow_pages, (unsigned long long)lru,
			   (unsigned long long)st->mmu_shadow_pages);
	if (st->rmap_descs != a->rmap_descs)
		audit_fail(a, "nested: %llu descriptors found, %llu counted",
			   (unsigned long long)a->rmap_descs, (unsigned long long)st->rmap_descs);
	/* Each present entry stands in a list; as many entries then mean: none twice. */
	if (a->rmap_entries != entries)
		audit_fail(a, "nested: %llu entries in rmaps for %llu SPTEs",
			   (unsigned long long)a->rmap_entries, (unsigned long long)entries);
	for (int i = 0; i < 3; i++) {
		if (st->pages[MMU_TREE_NESTED][i] != a->leaves[MMU_TREE_NESTED][i])
			audit_fail(a, "nested: %llu leaves of level %d found, %llu counted",
				   (unsigned long long)a->leaves[MMU_TREE_NESTED][i], i + 1,
				   (unsigned long long)st->pages[MMU_TREE_NESTED][i]);
	}
}

void shadow_audit(struct mmu *mmu, struct audit *a)
{
	struct shadow_page *sp;
	u64 entries = 0;

	for (u64 i = 0; i < mmu->shadow_buckets; i++) {
		list_for_each_entry(sp, &mmu->shadow_hash[i], hash_link) entries +=
			audit_page(mmu, a, sp);
	}
	for (int i = 0; i < mmu->nr_slots; i++) {
		struct memslot *slot = &mmu->slots[i];

		if (!slot->npages)
			continue;
		audit_tracking(mmu, a, slot);
		if (mmu->nested_used)
			audit_slot_rmaps(mmu, a, slot);
	}
	list_for_each_entry(sp, &mmu->shadow_zapped, hash_link) entries += audit_zapped(mmu, a, sp);
	audit_counts(mmu, a, entries);
}
