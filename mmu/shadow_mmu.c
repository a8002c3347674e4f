// SPDX-License-Identifier: MIT
/* Roots of the nested tree: made for the tables that a vCPU's L1 names, kept while in use. */
#include "mmu/shadow_mmu.h"

#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

static u64 shadow_pages_limit(const struct mmu *mmu)
{
	if (mmu->cfg.max_shadow_pages)
		return mmu->cfg.max_shadow_pages;
	return MAX(mmu->guest_pages / SHADOW_PAGES_SHARE, (u64)SHADOW_PAGES_MIN);
}

int mmu_enable_nested(struct mmu *mmu)
{
	u64 limit = shadow_pages_limit(mmu);
	int r = 0;

	mutex_lock(&mmu->slots_lock);
	if (!mmu->nested_used)
		r = rmap_alloc_all(mmu);
	if (!r)
		r = shadow_hash_alloc(mmu, limit);
	if (!r) {
		rwlock_write_lock(&mmu->lock);
		mmu->nested_used = true;
		mmu->max_shadow_pages = limit;
		rwlock_write_unlock(&mmu->lock);
	}
	mutex_unlock(&mmu->slots_lock);
	return r;
}

/* What the processor walks where no table is there yet. */
static u64 no_table[TABLE_ENTRIES] __aligned(PAGE_SIZE);

static union page_role root_role(const struct mmu *mmu, const struct nested_mmu *n)
{
	const struct pt_mode *mode = &n->mode;

	return (union page_role){
		.level = shadow_root_level(mmu, mode->fmt->id),
		.fmt = mode->fmt->id,
		.access = ACC_ALL,
		.ad = mode->ad,
		.nx = mode->nx,
		.maxphy = mode->maxphyaddr,
		.huge_1g = mode->huge_1g,
		.pse = mode->pse,
		/* The four PDPTEs of PAE need not start a page (APM 2 5.2.2). */
		.pdpt = mode->fmt->id == PT_FMT_PAE ? n->root_gpa.v >> 5 & 0x7f : 0,
	};
}

/* Finds or makes the root for what @n names; takes from @n's caches. */
static void root_get(struct mmu *mmu, struct nested_mmu *n, struct flush_batch *b)
{
	gfn_t gfn = gpa_to_gfn(n->root_gpa);
	bool created;

	/* Each vCPU must have a root, so this one page may exceed the limit. */
	if (!shadow_page_find(mmu, gfn, root_role(mmu, n)))
		(void)!shadow_make_room(mmu, 1, b);
	n->root = shadow_page_get(mmu, gfn, root_role(mmu, n), &n->caches, &created, b);
	n->root->root_count++;
	n->leaf = pt_leaf_rules(&n->mode);
	list_move_tail(&n->root->lru_link, &mmu->shadow_lru);
}

static void root_put(struct mmu *mmu, struct nested_mmu *n, struct flush_batch *b)
{
	struct shadow_page *root = n->root;

	n->root = NULL;
	if (!root)
		return;
	assert(root->root_count > 0);
	if (--root->root_count)
		return;
	if (root->role.invalid)
		shadow_page_free(mmu, root, b);
	else
		list_move_tail(&root->lru_link, &mmu->shadow_lru); /* it was in use until now */
}

void nested_mmu_refresh(struct mmu *mmu, struct nested_mmu *n, struct flush_batch *b)
{
	/* Who makes pages empties as many that are zapped: they do not become more and more. */
	if (!list_empty(&mmu->shadow_zapped))
		shadow_zap_some(mmu, b);
	if (n->root && !n->root->role.invalid)
		return;
	root_put(mmu, n, b);
	root_get(mmu, n, b);
}

static bool root_matches(const struct mmu *mmu, const struct nested_mmu *n)
{
	return n->root && !n->root->role.invalid && n->root->gfn.v == gpa_to_gfn(n->root_gpa).v &&
	       n->root->role.word == root_role(mmu, n).word;
}

int nested_mmu_load(struct mmu *mmu, struct nested_mmu *n, const struct pt_mode *mode,
		    gpa_t root_gpa, bool sync)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	int r = mmu->nested_used ? 0 : mmu_enable_nested(mmu);

	if (!r)
		r = mmu_caches_fill(mmu, &n->caches, 1, 1, 1, 0);
	if (r)
		return r;
	rwlock_write_lock(&mmu->lock);
	n->mmu = mmu;
	n->deeper = mode->fmt->levels > mmu->cfg.fmt->levels;
	n->mode = *mode;
	n->root_gpa = root_gpa;
	if (sync)
		shadow_sync_all(mmu, &b);
	if (!root_matches(mmu, n)) {
		root_put(mmu, n, &b);
		root_get(mmu, n, &b);
	}
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	return 0;
}

void nested_mmu_unload(struct mmu *mmu, struct nested_mmu *n)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	rwlock_write_lock(&mmu->lock);
	root_put(mmu, n, &b);
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
}

void nested_mmu_free(struct mmu *mmu, struct nested_mmu *n)
{
	nested_mmu_unload(mmu, n);
	mmu_caches_free(&n->caches);
}

hpa_t nested_mmu_root(const struct nested_mmu *n)
{
	u64 first;

	if (likely(!n->deeper))
		return env_hpa(n->root->spt);
	first = READ_ONCE(n->root->spt[0]);
	return spte_present(n->mmu, first) ? spte_hpa(n->mmu, first) : env_hpa(no_table);
}

int nested_translate(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u32 access, gpa_t *out)
{
	struct pt_walk w;
	int r = pt_walk(mmu, &n->mode, n->root_gpa, addr.v, access | ACC_USER, &w);

	if (r)
		return r;
	*out = w.gpa;
	return 0;
}
