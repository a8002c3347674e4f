// SPDX-License-Identifier: MIT
/* Memslots: which gfns exist, which host memory is behind each, and how large a leaf may be. */
#include "mmu/memslot.h"

#include "mmu/env.h"
#include "mmu/mmu.h"

u64 memslot_entries(const struct memslot *slot, int level)
{
	return memslot_index(slot, (gfn_t){slot->base.v + slot->npages - 1}, level) + 1;
}

static void free_arrays(struct memslot *slot)
{
	for (u64 i = 0; slot->pieces && i < memslot_entries(slot, PG_LEVEL_2M); i++)
		if (!(slot->pieces[i] & PIECE_LEVEL))
			env_free((void *)slot->pieces[i]);
	env_free(slot->pieces);
	env_free(slot->dirty_bitmap);
	env_free(slot->write_track);
	for (int i = 0; i < 2; i++)
		env_free(slot->disallow_lpage[i]);
	for (int i = 0; i < 3; i++)
		env_free(slot->rmap[i]);
	*slot = (struct memslot){0};
}

static int alloc_arrays(struct memslot *slot)
{
	slot->pieces = env_alloc(memslot_entries(slot, PG_LEVEL_2M) * sizeof(u64));
	slot->write_track = env_alloc(slot->npages * sizeof(u16));
	for (int i = 0; i < 2; i++)
		slot->disallow_lpage[i] =
			env_alloc(memslot_entries(slot, PG_LEVEL_2M + i) * sizeof(u32));
	if (slot->pieces && slot->write_track && slot->disallow_lpage[0] && slot->disallow_lpage[1])
		return 0;
	return -ENOMEM;
}

/* A huge page may not reach beyond either end of the slot. */
static void disallow_ends(struct memslot *slot)
{
	u64 end = slot->base.v + slot->npages;

	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		u32 *disallow = slot->disallow_lpage[level - PG_LEVEL_2M];

		if (!IS_ALIGNED(slot->base.v, LEVEL_PAGES(level)))
			disallow[0]++;
		if (!IS_ALIGNED(end, LEVEL_PAGES(level)))
			disallow[memslot_entries(slot, level) - 1]++;
	}
}

static int check_range(const struct mmu *mmu, gfn_t base, u64 npages)
{
	u64 limit = LEVEL_PAGES(mmu->cfg.fmt->levels + 1); /* what the TDP root can map */

	/* rmaps exist for the slots that were there when nested paging was first used. */
	if (mmu->nested_used || npages == 0 || npages > limit || base.v > limit - npages)
		return -EINVAL;
	for (int i = 0; i < mmu->nr_slots; i++) {
		const struct memslot *slot = &mmu->slots[i];

		if (slot->base.v < base.v + npages && base.v < slot->base.v + slot->npages)
			return -EEXIST;
	}
	return mmu->nr_slots < MEMSLOT_MAX ? 0 : -EEXIST;
}

static void publish_slot(struct mmu *mmu, struct memslot *slot)
{
	rwlock_write_lock(&mmu->lock);
	mmu->slots[mmu->nr_slots++] = *slot;
	mmu->guest_pages += slot->npages;
	rwlock_write_unlock(&mmu->lock);
}

int memslot_add(struct mmu *mmu, u16 id, gfn_t base, u64 npages, u32 flags, struct memslot **out)
{
	struct memslot slot = {.id = id, .flags = flags, .base = base, .npages = npages};
	int err;

	mutex_lock(&mmu->slots_lock);
	err = check_range(mmu, base, npages);
	if (!err) {
		err = alloc_arrays(&slot);
		if (err) {
			free_arrays(&slot);
		} else {
			disallow_ends(&slot);
			publish_slot(mmu, &slot);
			*out = &mmu->slots[mmu->nr_slots - 1];
		}
	}
	mutex_unlock(&mmu->slots_lock);
	return err;
}

static int set_page(struct memslot *slot, gfn_t gfn, hpa_t hpa)
{
	u64 *piece = &slot->pieces[memslot_index(slot, gfn, PG_LEVEL_2M)];
	u64 *page;

	if (*piece & PIECE_LEVEL)
		return -EINVAL;
	if (!*piece) {
		*piece = (u64)env_alloc(PIECE_PAGES * sizeof(u64));
		if (!*piece)
			return -ENOMEM;
	}
	page = &((u64 *)*piece)[gfn.v % PIECE_PAGES];
	if (*page)
		return -EINVAL;
	*page = hpa.v | PAGE_GIVEN;
	return 0;
}

int memslot_set_piece(struct memslot *slot, gfn_t gfn, hpa_t hpa, int level)
{
	u64 n, first, offset = gfn.v - slot->base.v;

	if (level < PG_LEVEL_4K || level > PG_LEVEL_1G)
		return -EINVAL;
	n = LEVEL_PAGES(level);
	if (!IS_ALIGNED(gfn.v, n) || !IS_ALIGNED(hpa.v, LEVEL_SIZE(level)) || n > slot->npages ||
	    offset > slot->npages - n)
		return -EINVAL;
	if (level == PG_LEVEL_4K)
		return set_page(slot, gfn, hpa);

	first = memslot_index(slot, gfn, PG_LEVEL_2M);
	for (u64 i = 0; i < n / PIECE_PAGES; i++)
		if (slot->pieces[first + i])
			return -EINVAL;
	for (u64 i = 0; i < n / PIECE_PAGES; i++)
		slot->pieces[first + i] = (hpa.v + i * LEVEL_SIZE(PG_LEVEL_2M)) | (u64)level;
	return 0;
}

void memslot_free_all(struct mmu *mmu)
{
	for (int i = 0; i < mmu->nr_slots; i++)
		free_arrays(&mmu->slots[i]);
	mmu->nr_slots = 0;
	mmu->guest_pages = 0;
}

bool memslot_tracked_inside(const struct memslot *slot, gfn_t gfn, int level)
{
	u64 first = ALIGN_DOWN(gfn.v, LEVEL_PAGES(level)), end = first + LEVEL_PAGES(level);

	first = MAX(first, slot->base.v);
	end = MIN(end, slot->base.v + slot->npages);
	for (u64 i = first - slot->base.v; i < end - slot->base.v; i++)
		if (READ_ONCE(slot->write_track[i]))
			return true;
	return false;
}

int memslot_max_level(const struct mmu *mmu, const struct memslot *slot, gfn_t gfn)
{
	int level;

	if (READ_ONCE(slot->dirty_bitmap))
		return PG_LEVEL_4K;
	memslot_hpa(slot, gfn, &level);
	level = MIN(level, mmu->cfg.max_leaf_level);
	while (level > PG_LEVEL_4K &&
	       READ_ONCE(
		       slot->disallow_lpage[level - PG_LEVEL_2M][memslot_index(slot, gfn, level)]))
		level--;
	return level;
}
