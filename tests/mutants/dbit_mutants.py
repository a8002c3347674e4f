# SPDX-License-Identifier: MIT
"""Tracking by dirty bits: a D that nobody sees, one that is seen too early, a scan that looks away."""

TDP = ("test_dirty_bits test_dirty_bits_slots test_dirty_bits_skip test_dirty_model")
NESTED = "test_dirty_bits_nested test_dirty_bits_ways test_dirty_bits_goes test_dirty_l1"
BOTH = TDP + " " + NESTED
SKIP = "test_dirty_bits_skip test_dirty_model"

JUDGE = ("if (it->old & accessed) new = it->old & ~(accessed | SPTE_COLD); "
         "else if (it->old & SPTE_COLD) return false; else new = it->old | SPTE_COLD;")

MUTANTS = [
    # Clearing D, and noting it.
    mutant("dbit-clears-d-after-noting-it", "mmu/tdp_harvest.c",
           "u64 dirty = spte_take_dirty(mmu, table + i);",
           "u64 dirty = 0; for (int n = 0; n < 64; n++) "
           "if (table[i + n] & mmu->cfg.fmt->dirty) dirty |= BIT(n); "
           "env_pte_clear_run(table + i, 64, mmu->cfg.fmt->dirty);", TDP),
    mutant("dbit-misses-the-last-of-64", "mmu/spte_bulk.c",
           "| p[6] | p[7];", "| p[6];", BOTH),
    mutant("dbit-rearms-only-what-comes-first", "mmu/spte_bulk.c",
           "return n && env_pte_clear_run(sptes, n, bits);",
           "return n && env_pte_clear_run(sptes, MIN(n, 8ull), bits);", BOTH),
    mutant("dbit-rearms-nothing-after-what-is-clean", "mmu/spte_bulk.c", "sptes += 16; }",
           "sptes += 16; if (n < 64) return false; }", BOTH),
    mutant("dbit-tdp-misses-the-last-64", "mmu/tdp_harvest.c",
           "for (int i = 0; i < TABLE_ENTRIES; i += 64) {",
           "for (int i = 0; i < TABLE_ENTRIES - 64; i += 64) {", TDP),
    mutant("dbit-nested-misses-the-last-64", "mmu/shadow_harvest.c",
           "for (int i = 0; i < TABLE_ENTRIES; i += 64) {",
           "for (int i = 0; i < TABLE_ENTRIES - 64; i += 64) {", NESTED),
    mutant("dbit-tdp-owes-no-flush", "mmu/tdp_harvest.c", "flush_owe(s->b, BIT(MMU_TREE_TDP));",
           "", TDP),
    mutant("dbit-nested-owes-no-flush", "mmu/shadow_harvest.c",
           "flush_owe(b, BIT(MMU_TREE_NESTED));", "", NESTED),
    mutant("dbit-sync-without-the-flush", "mmu/dirty_log.c",
           "tracker->sync(mmu, &b); flush_pay(mmu, &b);", "tracker->sync(mmu, &b);", BOTH),
    mutant("dbit-nested-is-not-scanned", "mmu/dirty_dbit.c", "shadow_harvest(mmu, b);", ";", NESTED),
    mutant("dbit-tdp-is-not-scanned", "mmu/dirty_dbit.c", "tdp_harvest(mmu, b);", "", TDP),
    mutant("dbit-scan-ends-with-the-first-slot", "mmu/tdp_harvest.c",
           "*end = MAX(*end, slot->base.v + slot->npages);",
           "*end = *end ? *end : slot->base.v + slot->npages;", TDP),
    mutant("dbit-marks-one-word-only", "mmu/dirty_log.c",
           "if (map && shift && mask >> (64 - shift))", "if (false && shift)", TDP),
    mutant("dbit-marks-nothing-where-slots-meet", "mmu/dirty_log.c",
           "if (slot) dirty_log_mark(slot, first);", "", TDP),
    mutant("dbit-all-lead-on", "mmu/shadow_harvest.c", "off |= (shadowed[i] >> PAGE_SHIFT) ^ (base + i);",
           ";", NESTED + " test_mmu_random"),
    mutant("dbit-some-lead-on", "mmu/shadow_harvest.c",
           "off |= (shadowed[n] >> PAGE_SHIFT) ^ (base + n);", ";", NESTED + " test_mmu_random"),
    mutant("dbit-word-begins-below-zero", "mmu/dirty_log.c",
           "return offset < slot->npages && slot->npages - offset >= 64;",
           "return gfn.v >= slot->base.v && offset + 64 <= slot->npages;", "test_mmu_random"),
    mutant("dbit-marks-by-l2s-neighbours", "mmu/shadow_harvest.c", "if (sp->role.direct) {",
           "if (sp) {", NESTED),

    # Arming.
    mutant("dbit-arms-no-tdp-range", "mmu/dirty_dbit.c",
           "tdp_arm_range(mmu, start, end, mmu->cfg.fmt->dirty, b);", "", TDP),
    mutant("dbit-arms-no-nested-range", "mmu/dirty_dbit.c",
           "shadow_arm_range(mmu, slot, start, end, mmu->cfg.fmt->dirty, b);", "(void)slot;",
           NESTED),
    mutant("dbit-arms-no-tdp-mask", "mmu/dirty_dbit.c",
           "tdp_arm_masked(mmu, m, dirty, b);", "", TDP),
    mutant("dbit-arms-no-nested-mask", "mmu/dirty_dbit.c",
           "shadow_arm_masked(mmu, slot, m->base + i * 64, m->words[i], dirty, b);",
           "(void)slot;",
           NESTED + " test_shadow_huge_log"),
    mutant("dbit-arming-skips-what-is-cold", "mmu/tdp_mmu.c", "else if (is_table_of_4k(&it)) "
           "spte_clear_range(",
           "else if (is_table_of_4k(&it) && ((it.old & mmu->cfg.fmt->accessed) || "
           "!(it.old & SPTE_COLD))) spte_clear_range(", TDP),
    mutant("dbit-takes-d-of-huge-leaves", "mmu/tdp_mmu.c",
           "spte_clear_bits(pos, pos->mmu->cfg.fmt->write, b);",
           "spte_clear_bits(pos, pos->mmu->cfg.fmt->dirty, b);", TDP),
    mutant("dbit-split-passes-d-of-1g-on", "mmu/split.c",
           "if (pos->mmu->cfg.dirty != DIRTY_DBIT || (huge & fmt->write))",
           "if (pos->mmu->cfg.dirty != DIRTY_DBIT || (huge & fmt->write) || "
           "pos->level != PG_LEVEL_2M)", "test_split test_shadow_huge_log"),

    # What goes takes no D along.
    mutant("dbit-no-harvest", "mmu/spte.c",
           "if (mmu->cfg.dirty == DIRTY_DBIT) harvest_leaf(pos, c);", "(void)harvest_leaf;",
           NESTED + " test_dirty_bits_slots"),
    mutant("dbit-no-harvest-in-tdp", "mmu/spte.c",
           "if (mmu->cfg.dirty == DIRTY_DBIT) harvest_leaf(pos, c);",
           "if (mmu->cfg.dirty == DIRTY_DBIT && pos->sp) harvest_leaf(pos, c);", TDP),
    mutant("dbit-no-harvest-when-d-goes-alone", "mmu/spte.c",
           "u64 lost = c->moved ? c->old : c->old & ~c->new;", "u64 lost = c->moved ? c->old : 0;",
           "test_dirty_bits_slots test_dirty_bits_goes test_dirty_model"),
    mutant("dbit-no-harvest-when-another-comes", "mmu/spte.c",
           "u64 lost = c->moved ? c->old : c->old & ~c->new;", "u64 lost = c->old & ~c->new;",
           "test_dirty_bits_goes"),
    mutant("dbit-harvests-the-new-gfn", "mmu/spte.c", "gfn = old_leaf_gfn(pos, c); slot =",
           "gfn = pos->gfn; slot =", "test_dirty_bits_goes"),

    # Skipping in the TDP tree.
    mutant("cold-at-once", "mmu/tdp_harvest.c", JUDGE,
           "if (it->old & accessed) new = it->old & ~accessed; else return false;", SKIP),
    mutant("cold-after-one-clear", "mmu/tdp_harvest.c", JUDGE,
           "if (it->old & accessed) new = (it->old & ~accessed) | SPTE_COLD; "
           "else if (it->old & SPTE_COLD) return false; else new = it->old | SPTE_COLD;", SKIP),
    mutant("cold-is-not-cleared", "mmu/tdp_harvest.c", "new = it->old & ~(accessed | SPTE_COLD);",
           "new = it->old & ~accessed;", SKIP),
    mutant("cold-although-accessed", "mmu/tdp_harvest.c", JUDGE,
           "if (it->old & SPTE_COLD) return false; else if (it->old & accessed) "
           "new = it->old & ~accessed; else new = it->old | SPTE_COLD;", SKIP),
    mutant("cold-is-never-set", "mmu/tdp_harvest.c", "else new = it->old | SPTE_COLD;",
           "else return true;", SKIP),
    mutant("cold-by-a-plain-store", "mmu/tdp_harvest.c",
           "} while (!spte_cmpxchg(&pos, &it->old, new, NULL, s->b));",
           "*it->sptep = new; } while (false); (void)pos;", SKIP),
    mutant("accessed-owes-no-flush", "mmu/spte.c", "return old & ~new & mmu->cfg.fmt->accessed;",
           "(void)mmu; return false && (old & ~new);", SKIP + " " + NESTED),
    mutant("judged-again-on-the-way-back", "mmu/tdp_harvest.c",
           "if (it->next_gfn == s->rest_gfn && it->level > s->rest_level) return true;", "", SKIP),
    mutant("rest-before-the-flush", "mmu/tdp_harvest.c",
           "flush_pay(mmu, s->b); rwlock_write_unlock(&mmu->lock);",
           "rwlock_write_unlock(&mmu->lock);", SKIP),
    mutant("rest-again-and-again", "mmu/tdp_harvest.c", "if (s->it.next_gfn == s->rest_gfn || ",
           "if (", SKIP),

    # Skipping in the nested tree.
    mutant("cold-page-at-once", "mmu/shadow_harvest.c", "return used || !was_cold;",
           "(void)was_cold; return used;", NESTED),
    mutant("cold-page-after-one-clear", "mmu/shadow_harvest.c", "sp->cold = !used;",
           "sp->cold = true;", NESTED),
    mutant("cold-page-for-ever", "mmu/shadow_harvest.c", "return used || !was_cold;",
           "return !was_cold;", NESTED),
    mutant("cold-page-is-never-set", "mmu/shadow_harvest.c", "sp->cold = !used;",
           "sp->cold = false;", NESTED),
    mutant("cold-page-by-one-way", "mmu/shadow_harvest.c",
           "spte_clear_bits(&pos, accessed, b); any = true;",
           "spte_clear_bits(&pos, accessed, b); any = sptep == rmap_single(&sp->parents);", NESTED),
    mutant("cold-page-although-a-way-went", "mmu/spte.c",
           "spte_child(pos->mmu, c->old)->cold = false;", ";", NESTED),
    mutant("many-ways-are-all-looked-at", "mmu/shadow_harvest.c", "#define PARENTS_MAX 16",
           "#define PARENTS_MAX 1000000", NESTED),
    mutant("nested-rest-before-the-flush", "mmu/shadow_harvest.c",
           "flush_pay(mmu, b); rwlock_write_unlock(&mmu->lock);",
           "rwlock_write_unlock(&mmu->lock);", NESTED),
    mutant("nested-scan-loses-its-place", "mmu/shadow_harvest.c", "list_move(&place, &sp->leaf_link);",
           "list_move(&place, sp->leaf_link.next);", NESTED),
    mutant("new-pages-are-not-scanned", "mmu/shadow_page.c",
           "if (role.level == PG_LEVEL_4K) list_add(", "if (role.level == PG_LEVEL_4K && "
           "role.direct) list_add(", NESTED),

    # The audit.
    mutant("audit-blind-to-cold-tdp", "mmu/audit.c", "if (cold) audit_cold(a, &l);",
           "(void)cold; (void)audit_cold;", "test_dirty_bits_skip"),
    mutant("audit-blind-to-cold-nested", "mmu/shadow_audit.c",
           "audit_cold(mmu, a, sp, slot, i);", "(void)audit_cold;", "test_dirty_bits_nested"),

    # Migration.
    mutant("rounds-without-sync", "migration/round.c",
           "m->ops->dirty_sync(m->ctx); err = send_round_marker", "err = send_round_marker",
           "test_engine test_engine_last_round"),
    mutant("counts-without-sync", "migration/round.c",
           "m->ops->dirty_sync(m->ctx); return m->ops->dirty_count",
           "return m->ops->dirty_count", "test_engine test_engine_last_round"),
]
