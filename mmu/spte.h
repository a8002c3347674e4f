/* SPDX-License-Identifier: MIT */
/*
 * Shadow page-table entries: how they are made, and the one place where they change.
 *
 * Everything that follows from a change (rmap and parent link, statistics, owed flush, hash of
 * free pages) is derived from the old and the new value in spte_changed() and nowhere else. A
 * change is a compare-and-exchange, because the processor sets A and D behind our back.
 */
#pragma once

#include "mmu/env.h"
#include "mmu/flush.h"
#include "mmu/mmu.h"

struct shadow_page;
struct mmu_caches;

/*
 * Where an entry stands. Nested tree: @sp is its table's header. TDP tree: @sp is NULL.
 * @sp->present follows the changes; @sp->shadowed is the caller's, to be changed after an
 * exchange that replaces a leaf.
 */
struct spte_pos {
	struct mmu *mmu;
	struct shadow_page *sp;
	u64 *sptep;
	gfn_t gfn; /* first gfn that the entry maps: for the nested tree the L1 gfn of a leaf */
	int level;
};

#define TABLE_ENTRIES 512

/*
 * In an entry of the TDP tree that leads to a table: nobody came through here between the last two
 * scans for dirty bits, which the accessed bit told (mmu/tdp_harvest.c). The processor ignores this
 * bit in every format.
 */
#define SPTE_COLD BIT(11)

static inline bool spte_present(const struct mmu *mmu, u64 spte)
{
	return spte & mmu->cfg.fmt->present;
}

/* Present and maps memory. */
static inline bool spte_is_leaf(const struct mmu *mmu, u64 spte, int level)
{
	return spte_present(mmu, spte) && (level == PG_LEVEL_4K || (spte & mmu->cfg.fmt->huge));
}

/* Present and leads to a table. */
static inline bool spte_is_table(const struct mmu *mmu, u64 spte, int level)
{
	return spte_present(mmu, spte) && !spte_is_leaf(mmu, spte, level);
}

static inline bool spte_writable(const struct mmu *mmu, u64 spte)
{
	return spte_present(mmu, spte) && (spte & mmu->cfg.fmt->write);
}

static inline hpa_t spte_hpa(const struct mmu *mmu, u64 spte)
{
	return (hpa_t){spte & mmu->cfg.fmt->addr_mask};
}

u32 spte_access(const struct mmu *mmu, u64 spte); /* ACC_* */

/*
 * The table of level 1 on the way from @root, a table of @level, to @addr; NULL where a table is
 * missing, or a huge leaf. An entry of ours that leads to a table grants everything.
 */
static inline u64 *spte_last_table(const struct mmu *mmu, u64 *root, int level, u64 addr)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	u64 *table = root;

	for (int shift = LEVEL_SHIFT(level); shift > PAGE_SHIFT; shift -= 9) {
		u64 spte = READ_ONCE(table[addr >> shift & (TABLE_ENTRIES - 1)]);

		if ((spte & (fmt->present | fmt->huge)) != fmt->present)
			return NULL;
		table = env_va((hpa_t){spte & fmt->addr_mask});
	}
	return table;
}

/* A leaf that grants @access, with A set; D is set when it grants writing. */
static inline u64 spte_make_leaf(const struct mmu *mmu, hpa_t hpa, int level, u32 access)
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

/* An entry that leads to the table page @table and grants everything, with A set. */
u64 spte_make_table(const struct mmu *mmu, const void *table);
/* The @index-th of the 512 leaves that together map exactly what the huge leaf @huge maps. */
u64 spte_make_split_child(const struct mmu *mmu, u64 huge, int level, int index);
/* @spte without write permission (and without D where D is what tracks). */
u64 spte_wrprot(const struct mmu *mmu, u64 spte);

/*
 * Changes a visible entry from *@old to @new. On success all consequences are
 * done, the flush is owed in @b, and true is returned. When the entry was not *@old (processor
 * set A/D, or, under the read lock, another vCPU was faster) nothing happened, *@old is what is
 * there now, and false is returned. In the nested tree a new present leaf needs an rmap entry and
 * a new table a parent link: @caches gives the descriptor (may be NULL where @new is neither).
 * Requires mmu_lock: TDP at least for reading, nested for writing.
 */
bool spte_cmpxchg(const struct spte_pos *pos, u64 *old, u64 new, struct mmu_caches *caches,
		  struct flush_batch *b);
/*
 * The same where huge leaf *@old gives way to @table, which is complete and which nobody sees yet:
 * @leaves leaves, each of its part of the memory that *@old maps. @less: one of them, or one that
 * is missing, grants less than *@old did. So nobody need look through the table.
 */
bool spte_split(const struct spte_pos *pos, u64 *old, const u64 *table, int leaves, bool less,
		struct mmu_caches *caches, struct flush_batch *b);
/*
 * Makes the entry of the TDP tree that leads to a table of @leaves leaves, and nothing else, the
 * huge leaf @huge. For writers.
 */
void spte_join(const struct spte_pos *pos, u64 huge, int leaves, struct flush_batch *b);
/* spte_cmpxchg() until it succeeds. Returns what the entry was. For writers only. */
u64 spte_set(const struct spte_pos *pos, u64 new, struct mmu_caches *caches, struct flush_batch *b);
/*
 * Removes @clear bits, keeping what the processor sets meanwhile. Returns the old value. Write lock
 * for nested; at least read lock for TDP.
 */
u64 spte_clear_bits(const struct spte_pos *pos, u64 clear, struct flush_batch *b);
/*
 * What spte_cmpxchg() comes to where little follows; both for who holds mmu_lock for writing.
 * The leaf *@sptep, which was @old, gains @bits: nothing follows.
 */
void spte_grant(u64 *sptep, u64 old, u64 bits);
/* Entry @index of @sp, of level 1 and empty, becomes @leaf, which maps the gfn of @head. */
void spte_map_nested(struct mmu *mmu, struct shadow_page *sp, int index, u64 leaf,
		     struct rmap_head *head, struct mmu_caches *caches);
/*
 * Fills an entry of a table that is not reachable yet: plain store, no flush owed, all the other
 * consequences as above. (TDP: none yet; what a table holds is counted when it is linked.)
 */
void spte_init(const struct spte_pos *pos, u64 new, struct mmu_caches *caches);

/*
 * Loops over a TDP table, which has no rmaps to keep; what is a leaf of L1's memory costs few
 * instructions in them.
 * Fills all of @table, which is not reachable yet, with the split children of @huge at @level.
 */
void spte_fill_split(const struct mmu *mmu, u64 *table, u64 huge, int level);
/*
 * Clear @bits, W or D or both, in 4K leaves of a visible table: in the @n from @sptes on; or in
 * those from @sptes on for which @mask has a bit. mmu_lock (write).
 */
void spte_clear_range(struct mmu *mmu, u64 *sptes, u64 n, u64 bits, struct flush_batch *b);
void spte_clear_masked(struct mmu *mmu, u64 *sptes, u64 mask, u64 bits, struct flush_batch *b);

/*
 * Clears D in those of the 64 leaves of a visible table, of either tree, from @sptes on that have
 * it, and returns which: bit n for the n-th. Who notes them, and owes the flush, is the caller.
 * mmu_lock (write).
 */
u64 spte_take_dirty(struct mmu *mmu, u64 *sptes);
/*
 * env_pte_clear_run() in a visible table of either tree. For D alone it looks first: since the scan
 * few pages were written again. mmu_lock (write).
 */
bool spte_clear_run(const struct mmu *mmu, u64 *sptes, u64 n, u64 bits);

/* Remove W: from entries @first to @last of @table; or by @mask. */
static inline void spte_wrprot_range(struct mmu *mmu, u64 *table, int first, int last,
				     struct flush_batch *b)
{
	spte_clear_range(mmu, table + first, (u64)last - (u64)first + 1, mmu->cfg.fmt->write, b);
}

static inline void spte_wrprot_masked(struct mmu *mmu, u64 *sptes, u64 mask, struct flush_batch *b)
{
	spte_clear_masked(mmu, sptes, mask, mmu->cfg.fmt->write, b);
}
