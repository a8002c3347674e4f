// SPDX-License-Identifier: MIT
/*
 * Eager splitting of what the nested tree maps huge, so that write faults while logging need not
 * do it. The rmaps lead to each huge SPTE; its table is filled completely, out of caches filled
 * before, and published by one exchange: no CPU sees a hole, and no D bit is lost.
 */
#include "mmu/split.h"

#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

static u64 ad_bits(const struct mmu *mmu)
{
	return mmu->cfg.fmt->accessed | mmu->cfg.fmt->dirty;
}

/*
 * What a processor has noted in the huge leaf holds for the entries that @sp has already, and for
 * those in tables below it.
 */
static void inherit_ad(struct mmu *mmu, struct shadow_page *sp, int index, u64 bits,
		       struct flush_batch *b)
{
	struct spte_pos pos = shadow_pos(mmu, sp, index);
	u64 old = READ_ONCE(*pos.sptep);

	if (!spte_is_leaf(mmu, old, pos.level)) {
		struct shadow_page *child = spte_child(mmu, old);

		for (int i = 0; i < TABLE_ENTRIES; i++) {
			if (spte_present(mmu, child->spt[i]))
				inherit_ad(mmu, child, i, bits, b);
		}
		return;
	}
	while ((old & bits) != bits && !spte_cmpxchg(&pos, &old, old | bits, NULL, b))
		;
}

/* Fills the holes of a table that is visible already, by other parents. */
static void fill_holes(const struct spte_pos *pos, struct shadow_page *child, u64 from,
		       const struct rmap_head *heads, struct mmu_caches *c, int keep,
		       struct flush_batch *b)
{
	struct mmu *mmu = pos->mmu;

	for (int i = 0; i < TABLE_ENTRIES; i++) {
		struct spte_pos at = shadow_pos(mmu, child, i);

		if (spte_present(mmu, child->spt[i]))
			inherit_ad(mmu, child, i, from & ad_bits(mmu), b);
		else if (!rmap_needs_desc(&heads[i]) || c->nr_descs > keep)
			spte_set(&at, spte_make_split_child(mmu, from, pos->level, i), c, b);
	}
}

/*
 * Splits by way of @child. When nobody sees that one and it is empty it is filled in one go;
 * @unused tells that no rmap of its gfns holds anything then.
 */
static void split_leaf(const struct spte_pos *pos, struct shadow_page *child, bool unused,
		       struct mmu_caches *c, int keep, struct flush_batch *b)
{
	struct mmu *mmu = pos->mmu;
	struct rmap_head *heads = rmap_get(memslot_find(mmu, pos->gfn), pos->gfn, pos->level - 1);
	bool writable = child->role.access & ACC_WRITE;
	u64 huge = READ_ONCE(*pos->sptep), from = split_fill_from(pos, huge, writable);

	assert(spte_is_leaf(mmu, huge, pos->level));
	if (!child->present && !child->parents.val) {
		spte_fill_nested(mmu, child, spte_make_split_child(mmu, from, pos->level, 0), heads,
				 unused, c, keep);
		if (spte_split(pos, &huge, child->spt, child->present,
			       child->present < TABLE_ENTRIES, c, b))
			return;
	}
	/* A lost exchange means that the processor set A or D: once more, with what it set. */
	do {
		assert(spte_is_leaf(mmu, huge, pos->level));
		from = split_fill_from(pos, huge, writable);
		fill_holes(pos, child, from, heads, c, keep, b);
	} while (!spte_cmpxchg(pos, &huge, spte_make_table(mmu, child->spt), c, b));
}

void shadow_split_leaf(const struct spte_pos *pos, struct shadow_page *child, struct mmu_caches *c,
		       int keep, struct flush_batch *b)
{
	split_leaf(pos, child, false, c, keep, b);
}

struct split_walk {
	struct mmu *mmu;
	struct memslot *slot;
	struct rmap_head *head; /* of the huge page in work */
	gfn_t gfn;
	int level;
	bool rested; /* the lock was dropped since the last attempt */
	int result;
	struct flush_batch *b;
};

/* What one split takes out of the caches; @child is NULL when it must be made. */
struct split_need {
	int pages, descs;
	bool unused; /* no rmap of the gfns holds anything: so there is nothing to count */
};

static struct split_need split_need(const struct split_walk *s, const struct shadow_page *child)
{
	const struct rmap_head *heads = rmap_get(s->slot, s->gfn, s->level - 1);
	const struct rmap_head *last = heads + TABLE_ENTRIES - 1;
	struct split_need need = {.pages = !child};

	need.unused = rmap_skip_empty(heads, last) > last;
	for (int i = 0; !need.unused && i < TABLE_ENTRIES; i++) {
		/* Mostly nothing else maps the page, and its entry will stand inline. */
		if (heads[i].val && rmap_needs_desc(&heads[i]) &&
		    !(child && spte_present(s->mmu, child->spt[i])))
			need.descs++;
	}
	if (child && rmap_needs_desc(&child->parents))
		need.descs++;
	return need;
}

static bool split_has(const struct mmu *mmu, struct split_need need)
{
	const struct mmu_caches *c = mmu->split ? &mmu->split->caches : NULL;

	return c && c->nr_pages >= need.pages && c->nr_headers >= need.pages &&
	       c->nr_descs >= need.descs;
}

/* Fills the caches with mmu_lock dropped: up to their capacity, content with what is needed. */
static int split_top_up(struct split_walk *s, struct split_need need)
{
	int descs = need.descs ? SPLIT_CAPACITY_DESCS : 0;
	int r;

	flush_pay(s->mmu, s->b);
	rwlock_write_unlock(&s->mmu->lock);
	r = split_caches_fill(s->mmu, SPLIT_CAPACITY_PAGES, SPLIT_CAPACITY_PAGES, descs);
	rwlock_write_lock(&s->mmu->lock);
	s->rested = true;
	return r && !split_has(s->mmu, need) ? -ENOMEM : 0;
}

static void split_rest(struct split_walk *s)
{
	flush_pay(s->mmu, s->b);
	rwlock_write_unlock(&s->mmu->lock);
	env_resched();
	rwlock_write_lock(&s->mmu->lock);
	s->rested = true;
}

static int split_failed(struct split_walk *s, u64 spte, int r)
{
	mmu_stat_add(r == -ENOSPC ? &s->mmu->stats.split_enospc : &s->mmu->stats.split_enomem, 1);
	env_trace(MMU_EV_nested_split, s->gfn.v, spte, (u64)s->level, (u64)r);
	s->result = r;
	return r;
}

/*
 * Splits the huge leaf at @sptep. 0, -ENOSPC, or with the lock dropped and taken again: -EAGAIN
 * (look again) or -ENOMEM.
 */
static int split_sptep(struct split_walk *s, u64 *sptep)
{
	struct shadow_page *sp = sptep_to_sp(sptep), *child;
	int index = sptep_index(sp, sptep);
	struct spte_pos pos = shadow_pos(s->mmu, sp, index);
	u64 huge = READ_ONCE(*sptep);
	union page_role role;
	struct split_need need;
	bool created;

	role = page_role_child(sp->role, shadow_page_access(sp, index), true, (u32)index);
	child = shadow_page_find(s->mmu, s->gfn, role);
	if (!child && shadow_pages_available(s->mmu) <= SHADOW_MIN_FREE_PAGES)
		return split_failed(s, huge, -ENOSPC);
	need = split_need(s, child);
	if (!split_has(s->mmu, need))
		return split_top_up(s, need) ? split_failed(s, huge, -ENOMEM) : -EAGAIN;
	child = shadow_page_get(s->mmu, s->gfn, role, &s->mmu->split->caches, &created, s->b);
	split_leaf(&pos, child, need.unused, &s->mmu->split->caches,
		   rmap_needs_desc(&child->parents), s->b);
	mmu_stat_add(&s->mmu->stats.split[MMU_TREE_NESTED][s->level - 2], 1);
	env_trace(MMU_EV_nested_split, s->gfn.v, huge, (u64)s->level, 0);
	s->rested = false;
	return 0;
}

/* An entry that is to be split; what may not be in this rmap is reported and left alone. */
static bool splittable(const struct split_walk *s, const u64 *sptep)
{
	const struct shadow_page *sp = sptep_to_sp(sptep);

	if (sp->role.invalid)
		return false;
	if (!spte_is_leaf(s->mmu, *sptep, s->level) || sp->role.level != (u32)s->level) {
		env_warn("split: no leaf of level %d in the rmap of gfn %llx", s->level,
			 (unsigned long long)s->gfn.v);
		return false;
	}
	if (sp->unsync) {
		env_warn("split: out-of-sync page of level %d over gfn %llx", s->level,
			 (unsigned long long)s->gfn.v);
		return false;
	}
	return true;
}

/* Works on the current head; true when its list has changed and must be looked at again. */
static bool split_some(struct split_walk *s)
{
	struct rmap_iter it;
	u64 *sptep;

	rmap_for_each (s->head, it, sptep) {
		int r;

		if (!splittable(s, sptep))
			continue;
		if (!s->rested && (rwlock_contended(&s->mmu->lock) || env_need_resched())) {
			split_rest(s);
			return true;
		}
		r = split_sptep(s, sptep);
		if (r != -ENOSPC)
			return r != -ENOMEM;
	}
	return false;
}

int nested_split_level(struct mmu *mmu, struct memslot *slot, int level, u64 start, u64 end,
		       struct flush_batch *b)
{
	struct split_walk s = {.mmu = mmu, .slot = slot, .level = level, .b = b, .rested = true};

	debug_assert(mutex_held(&mmu->slots_lock) && rwlock_held_write(&mmu->lock));
	if (!mmu->nested_used || !mmu->stats.pages[MMU_TREE_NESTED][level - 1])
		return 0;
	s.gfn.v = start & ~(LEVEL_PAGES(level) - 1);
	for (; s.gfn.v < end; s.gfn.v += LEVEL_PAGES(level)) {
		s.head = rmap_get(slot, s.gfn, level);
		while (s.head->val && split_some(&s))
			;
	}
	return s.result;
}

int nested_split_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
		       struct flush_batch *b)
{
	int giant = nested_split_level(mmu, slot, PG_LEVEL_1G, start, end, b);
	int err = nested_split_level(mmu, slot, PG_LEVEL_2M, start, end, b);

	return err ? err : giant;
}
