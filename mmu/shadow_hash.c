// SPDX-License-Identifier: MIT
/*
 * The hash of shadow pages, by the gfn of the table that they shadow. L1 chooses the gfns, so the
 * hash has a key of its own in each VM: who knows the function could give all tables one list, and
 * each lookup, under mmu_lock, would walk it.
 */
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

#define BUCKETS_MIN 64ull
#define BUCKETS_MAX (1ull << 20)

int shadow_hash_alloc(struct mmu *mmu, u64 pages)
{
	u64 n = BUCKETS_MIN;

	if (mmu->shadow_hash)
		return 0;
	while (n < pages && n < BUCKETS_MAX)
		n *= 2;
	mmu->shadow_hash = env_alloc(n * sizeof(*mmu->shadow_hash));
	if (!mmu->shadow_hash)
		return -ENOMEM;
	for (u64 i = 0; i < n; i++)
		list_init(&mmu->shadow_hash[i]);
	mmu->shadow_hash_key = env_random() | 1;
	mmu->shadow_buckets = n;
	return 0;
}

void shadow_hash_free(struct mmu *mmu)
{
	env_free(mmu->shadow_hash);
	mmu->shadow_hash = NULL;
	mmu->shadow_buckets = 0;
}

/*
 * By gfn alone: tracking wants every page that shadows a gfn, whatever its role. The first product
 * scatters what lies side by side, so that no key is a bad one for tables in a row.
 */
struct list_head *shadow_hash_bucket(struct mmu *mmu, gfn_t gfn)
{
	u64 mixed = gfn.v * 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 32) * mmu->shadow_hash_key;
	/* Its highest bits, as they depend on all others. */
	return &mmu->shadow_hash[(unsigned __int128)mixed * mmu->shadow_buckets >> 64];
}
