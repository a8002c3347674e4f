# SPDX-License-Identifier: MIT
"""The bugs that may never come back unseen, whatever else changes: `make mutants M=must`. Each is a
way in which a huge page's split, a tracker or a table's end has gone wrong somewhere before."""

WALKS = "test_walks_nested test_walks_tdp"
FILL_TDP = ("spte_fill_split(pos->mmu, page, split_fill_from(pos, *old, true), pos->level);")

MUTANTS = [
    # A table that a split finds there already, with holes in it: the huge translation lives on.
    mutant("must-flush-for-a-reused-table", "mmu/spte.c",
           "if (c->was_leaf && c->is_table) return table_grants_less(pos->mmu, c->old, "
           "pos->level, env_va(spte_hpa(pos->mmu, c->new)));",
           "if (c->was_leaf && c->is_table) return false;", "test_nested_split " + WALKS),
    mutant("must-exchange-a-and-d", "mmu/guest_mem.c",
           "done = exchange(page_va(slot, gpa), old, new, size); if (done)",
           "memcpy(page_va(slot, gpa), &new, (size_t)size); done = true; if (done)",
           "test_guest_cmpxchg test_pt_walk test_guest_mem"),
    mutant("must-have-the-quadrant", "mmu/shadow_page.c",
           "role.quadrant = index & (role.level == 2 ? 3 : 1);", "(void)index;",
           "test_shadow_page test_shadow_formats"),
    mutant("must-have-all-descriptors", "mmu/nested_split.c", "c->nr_descs >= need.descs;",
           "c->nr_descs + 1 >= need.descs;", "test_nested_split test_fault_descs test_mmu_random"),
    # One tag too few: of the nested tree's, of L1's ASIDs, of a CPU's VPIDs.
    mutant("must-flush-nested-tags", "mmu/flush.c",
           "if (tag->kind == TAG_TDP && t != MMU_TREE_TDP)", "if (t != MMU_TREE_TDP)",
           "test_flush test_svm_asid"),
    mutant("must-flush-all-asids", "svm/asid.c",
           "for (u32 i = 0; i < SVM_L1_ASIDS; i++) forget(&svm->l1_asids[i]);",
           "for (u32 i = 0; i < SVM_L1_ASIDS - 1; i++) forget(&svm->l1_asids[i]);",
           "test_svm_asid"),
    # The processor sets D while the table that will replace the huge page is filled.
    mutant("must-keep-d-in-nested-splits", "mmu/nested_split.c",
           "from = split_fill_from(pos, huge, writable); fill_holes(",
           "fill_holes(", "test_nested_split_race test_spte_races test_mmu_random"),
    mutant("must-keep-d-in-tdp-splits", "mmu/spte.c",
           "was = env_pte_cmpxchg(pos->sptep, c->old, c->new); if (was != c->old) {",
           "was = env_pte_cmpxchg(pos->sptep, READ_ONCE(*pos->sptep), c->new); if (0) {",
           "test_tdp_split test_spte_races test_nested_split_race"),
    # L0's own writes to L1's memory: stores of bytes, of entries, of whole control blocks.
    mutant("must-mark-l0s-writes", "mmu/guest_mem.c",
           "src, part); dirty_log_mark(slot, gfn);", "src, part);", "test_guest_mem"),
    mutant("must-mark-l0s-a-and-d", "mmu/guest_mem.c",
           "if (done) dirty_log_mark(slot, gfn);", "", "test_guest_mem test_guest_cmpxchg"),
    mutant("must-mark-l0s-control-blocks", "mmu/guest_mem.c",
           "dirty_log_mark(page->slot, page->gfn);", "", "test_guest_mem"),
    mutant("must-not-recycle-roots-in-use", "mmu/shadow_limit.c",
           "bool busy = sp->root_count || sp->spared;", "bool busy = sp->spared;",
           "test_shadow_limit test_reclaim"),
    # Memory is read after the bits were cleared and that was flushed, never before.
    mutant("must-flush-before-reading", "mmu/dirty_log.c",
           "taken_arm(t); flush_pay(t->mmu, &t->b);", "taken_arm(t); t->b = FLUSH_BATCH_INIT;",
           "test_dirty_log test_dirty_model test_dirty_bits test_owed_flushes"),
    mutant("must-clear-before-noting", "mmu/tdp_harvest.c",
           "u64 dirty = spte_take_dirty(mmu, table + i);",
           "u64 dirty = 0; for (int n = 0; n < 64; n++) "
           "if (table[i + n] & mmu->cfg.fmt->dirty) dirty |= BIT(n); "
           "env_pte_clear_run(table + i, 64, mmu->cfg.fmt->dirty);",
           "test_dirty_bits test_dirty_model"),
    mutant("must-sync-before-sending", "migration/round.c",
           "m->ops->dirty_sync(m->ctx); err = send_round_marker(m, final);",
           "err = send_round_marker(m, final); if (!final) m->ops->dirty_sync(m->ctx);",
           "test_engine test_engine_last_round"),
    mutant("must-not-skip-what-was-accessed", "mmu/tdp_harvest.c",
           "if (it->old & accessed) new = it->old & ~(accessed | SPTE_COLD); "
           "else if (it->old & SPTE_COLD) return false; else new = it->old | SPTE_COLD;",
           "if (it->old & SPTE_COLD) return false; else if (it->old & accessed) "
           "new = it->old & ~accessed; else new = it->old | SPTE_COLD;",
           "test_dirty_bits_skip test_dirty_model"),
    mutant("must-not-skip-after-one-clear", "mmu/shadow_harvest.c", "return used || !was_cold;",
           "return used;", "test_dirty_bits_nested test_dirty_bits_ways test_dirty_model"),

    # What no interleaving of walks may see.
    mutant("must-not-show-holes-in-freed-tables", "mmu/flush.c",
           "env_page_set_private(env_hpa(page), b->free_pages);",
           "env_page_set_private(env_hpa(page), b->free_pages); *(u64 *)page = 0;", WALKS),
    mutant("must-not-free-before-the-flush", "mmu/flush.c", "u32 trees = b->owed;",
           "u32 trees = b->owed; while (b->free_pages) { void *page = b->free_pages; "
           "b->free_pages = env_page_private(env_hpa(page)); env_page_free(page); }", WALKS),
    mutant("must-fill-then-publish-tdp", "mmu/tdp_split.c",
           FILL_TDP + " if (spte_split(pos, old, page, TABLE_ENTRIES, false, NULL, b)) "
           "return true;",
           "u64 huge = *old; if (spte_split(pos, old, page, TABLE_ENTRIES, true, NULL, b)) { "
           "spte_fill_split(pos->mmu, page, huge, pos->level); return true; }", WALKS),
    mutant("must-fill-then-publish-nested", "mmu/nested_split.c",
           "heads, unused, c, keep); if (spte_split(pos, &huge, child->spt, child->present, "
           "child->present < TABLE_ENTRIES, c, b)) return;",
           "heads, unused, c, keep); u64 last = child->spt[511]; child->spt[511] = 0; "
           "if (spte_split(pos, &huge, child->spt, child->present, true, c, b)) "
           "{ child->spt[511] = last; return; } child->spt[511] = last;", WALKS),
    mutant("must-protect-before-comparing", "mmu/shadow_track.c",
           "sync_begin(mmu, sp, b); flush_pay(mmu, b); sync_compare(mmu, sp, b);",
           "sync_compare(mmu, sp, b); sync_begin(mmu, sp, b); flush_pay(mmu, b);",
           "test_track test_owed_flushes test_mmu_random"),
]
