# SPDX-License-Identifier: MIT
"""The bounds on what L1 can make L0 do and keep: the hash, the limit, long loops, NX huge pages."""

HASH = "test_shadow_hash test_shadow_page"

MUTANTS = [
    mutant("hash-by-a-public-function", "mmu/shadow_hash.c", "env_random() | 1", "1", HASH),
    mutant("hash-of-neighbours-by-the-key-alone", "mmu/shadow_hash.c",
           "u64 mixed = gfn.v * 0x9e3779b97f4a7c15ull;", "u64 mixed = gfn.v;", HASH),
    mutant("hash-of-one-size", "mmu/shadow_hash.c", "while (n < pages && n < BUCKETS_MAX)",
           "while (n < 1024)", HASH),
    mutant("hash-leaked", "mmu/shadow_hash.c", "env_free(mmu->shadow_hash);", "", HASH),
    mutant("hash-missing-is-no-error", "mmu/shadow_hash.c",
           "if (!mmu->shadow_hash) return -ENOMEM;", "if (!mmu->shadow_hash) return 0;", HASH),
]
