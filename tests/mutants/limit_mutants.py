# SPDX-License-Identifier: MIT
"""The bounds on what L1 can make L0 do and keep: the hash, the limit, long loops, NX huge pages."""

HASH = "test_shadow_hash test_shadow_page"
LIMIT = "test_shadow_limit test_shadow_page"
STEPS = "test_shadow_steps test_shadow_page test_dirty_bits_limit test_mmu_random"

MUTANTS = [
    mutant("hash-by-a-public-function", "mmu/shadow_hash.c", "env_random() | 1", "1", HASH),
    mutant("hash-of-neighbours-by-the-key-alone", "mmu/shadow_hash.c",
           "u64 mixed = gfn.v * 0x9e3779b97f4a7c15ull;", "u64 mixed = gfn.v;", HASH),
    mutant("hash-of-one-size", "mmu/shadow_hash.c", "while (n < pages && n < BUCKETS_MAX)",
           "while (n < 1024)", HASH),
    mutant("hash-of-one-size-slows-large-vms", "mmu/shadow_hash.c",
           "while (n < pages && n < BUCKETS_MAX)", "while (n < 1024)", "test_scale"),
    mutant("hash-leaked", "mmu/shadow_hash.c", "env_free(mmu->shadow_hash);", "", HASH),
    mutant("hash-missing-is-no-error", "mmu/shadow_hash.c",
           "if (!mmu->shadow_hash) return -ENOMEM;", "if (!mmu->shadow_hash) return 0;", HASH),

    # What is recycled.
    mutant("limit-recycles-the-path-at-work", "mmu/shadow_limit.c",
           "|| sp->spared;", ";", LIMIT),
    mutant("limit-recycles-what-is-used", "mmu/shadow_limit.c",
           "(looks >= SECOND_CHANCES || !page_used(mmu, sp, b))", "(looks + 1)", LIMIT),
    mutant("limit-always-used-once-used", "mmu/shadow_limit.c",
           "(spte_clear_bits(&pos, accessed, b) & accessed) != 0;",
           "(READ_ONCE(*sptep) & accessed) != 0;", LIMIT),
    mutant("limit-stopped-by-roots-in-use", "mmu/shadow_limit.c",
           "list_move_tail(&sp->lru_link, &mmu->shadow_lru); ++*looked;", "++*looked;", LIMIT),
    mutant("limit-passes-all-roots-in-use", "mmu/shadow_limit.c", "looks < LOOKS_MAX &&", "",
           LIMIT),
    mutant("limit-hides-use-from-the-log", "mmu/shadow_limit.c", "sp->cold = false;", ";",
           "test_dirty_bits_limit"),
    mutant("limit-not-on-aliases", "mmu/shadow_limit.c", "if (rmap_count(head) < LIST_MAX)",
           "if (head)", LIMIT),
    mutant("limit-not-on-parents", "mmu/shadow_limit.c",
           "if (rmap_count(&sp->parents) >= LIST_MAX)", "if (rmap_count(&sp->parents) > ~0u - 1)",
           LIMIT),

    # Long work in steps.
    mutant("steps-zap-without-end", "mmu/shadow_zap.c", "n < mmu->shadow_step &&", "n < ~0u &&",
           STEPS),
    mutant("steps-root-in-use-waits", "mmu/shadow_zap.c",
           "zap_finish(mmu, sp, b); shadow_zap_some(mmu, b);", "shadow_zap_some(mmu, b);", STEPS),
    mutant("steps-faults-empty-nothing", "mmu/shadow_mmu.c",
           "if (!list_empty(&mmu->shadow_zapped)) shadow_zap_some(mmu, b);", "", STEPS),
    mutant("steps-nobody-waits-for-the-rest", "mmu/shadow_zap.c",
           "shadow_zap_some(mmu, b); shadow_rest(mmu, b);", "break;", STEPS),
    mutant("steps-zapped-is-still-found", "mmu/shadow_zap.c",
           "list_move_tail(&sp->hash_link, &mmu->shadow_zapped);", "", STEPS),
    mutant("steps-zapped-is-hidden-from-the-log", "mmu/shadow_zap.c",
           "list_move_tail(&sp->hash_link, &mmu->shadow_zapped);",
           "\\g<0> list_del(&sp->leaf_link);", "test_dirty_bits_limit"),
    mutant("steps-zapped-is-still-tracked", "mmu/shadow_zap.c", "shadow_untrack_page(mmu, sp);",
           "", STEPS),
    mutant("steps-rest-with-a-flush-owed", "mmu/shadow_zap.c",
           "flush_pay(mmu, b); rwlock_write_unlock(&mmu->lock); env_resched();",
           "rwlock_write_unlock(&mmu->lock); env_resched();", STEPS),
    mutant("steps-zap-under-a-faults-feet", "mmu/shadow_zap.c",
           "{ zap_entry(mmu, sp, index, b); }", "{ zap_entry(mmu, sp, index, b); "
           "shadow_zap_some(mmu, b); }", STEPS),
    mutant("steps-sync-ends-with-the-first", "mmu/shadow_track.c", "for (; left; left -= n) {",
           "for (; left; left = 0) {", STEPS),
    mutant("steps-sync-of-all-that-comes", "mmu/shadow_track.c", "for (; left; left -= n) {",
           "for (; left; left = mmu->nr_unsync) {", STEPS),
    mutant("steps-sync-of-one-less", "mmu/shadow_track.c", "u64 left = mmu->nr_unsync, n;",
           "u64 left = mmu->nr_unsync - !!mmu->nr_unsync, n;", STEPS),
    mutant("steps-sync-keeps-the-lock", "mmu/shadow_track.c", "if (left > n)",
           "if (left > n && false)", STEPS),
    mutant("steps-count-of-unsync-forgotten", "mmu/shadow_track.c", "mmu->nr_unsync--;", ";",
           STEPS),
]
