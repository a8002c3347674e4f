// SPDX-License-Identifier: MIT
/* A VM for the tests of the TDP tree, and questions to its tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/host/tdp_vm.h"

struct mmu mmu;
struct audit audit;

u64 tdp_leaves(int level)
{
	return mmu.stats.pages[MMU_TREE_TDP][level - 1];
}

struct memslot *vm(const struct mmu_config *cfg, u64 base, u64 npages, int level)
{
	struct memslot *slot;

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, cfg), 0);
	slot = env_slot(&mmu, 0, base, npages, 0, level);
	assert_non_null(slot);
	return slot;
}

void vm_end(void)
{
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

void lock_all(void)
{
	mutex_lock(&mmu.slots_lock);
	rwlock_write_lock(&mmu.lock);
}

void unlock_all(struct flush_batch *b)
{
	flush_pay(&mmu, b);
	rwlock_write_unlock(&mmu.lock);
	mutex_unlock(&mmu.slots_lock);
}

/* The entry that maps @gfn, at whatever level; NULL when none does. */
u64 *leaf_of(u64 gfn, int *level)
{
	struct tdp_iter it;

	tdp_for_each (it, &mmu, PG_LEVEL_4K, gfn, gfn + 1) {
		if (spte_is_leaf(&mmu, it.old, it.level)) {
			*level = it.level;
			return it.sptep;
		}
	}
	return NULL;
}

int level_of(u64 gfn)
{
	int level;

	return leaf_of(gfn, &level) ? level : 0;
}

bool writable(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	return p && spte_writable(&mmu, *p);
}

u64 hpa_of(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	assert_non_null(p);
	return (spte_hpa(&mmu, *p).v & ~(LEVEL_SIZE(level) - 1)) +
	       (gfn & (LEVEL_PAGES(level) - 1)) * PAGE_SIZE;
}

int fault(u64 gfn, u64 error)
{
	return mmu_tdp_fault(&mmu, (gpa_t){gfn << PAGE_SHIFT}, error);
}

u32 access_of(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	return p ? spte_access(&mmu, *p) : 0;
}
