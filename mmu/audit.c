// SPDX-License-Identifier: MIT
/*
 * The audit's driver and its walk over the TDP tree. It recomputes from the slots what each
 * leaf may be, and trusts neither the statistics nor whoever made the entry.
 */
#include "mmu/audit.h"

#include "lib/bitmap.h"
#include "lib/printf.h"
#include "mmu/env.h"
#include "mmu/nx_huge.h"
#include "mmu/shadow_mmu.h"
#include "mmu/tdp_mmu.h"

/* One fault may show in each of a million entries. */
#define ERRORS_SHOWN 20

void audit_fail(struct audit *a, const char *fmt, ...)
{
	char text[sizeof(a->first)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (a->errors++ == 0)
		snprintf(a->first, sizeof(a->first), "%s", text);
	if (a->errors <= ERRORS_SHOWN)
		env_warn("audit: %s", text);
}

struct leaf {
	struct mmu *mmu;
	const struct memslot *slot;
	u64 gfn, spte;
	int level;
};

static void leaf_fail(struct audit *a, const struct leaf *l, const char *what)
{
	audit_fail(a, "TDP gfn %llx level %d spte %llx: %s", (unsigned long long)l->gfn, l->level,
		   (unsigned long long)l->spte, what);
}

static void audit_memory(struct audit *a, const struct leaf *l)
{
	u64 end = l->slot->base.v + l->slot->npages;
	u64 size = LEVEL_SIZE(l->level);
	hpa_t hpa;
	int level;

	if (l->gfn < l->slot->base.v || l->gfn + LEVEL_PAGES(l->level) > end) {
		leaf_fail(a, l, "reaches out of its slot");
		return;
	}
	hpa = memslot_hpa(l->slot, (gfn_t){l->gfn}, &level);
	if ((spte_hpa(l->mmu, l->spte).v & ~(size - 1)) != hpa.v)
		leaf_fail(a, l, "maps memory that is not its gfn's");
	if (l->level > level)
		leaf_fail(a, l, "larger than the memory behind it");
	if (l->level > l->mmu->cfg.max_leaf_level)
		leaf_fail(a, l, "larger than allowed");
}

static bool all_dirty(const struct memslot *slot, u64 gfn, u64 npages)
{
	u64 first = gfn - slot->base.v, end = first + npages;

	return bitmap_find_next_clear(slot->dirty_bitmap, end, first) == end;
}

static void audit_rights(struct audit *a, const struct leaf *l)
{
	if (l->level > PG_LEVEL_4K && l->mmu->cfg.nx_huge_pages &&
	    (spte_access(l->mmu, l->spte) & ACC_EXEC))
		leaf_fail(a, l, "huge and executable");
	if (!spte_writable(l->mmu, l->spte))
		return;
	if (l->slot->flags & MEMSLOT_READONLY)
		leaf_fail(a, l, "writable in a read-only slot");
	if (memslot_tracked_inside(l->slot, (gfn_t){l->gfn}, l->level))
		leaf_fail(a, l, "writable over a tracked table of L1's");
	/* By dirty bits the processor notes who writes a 4K page. */
	if (l->slot->dirty_bitmap && (l->level > PG_LEVEL_4K || l->mmu->cfg.dirty == DIRTY_WP) &&
	    !all_dirty(l->slot, l->gfn, LEVEL_PAGES(l->level)))
		leaf_fail(a, l, "writable in a logged slot without its dirty bit");
}

/* Below what a scan for dirty bits skips, a leaf has D only where the log knows of it. */
static void audit_cold(struct audit *a, const struct leaf *l)
{
	if (l->level == PG_LEVEL_4K && l->slot->dirty_bitmap &&
	    (l->spte & l->mmu->cfg.fmt->dirty) && !all_dirty(l->slot, l->gfn, 1))
		leaf_fail(a, l, "dirty where no scan looks");
}

static void audit_leaf(struct mmu *mmu, struct audit *a, u64 gfn, u64 spte, int level, bool cold)
{
	struct leaf l = {.mmu = mmu,
			 .gfn = gfn,
			 .spte = spte,
			 .level = level,
			 .slot = memslot_find(mmu, (gfn_t){gfn})};

	if (level < PG_LEVEL_4K || level > PG_LEVEL_1G) {
		leaf_fail(a, &l, "no leaf can be at this level");
		return;
	}
	a->leaves[MMU_TREE_TDP][level - 1]++;
	if (!l.slot) {
		leaf_fail(a, &l, "outside of every slot");
		return;
	}
	audit_memory(a, &l);
	if (gfn + LEVEL_PAGES(level) > l.slot->base.v + l.slot->npages)
		return;
	audit_rights(a, &l);
	if (cold)
		audit_cold(a, &l);
}

/* @table's entries are of @level; the first maps @gfn. @cold: scans for dirty bits skip it. */
static void audit_table(struct mmu *mmu, struct audit *a, const u64 *table, int level, u64 gfn,
			bool cold)
{
	assert(level >= PG_LEVEL_4K);
	for (int i = 0; i < TABLE_ENTRIES; i++, gfn += LEVEL_PAGES(level)) {
		u64 e = READ_ONCE(table[i]);
		const u64 *below;

		a->checked++;
		if (!spte_present(mmu, e))
			continue;
		if (spte_is_leaf(mmu, e, level)) {
			audit_leaf(mmu, a, gfn, e, level, cold);
			continue;
		}
		below = env_va(spte_hpa(mmu, e));
		if (((e | mmu->cfg.fmt->accessed) & ~SPTE_COLD) != spte_make_table(mmu, below))
			audit_fail(a, "TDP gfn %llx level %d: table entry %llx is malformed",
				   (unsigned long long)gfn, level, (unsigned long long)e);
		a->tdp_tables++;
		a->nx_splits += nx_split_listed(below);
		if (nx_split_listed(below) && level != PG_LEVEL_2M)
			audit_fail(a, "TDP gfn %llx level %d: is listed as an NX split",
				   (unsigned long long)gfn, level);
		audit_table(mmu, a, below, level - 1, gfn,
			    cold || ((e & SPTE_COLD) && !(e & mmu->cfg.fmt->accessed)));
	}
}

static void audit_count(struct audit *a, const char *what, u64 counted, u64 stat)
{
	if (counted != stat)
		audit_fail(a, "%s: counted %llu, statistics say %llu", what,
			   (unsigned long long)counted, (unsigned long long)stat);
}

void tdp_audit(struct mmu *mmu, struct audit *a)
{
	static const char *const names[3] = {"TDP 4K leaves", "TDP 2M leaves", "TDP 1G leaves"};

	audit_table(mmu, a, mmu->tdp_root, mmu->cfg.fmt->levels, 0, false);
	for (int i = 0; i < 3; i++)
		audit_count(a, names[i], a->leaves[MMU_TREE_TDP][i],
			    mmu->stats.pages[MMU_TREE_TDP][i]);
	audit_count(a, "TDP tables", a->tdp_tables, mmu->stats.tdp_pages);
}

u64 mmu_audit(struct mmu *mmu, struct audit *a)
{
	*a = (struct audit){0};
	rwlock_write_lock(&mmu->lock);
	tdp_audit(mmu, a);
	shadow_audit(mmu, a);
	audit_count(a, "NX splits", a->nx_splits, mmu->stats.nx_lpage_splits);
	rwlock_write_unlock(&mmu->lock);
	return a->errors;
}
