// SPDX-License-Identifier: MIT
/*
 * The one place where an SPTE that a processor may be walking changes, and the one function,
 * spte_changed(), that draws every consequence from the old and the new value.
 */
#include "mmu/spte.h"

#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/rmap.h"
#include "mmu/shadow_page.h"

/* --- making and reading values ---------------------------------------------------------- */

u32 spte_access(const struct mmu *mmu, u64 spte)
{
	/* Our own tables always use NX. */
	const struct pt_mode mode = {.fmt = mmu->cfg.fmt, .nx = true};

	return pt_entry_access(&mode, spte);
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

/* What a TDP table holds: itself, the tables under it, and the leaves of each level. */
struct table_count {
	s64 tables, leaves[PG_LEVEL_1G];
};

static void tdp_count_table(const struct mmu *mmu, const u64 *table, int level,
			    struct table_count *n)
{
	n->tables++;
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 e = READ_ONCE(table[i]);

		if (spte_is_table(mmu, e, level))
			tdp_count_table(mmu, env_va(spte_hpa(mmu, e)), level - 1, n);
		else if (spte_present(mmu, e))
			n->leaves[level - 1]++;
	}
}

/* Adds what is in a table that comes (@sign 1) or goes (-1) to the statistics, all at once. */
static void tdp_count_add(struct mmu *mmu, const struct table_count *n, s64 sign)
{
	for (int i = 0; i < PG_LEVEL_1G; i++)
		if (n->leaves[i])
			mmu_stat_add(&mmu->stats.pages[MMU_TREE_TDP][i], sign * n->leaves[i]);
	if (n->tables)
		mmu_stat_add(&mmu->stats.tdp_pages, sign * n->tables);
}

/*
 * One entry's change, taken apart before it is made: afterwards other vCPUs may be at work in a new
 * table already, and count for themselves.
 */
struct change {
	u64 old, new;
	bool was_leaf, was_table, is_leaf, is_table;
	bool owes;		  /* a processor may go on with more than the new value grants */
	bool moved;		  /* leads to, or maps, something else than before */
	bool gone_known;	  /* @gone need not be counted */
	struct table_count added; /* TDP: in the new table */
	struct table_count gone;  /* TDP: in the old table */
};

/*
 * True when leaf @new grants less than leaf @old of the same memory. D counts only beside W: what
 * is cached without W is not written through, whatever its D.
 */
static bool leaf_grants_less(const struct mmu *mmu, u64 old, u64 new)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	u64 lost = old & ~new, gained = new & ~old;

	if ((old & fmt->write) && (lost & fmt->dirty))
		return true;
	return (lost & (fmt->present | fmt->write | fmt->exec)) || (gained & fmt->nx);
}

/*
 * True when not each entry of @table grants all that the huge leaf @huge above it does. A processor
 * may go on with the huge translation: that is no harm where nothing was lost.
 */
static bool table_grants_less(const struct mmu *mmu, u64 huge, int level, const u64 *table)
{
	u64 expect = spte_make_split_child(mmu, huge, level, 0);
	u64 step = LEVEL_SIZE(level - 1);

	for (int i = 0; i < TABLE_ENTRIES; i++, expect += step) {
		u64 e = READ_ONCE(table[i]);

		if (((e ^ expect) & mmu->cfg.fmt->addr_mask) || !spte_is_leaf(mmu, e, level - 1) ||
		    leaf_grants_less(mmu, expect, e))
			return true;
	}
	return false;
}

/*
 * A was cleared in an entry that leads to a table. While a processor caches the entry it sets A no
 * more, and would use what is below unseen.
 */
static bool table_unused(const struct mmu *mmu, u64 old, u64 new)
{
	return old & ~new & mmu->cfg.fmt->accessed;
}

static bool flush_needed(const struct spte_pos *pos, const struct change *c)
{
	if (!c->was_leaf && !c->was_table)
		return false; /* what is not present is not cached */
	if (!c->moved)
		return c->was_leaf ? leaf_grants_less(pos->mmu, c->old, c->new)
				   : table_unused(pos->mmu, c->old, c->new);
	if (c->was_leaf && c->is_table)
		return table_grants_less(pos->mmu, c->old, pos->level,
					 env_va(spte_hpa(pos->mmu, c->new)));
	return true;
}

static struct change change_of(const struct spte_pos *pos, u64 old, u64 new)
{
	const struct mmu *mmu = pos->mmu;
	struct change c = {
		.old = old,
		.new = new,
		.was_leaf = spte_is_leaf(mmu, old, pos->level),
		.is_leaf = spte_is_leaf(mmu, new, pos->level),
		.was_table = spte_is_table(mmu, old, pos->level),
		.is_table = spte_is_table(mmu, new, pos->level),
	};

	c.moved = ((old ^ new) & mmu->cfg.fmt->addr_mask) || c.was_leaf != c.is_leaf ||
		  c.was_table != c.is_table;
	if (!pos->sp && c.moved && c.is_table)
		tdp_count_table(mmu, env_va(spte_hpa(mmu, new)), pos->level - 1, &c.added);
	c.owes = flush_needed(pos, &c);
	return c;
}

static void tdp_recount(const struct spte_pos *pos, const struct change *c)
{
	struct mmu *mmu = pos->mmu;
	struct table_count gone = c->gone;

	tdp_count_add(mmu, &c->added, 1);
	/* A table goes away under the write lock only, so nobody is in it any more. */
	if (c->was_table && !c->gone_known)
		tdp_count_table(mmu, env_va(spte_hpa(mmu, c->old)), pos->level - 1, &gone);
	tdp_count_add(mmu, &gone, -1);
}

/* Nested: the rmap of the gfn, or the child's list of parents, that @spte belongs to. */
static struct rmap_head *nested_head(const struct spte_pos *pos, u64 spte, gfn_t gfn)
{
	struct mmu *mmu = pos->mmu;
	struct memslot *slot;

	if (spte_is_table(mmu, spte, pos->level))
		return &spte_child(mmu, spte)->parents;
	slot = memslot_find(mmu, gfn);
	assert(slot);
	return rmap_get(slot, gfn, pos->level);
}

/* The gfn that the old leaf mapped; when one leaf follows another @pos has the new one's. */
static gfn_t old_leaf_gfn(const struct spte_pos *pos, const struct change *c)
{
	return pos->sp && (c->is_leaf || c->is_table)
		       ? shadow_page_gfn(pos->sp, pos->sptep - pos->sp->spt)
		       : pos->gfn;
}

/*
 * What the processor has noted in a 4K leaf that goes, or loses D, is known from nowhere else.
 * (Tables of the TDP tree do not go with leaves of logged slots in them: those are not joined.)
 */
static void harvest_leaf(const struct spte_pos *pos, const struct change *c)
{
	u64 lost = c->moved ? c->old : c->old & ~c->new;
	struct memslot *slot;
	gfn_t gfn;

	if (!c->was_leaf || pos->level != PG_LEVEL_4K || !(lost & pos->mmu->cfg.fmt->dirty))
		return;
	gfn = old_leaf_gfn(pos, c);
	slot = memslot_find(pos->mmu, gfn);
	if (slot)
		dirty_log_mark(slot, gfn);
}

static void nested_relink(const struct spte_pos *pos, const struct change *c,
			  struct mmu_caches *caches)
{
	struct shadow_page *sp = pos->sp;
	bool was = c->was_leaf || c->was_table, is = c->is_leaf || c->is_table;
	gfn_t old_gfn = c->was_leaf ? old_leaf_gfn(pos, c) : pos->gfn;

	sp->present = sp->present - was + is;
	/* Somebody may have been in the child since the last scan for dirty bits, this way. */
	if (c->was_table && (c->old & pos->mmu->cfg.fmt->accessed))
		spte_child(pos->mmu, c->old)->cold = false;
	if (was)
		rmap_remove(pos->mmu, nested_head(pos, c->old, old_gfn), pos->sptep);
	if (is)
		rmap_add(pos->mmu, nested_head(pos, c->new, pos->gfn), pos->sptep, caches);
}

/* All that follows from an entry's change. @b is NULL where no processor saw the old value. */
static void spte_changed(const struct spte_pos *pos, const struct change *c,
			 struct mmu_caches *caches, struct flush_batch *b)
{
	struct mmu *mmu = pos->mmu;
	enum mmu_tree tree = pos->sp ? MMU_TREE_NESTED : MMU_TREE_TDP;

	if (b && c->owes)
		flush_owe(b, BIT(tree));
	if (mmu->cfg.dirty == DIRTY_DBIT)
		harvest_leaf(pos, c);
	if (!c->moved)
		return;
	if (c->is_leaf != c->was_leaf)
		mmu_stat_add(&mmu->stats.pages[tree][pos->level - 1], c->is_leaf - c->was_leaf);
	if (tree == MMU_TREE_NESTED)
		nested_relink(pos, c, caches);
	else
		tdp_recount(pos, c);
}

/* --- changing ----------------------------------------------------------------------------- */

/* Makes the change if the entry still is as @c says; *@old becomes what it was if not. */
static bool change_make(const struct spte_pos *pos, const struct change *c, u64 *old,
			struct mmu_caches *caches, struct flush_batch *b)
{
	u64 was;

	debug_assert(pos->sp ? rwlock_held_write(&pos->mmu->lock) : rwlock_held(&pos->mmu->lock));
	was = env_pte_cmpxchg(pos->sptep, c->old, c->new);
	if (was != c->old) {
		*old = was;
		return false;
	}
	spte_changed(pos, c, caches, b);
	return true;
}

bool spte_cmpxchg(const struct spte_pos *pos, u64 *old, u64 new, struct mmu_caches *caches,
		  struct flush_batch *b)
{
	const struct change c = change_of(pos, *old, new);

	return change_make(pos, &c, old, caches, b);
}

bool spte_split(const struct spte_pos *pos, u64 *old, const u64 *table, int leaves, bool less,
		struct mmu_caches *caches, struct flush_batch *b)
{
	struct change c = {
		.old = *old,
		.new = spte_make_table(pos->mmu, table),
		.was_leaf = true,
		.is_table = true,
		.moved = true,
		.owes = less,
		.added.tables = 1,
	};

	debug_assert(spte_is_leaf(pos->mmu, *old, pos->level));
	debug_assert(less || !table_grants_less(pos->mmu, *old, pos->level, table));
	c.added.leaves[pos->level - 2] = leaves;
	return change_make(pos, &c, old, caches, b);
}

void spte_join(const struct spte_pos *pos, u64 huge, int leaves, struct flush_batch *b)
{
	struct change c = {
		.old = READ_ONCE(*pos->sptep),
		.new = huge,
		.was_table = true,
		.is_leaf = true,
		.moved = true,
		.owes = true,
		.gone_known = true,
		.gone.tables = 1,
	};

	debug_assert(!pos->sp && rwlock_held_write(&pos->mmu->lock));
	c.gone.leaves[pos->level - 2] = leaves;
	while (!change_make(pos, &c, &c.old, NULL, b))
		;
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

void spte_grant(u64 *sptep, u64 old, u64 bits)
{
	u64 was;

	/* The processor may set A or D meanwhile. */
	while ((was = env_pte_cmpxchg(sptep, old, old | bits)) != old)
		old = was;
}

void spte_map_nested(struct mmu *mmu, struct shadow_page *sp, int index, u64 leaf,
		     struct rmap_head *head, struct mmu_caches *caches)
{
	u64 *sptep = &sp->spt[index];

	debug_assert(rwlock_held_write(&mmu->lock) && sp->role.level == PG_LEVEL_4K &&
		     !spte_present(mmu, *sptep));
	/* Nobody else changes what is not present. */
	env_pte_cmpxchg(sptep, *sptep, leaf);
	sp->present++;
	mmu_stat_add(&mmu->stats.pages[MMU_TREE_NESTED][0], 1);
	if (likely(!head->val))
		rmap_add_first(head, sptep);
	else
		rmap_add(mmu, head, sptep, caches);
}

void spte_init(const struct spte_pos *pos, u64 new, struct mmu_caches *caches)
{
	const struct change c = change_of(pos, *pos->sptep, new);

	*pos->sptep = new;
	if (pos->sp)
		spte_changed(pos, &c, caches, NULL);
}
