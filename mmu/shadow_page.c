// SPDX-License-Identifier: MIT
/* Shadow pages: what their roles say, how they are found by (gfn, role), or made. */
#include "mmu/shadow_page.h"

#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

union page_role page_role_child(union page_role parent, u32 access, bool direct, u32 index)
{
	union page_role role = parent;

	role.level = parent.level - 1;
	role.access = access;
	role.direct = direct;
	role.quadrant = 0;
	if (role.level < 3)
		role.pdpt = 0;
	/* A table of 1024 4-byte entries needs several of ours: four at level 2, two at level 1. */
	if (!direct && pt_formats[role.fmt].entry_size == 4 && role.level <= 2)
		role.quadrant = index & (role.level == 2 ? 3 : 1);
	return role;
}

struct pt_mode page_role_mode(union page_role role)
{
	return (struct pt_mode){
		.fmt = &pt_formats[role.fmt],
		.maxphyaddr = role.maxphy,
		.nx = role.nx,
		.huge_1g = role.huge_1g,
		.pse = role.pse,
		.wp = true,
		.ad = role.ad,
	};
}

struct shadow_page *sptep_to_sp(const u64 *sptep)
{
	const void *table = (const void *)((uintptr_t)sptep & PAGE_MASK);

	return env_page_private(env_hpa(table));
}

struct shadow_page *spte_child(const struct mmu *mmu, u64 spte)
{
	return env_page_private(spte_hpa(mmu, spte));
}

gfn_t shadow_page_gfn(const struct shadow_page *sp, int index)
{
	if (sp->role.direct)
		return (gfn_t){sp->gfn.v + (u64)index * LEVEL_PAGES(sp->role.level)};
	return (gfn_t){sp->shadowed[index] >> PAGE_SHIFT};
}

u32 shadow_page_access(const struct shadow_page *sp, int index)
{
	if (sp->role.direct)
		return sp->role.access;
	return sp->shadowed[index] & ACC_ALL;
}

void shadow_page_note(struct shadow_page *sp, int index, gfn_t gfn, u32 access)
{
	if (!sp->role.direct)
		sp->shadowed[index] = gfn.v << PAGE_SHIFT | access;
}

struct shadow_page *shadow_page_find(struct mmu *mmu, gfn_t gfn, union page_role role)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;

	list_for_each_entry(sp, bucket, hash_link)
	{
		if (sp->gfn.v == gfn.v && sp->role.word == role.word)
			return sp;
	}
	return NULL;
}

static struct shadow_page *shadow_page_take(struct mmu_caches *c, bool direct)
{
	struct shadow_page *sp;

	/* Whoever gets a page filled the cache first. */
	assert(c->nr_pages > 0 && c->nr_headers > 0 && (direct || c->nr_shadowed > 0));
	sp = c->headers[--c->nr_headers];
	sp->spt = c->pages[--c->nr_pages];
	sp->shadowed = direct ? NULL : c->shadowed[--c->nr_shadowed];
	env_page_set_private(env_hpa(sp->spt), sp);
	list_init(&sp->hash_link);
	list_init(&sp->lru_link);
	list_init(&sp->leaf_link);
	list_init(&sp->unsync_link);
	return sp;
}

struct shadow_page *shadow_page_get(struct mmu *mmu, gfn_t gfn, union page_role role,
				    struct mmu_caches *c, bool *created, struct flush_batch *b)
{
	struct shadow_page *sp = shadow_page_find(mmu, gfn, role);

	debug_assert(rwlock_held_write(&mmu->lock));
	*created = !sp;
	if (sp)
		return sp;
	sp = shadow_page_take(c, role.direct);
	sp->role = role;
	sp->gfn = gfn;
	list_add(&sp->hash_link, shadow_hash_bucket(mmu, gfn));
	list_add_tail(&sp->lru_link, &mmu->shadow_lru);
	if (role.level == PG_LEVEL_4K)
		list_add(&sp->leaf_link, &mmu->shadow_leaf_pages);
	mmu_stat_add(&mmu->stats.mmu_shadow_pages, 1);
	mmu_stat_add(&mmu->stats.mmu_cache_miss, 1);
	if (page_role_has_table(role))
		shadow_track_page(mmu, sp, b);
	env_trace(MMU_EV_shadow_get, gfn.v, role.word, 1, mmu->stats.mmu_shadow_pages);
	return sp;
}
