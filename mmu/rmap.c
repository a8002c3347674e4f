// SPDX-License-Identifier: MIT
/*
 * rmaps: the lists of SPTEs that map a gfn, or that lead to a shadow page. Nearly all of them hold
 * at most one entry, so that one stands in the head itself; a second one takes a descriptor.
 *
 * Only the newest descriptor of a chain may have room. A removed entry's place is taken by
 * the last entry of the newest one, so older descriptors never change, and a count is one load.
 */
#include "mmu/rmap.h"

#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_page.h"

#define RMAP_MANY BIT(0)

static struct rmap_desc *head_desc(const struct rmap_head *head)
{
	return (struct rmap_desc *)(uintptr_t)(head->val & ~RMAP_MANY);
}

static void head_set_desc(struct rmap_head *head, struct rmap_desc *desc)
{
	head->val = (uintptr_t)desc | RMAP_MANY;
}

bool rmap_needs_desc(const struct rmap_head *head)
{
	if (!head->val)
		return false;
	return !(head->val & RMAP_MANY) || head_desc(head)->count == RMAP_DESC_ENTRIES;
}

u32 rmap_count(const struct rmap_head *head)
{
	if (!head->val)
		return 0;
	return head->val & RMAP_MANY ? head_desc(head)->total : 1;
}

const struct rmap_head *rmap_skip_empty(const struct rmap_head *head, const struct rmap_head *last)
{
	/* There is one of these for each 4K page: eight at a time. */
	for (; last - head >= 7; head += 8)
		if (head[0].val | head[1].val | head[2].val | head[3].val | head[4].val |
		    head[5].val | head[6].val | head[7].val)
			break;
	while (head <= last && !head->val)
		head++;
	return head;
}

static struct rmap_desc *desc_take(struct mmu *mmu, struct mmu_caches *c)
{
	struct rmap_desc *desc = c->descs;

	/* Whoever adds counted what it needs first: an empty cache is our own bug. */
	assert(desc && c->nr_descs > 0);
	c->descs = desc->more;
	c->nr_descs--;
	desc->more = NULL;
	desc->count = 0;
	desc->total = 0;
	mmu_stat_add(&mmu->stats.rmap_descs, 1);
	return desc;
}

static void desc_release(struct mmu *mmu, struct rmap_desc *desc)
{
	mmu_stat_add(&mmu->stats.rmap_descs, -1);
	env_free(desc);
}

static void desc_push(struct rmap_desc *desc, u64 *sptep)
{
	desc->sptes[desc->count++] = sptep;
	desc->total++;
}

void rmap_add(struct mmu *mmu, struct rmap_head *head, u64 *sptep, struct mmu_caches *c)
{
	struct rmap_desc *desc;

	if (!head->val) {
		head->val = (uintptr_t)sptep;
		return;
	}
	if (!rmap_needs_desc(head)) {
		desc_push(head_desc(head), sptep);
		return;
	}
	desc = desc_take(mmu, c);
	if (head->val & RMAP_MANY) {
		desc->more = head_desc(head);
		desc->total = desc->more->total;
	} else {
		desc_push(desc, (u64 *)(uintptr_t)head->val);
	}
	desc_push(desc, sptep);
	head_set_desc(head, desc);
}

/* Takes the newest entry out of @head, which has descriptors; an emptied one is freed. */
static u64 *rmap_pop(struct mmu *mmu, struct rmap_head *head)
{
	struct rmap_desc *desc = head_desc(head);
	u64 *sptep = desc->sptes[--desc->count];

	desc->total--;
	if (desc->count == 0) {
		head_set_desc(head, desc->more);
		desc_release(mmu, desc);
	}
	return sptep;
}

/* One entry always stands inline: returns the descriptor of a list that has shrunk to it. */
static void rmap_make_inline(struct mmu *mmu, struct rmap_head *head)
{
	struct rmap_desc *desc = head_desc(head);

	if (desc->total == 1) {
		head->val = (uintptr_t)desc->sptes[0];
		desc_release(mmu, desc);
	}
}

static void rmap_missing(const struct rmap_head *head, const u64 *sptep)
{
	env_warn("rmap: SPTE at %p is not among the %u of its list", (const void *)sptep,
		 rmap_count(head));
	debug_assert(!"rmap entry missing");
}

void rmap_remove(struct mmu *mmu, struct rmap_head *head, u64 *sptep)
{
	if (!(head->val & RMAP_MANY)) {
		if (head->val == (uintptr_t)sptep)
			head->val = 0;
		else
			rmap_missing(head, sptep);
		return;
	}
	for (struct rmap_desc *desc = head_desc(head); desc; desc = desc->more) {
		for (u32 i = 0; i < desc->count; i++) {
			if (desc->sptes[i] != sptep)
				continue;
			/* The newest entry fills the gap: it may be this one, which is gone then.
			 */
			desc->sptes[i] = head_desc(head)->sptes[head_desc(head)->count - 1];
			(void)rmap_pop(mmu, head);
			rmap_make_inline(mmu, head);
			return;
		}
	}
	rmap_missing(head, sptep);
}

u64 *rmap_first(const struct rmap_head *head, struct rmap_iter *it)
{
	it->pos = 0;
	it->desc = NULL;
	if (!(head->val & RMAP_MANY))
		return (u64 *)(uintptr_t)head->val;
	it->desc = head_desc(head);
	return it->desc->sptes[0];
}

u64 *rmap_next(struct rmap_iter *it)
{
	if (!it->desc)
		return NULL;
	if (++it->pos == it->desc->count) {
		it->desc = it->desc->more;
		it->pos = 0;
	}
	return it->desc ? it->desc->sptes[it->pos] : NULL;
}

int rmap_alloc_all(struct mmu *mmu)
{
	for (int i = 0; i < mmu->nr_slots; i++) {
		struct memslot *slot = &mmu->slots[i];

		for (int level = 1; slot->npages && level <= 3; level++) {
			if (slot->rmap[level - 1])
				continue;
			slot->rmap[level - 1] =
				env_alloc(memslot_entries(slot, level) * sizeof(struct rmap_head));
			if (!slot->rmap[level - 1])
				return -ENOMEM;
		}
	}
	return 0;
}
