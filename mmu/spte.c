// SPDX-License-Identifier: MIT
/*
 * The one place where an SPTE that a processor may be walking changes, and the one function,
 * spte_changed(), that draws every consequence from the old and the new value.
 */
#include "mmu/spte.h"

#include "mmu/env.h"
#include "mmu/rmap.h"
#include "mmu/shadow_page.h"

/* --- making and reading values ---------------------------------------------------------- */

bool spte_present(const struct mmu *mmu, u64 spte)
{
	return spte & mmu->cfg.fmt->present;
}

bool spte_is_leaf(const struct mmu *mmu, u64 spte, int level)
{
	const struct pt_format *fmt = mmu->cfg.fmt;

	return (spte & fmt->present) && (level == PG_LEVEL_4K || (spte & fmt->huge));
}

static bool is_table(const struct mmu *mmu, u64 spte, int level)
{
	return spte_present(mmu, spte) && !spte_is_leaf(mmu, spte, level);
}

bool spte_writable(const struct mmu *mmu, u64 spte)
{
	return spte_present(mmu, spte) && (spte & mmu->cfg.fmt->write);
}

u32 spte_access(const struct mmu *mmu, u64 spte)
{
	/* Our own tables always use NX. */
	const struct pt_mode mode = {.fmt = mmu->cfg.fmt, .nx = true};

	return pt_entry_access(&mode, spte);
}

hpa_t spte_hpa(const struct mmu *mmu, u64 spte)
{
	return (hpa_t){spte & mmu->cfg.fmt->addr_mask};
}

u64 spte_make_leaf(const struct mmu *mmu, hpa_t hpa, int level, u32 access)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	/* NPT accesses are user accesses (APM 2 15.25.5), so U is always granted. */
	u64 spte = hpa.v | fmt->accessed | fmt->leaf_type | fmt->user;

	if (fmt->read)
		spte |= access & ACC_READ ? fmt->read : 0;
	else
		spte |= fmt->present;
	if (access & ACC_WRITE)
		spte |= fmt->write | fmt->dirty;
	if (access & ACC_EXEC)
		spte |= fmt->exec;
	else
		spte |= fmt->nx;
	return level > PG_LEVEL_4K ? spte | fmt->huge : spte;
}

u64 spte_make_table(const struct mmu *mmu, const void *table)
{
	const struct pt_format *fmt = mmu->cfg.fmt;

	/* EPT: present is R, W and X, all of them granted; NPT: P, and W and U besides. */
	return env_hpa(table).v | fmt->present | fmt->write | fmt->user | fmt->accessed;
}

u64 spte_make_split_child(const struct mmu *mmu, u64 huge, int level, int index)
{
	u64 child = huge + (u64)index * LEVEL_SIZE(level - 1);

	return level - 1 > PG_LEVEL_4K ? child : child & ~mmu->cfg.fmt->huge;
}

u64 spte_wrprot(const struct mmu *mmu, u64 spte)
{
	return spte & ~mmu->cfg.fmt->write;
}

/* --- consequences of a change ------------------------------------------------------------- */

static enum mmu_tree tree_of(const struct spte_pos *pos)
{
	return pos->sp ? MMU_TREE_NESTED : MMU_TREE_TDP;
}

/* True when leaf @new grants less than leaf @old of the same memory. */
static inline bool leaf_grants_less(const struct mmu *mmu, u64 old, u64 new)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	u64 lost = old & ~new, gained = new & ~old;

	return (lost & (fmt->present | fmt->write | fmt->exec | fmt->dirty)) || (gained & fmt->nx);
}

/*
 * True when not each entry of @table grants all that the huge leaf @huge above it does. A processor
 * may go on with the huge translation: after an exact split that is no harm and owes nothing.
 */
static bool table_grants_less(const struct mmu *mmu, u64 huge, int level, const u64 *table)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	u64 may_differ = fmt->accessed | fmt->dirty;
	u64 expect = spte_make_split_child(mmu, huge, level, 0);
	u64 step = LEVEL_SIZE(level - 1);

	for (int i = 0; i < TABLE_ENTRIES; i++, expect += step) {
		u64 e = READ_ONCE(table[i]);

		if (e == expect)
			continue;
		if (((e ^ expect) & fmt->addr_mask) || !spte_is_leaf(mmu, e, level - 1))
			return true;
		if (((e ^ expect) & ~may_differ) && leaf_grants_less(mmu, expect, e))
			return true;
		if (expect & ~e & fmt->dirty)
			return true;
	}
	return false;
}

static bool flush_needed(const struct spte_pos *pos, u64 old, u64 new)
{
	const struct mmu *mmu = pos->mmu;
	u64 addr = mmu->cfg.fmt->addr_mask;

	if (!spte_present(mmu, old))
		return false; /* what is not present is not cached */
	if (!spte_present(mmu, new))
		return true;
	if (is_table(mmu, old, pos->level)) /* another table, or a leaf, instead of this one */
		return ((old ^ new) & addr) || !is_table(mmu, new, pos->level);
	if (is_table(mmu, new, pos->level))
		return table_grants_less(mmu, old, pos->level, env_va(spte_hpa(mmu, new)));
	return ((old ^ new) & addr) || leaf_grants_less(mmu, old, new);
}

/*
 * TDP: a table comes (@sign 1) or goes (-1) with all that it holds: the tables under it and the
 * leaves are counted here and not one by one.
 */
static void tdp_count_table(struct mmu *mmu, const u64 *table, int level, s64 sign)
{
	s64 leaves = 0;

	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 e = READ_ONCE(table[i]);

		if (is_table(mmu, e, level))
			tdp_count_table(mmu, env_va(spte_hpa(mmu, e)), level - 1, sign);
		else if (spte_present(mmu, e))
			leaves++;
	}
	if (leaves)
		mmu_stat_add(&mmu->stats.pages[MMU_TREE_TDP][level - 1], sign * leaves);
	mmu_stat_add(&mmu->stats.tdp_pages, sign);
}

/* Nested: the rmap of the gfn, or the child's list of parents, that @spte belongs to. */
static struct rmap_head *nested_head(const struct spte_pos *pos, u64 spte, gfn_t gfn)
{
	struct mmu *mmu = pos->mmu;
	struct memslot *slot;

	if (is_table(mmu, spte, pos->level))
		return &spte_child(mmu, spte)->parents;
	slot = memslot_find(mmu, gfn);
	assert(slot);
	return rmap_get(slot, gfn, pos->level);
}

static void nested_relink(const struct spte_pos *pos, u64 old, u64 new, struct mmu_caches *caches)
{
	struct mmu *mmu = pos->mmu;
	bool was = spte_present(mmu, old), is = spte_present(mmu, new);
	gfn_t old_gfn = pos->gfn;

	if (was && is) {
		u64 keep = mmu->cfg.fmt->addr_mask;

		if (!((old ^ new) & keep) &&
		    is_table(mmu, old, pos->level) == is_table(mmu, new, pos->level))
			return;
		/* The caller's gfn is the new one's. */
		if (!is_table(mmu, old, pos->level))
			old_gfn = shadow_page_gfn(pos->sp, pos->sptep - pos->sp->spt);
	}
	pos->sp->present = pos->sp->present - was + is;
	if (was)
		rmap_remove(mmu, nested_head(pos, old, old_gfn), pos->sptep);
	if (is)
		rmap_add(mmu, nested_head(pos, new, pos->gfn), pos->sptep, caches);
}

static void tdp_recount(const struct spte_pos *pos, u64 old, u64 new)
{
	struct mmu *mmu = pos->mmu;
	bool was = is_table(mmu, old, pos->level), is = is_table(mmu, new, pos->level);

	if (was && is && spte_hpa(mmu, old).v == spte_hpa(mmu, new).v)
		return;
	if (was)
		tdp_count_table(mmu, env_va(spte_hpa(mmu, old)), pos->level - 1, -1);
	if (is)
		tdp_count_table(mmu, env_va(spte_hpa(mmu, new)), pos->level - 1, 1);
}

/* All that follows from an entry's change. @b is NULL where no processor saw the old value. */
static void spte_changed(const struct spte_pos *pos, u64 old, u64 new, struct mmu_caches *caches,
			 struct flush_batch *b)
{
	struct mmu *mmu = pos->mmu;
	enum mmu_tree tree = tree_of(pos);
	int leaves = spte_is_leaf(mmu, new, pos->level) - spte_is_leaf(mmu, old, pos->level);

	if (b && flush_needed(pos, old, new))
		flush_owe(b, BIT(tree));
	if (leaves)
		mmu_stat_add(&mmu->stats.pages[tree][pos->level - 1], leaves);
	if (tree == MMU_TREE_NESTED)
		nested_relink(pos, old, new, caches);
	else
		tdp_recount(pos, old, new);
}

/* --- changing ----------------------------------------------------------------------------- */

bool spte_cmpxchg(const struct spte_pos *pos, u64 *old, u64 new, struct mmu_caches *caches,
		  struct flush_batch *b)
{
	u64 was;

	debug_assert(pos->sp ? rwlock_held_write(&pos->mmu->lock) : rwlock_held(&pos->mmu->lock));
	was = env_pte_cmpxchg(pos->sptep, *old, new);
	if (was != *old) {
		*old = was;
		return false;
	}
	spte_changed(pos, was, new, caches, b);
	return true;
}

u64 spte_set(const struct spte_pos *pos, u64 new, struct mmu_caches *caches, struct flush_batch *b)
{
	u64 old = READ_ONCE(*pos->sptep);

	while (old != new && !spte_cmpxchg(pos, &old, new, caches, b))
		;
	return old;
}

u64 spte_clear_bits(const struct spte_pos *pos, u64 clear, struct flush_batch *b)
{
	u64 old = READ_ONCE(*pos->sptep);

	while ((old & clear) && !spte_cmpxchg(pos, &old, old & ~clear, NULL, b))
		;
	return old;
}

void spte_init(const struct spte_pos *pos, u64 new, struct mmu_caches *caches)
{
	u64 old = *pos->sptep;

	*pos->sptep = new;
	if (pos->sp)
		spte_changed(pos, old, new, caches, NULL);
}

void spte_fill_split(const struct mmu *mmu, u64 *table, u64 huge, int level)
{
	u64 child = spte_make_split_child(mmu, huge, level, 0);
	u64 step = LEVEL_SIZE(level - 1);

	for (int i = 0; i < TABLE_ENTRIES; i++, child += step)
		table[i] = child;
}

void spte_wrprot_table(struct mmu *mmu, u64 *table, int first, int last, struct flush_batch *b)
{
	u64 write = mmu->cfg.fmt->write;
	struct spte_pos pos = {.mmu = mmu, .level = PG_LEVEL_4K};

	for (int i = first; i <= last; i++) {
		u64 old = READ_ONCE(table[i]);

		pos.sptep = &table[i];
		while ((old & write) && !spte_cmpxchg(&pos, &old, old & ~write, NULL, b))
			;
	}
}
