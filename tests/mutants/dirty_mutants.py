# SPDX-License-Identifier: MIT
"""Writes that get lost: a bit is not set, a page is not watched, memory is read too early."""

TDP = "test_dirty_log test_dirty_model test_tdp_fault test_tdp_split test_guest_mem"
NESTED = "test_shadow_dirty test_nested_split test_shadow_mmu test_track test_mmu_random"
BOTH = TDP + " " + NESTED
HUGE = "test_shadow_huge_log " + NESTED
ARM = "test_arm " + HUGE
GUEST = "test_guest_mem test_dirty_log test_dirty_model test_pt_walk test_mmu_random"

MARK = "__atomic_fetch_or(&map[i / 64], BIT(i % 64), __ATOMIC_RELAXED);"

MUTANTS = [
    # One bit left out: wherever one is set.
    mutant("mark-nothing", "mmu/dirty_log.h", MARK, "(void)i;", BOTH),
    mutant("mark-not-the-slots-last", "mmu/dirty_log.h", MARK,
           "if (i != slot->npages - 1) \\g<0>", "test_dirty_log test_guest_mem test_dirty_model"),
    mutant("mark-not-a-words-last", "mmu/dirty_log.h", MARK, "if (i % 64 != 63) \\g<0>",
           "test_dirty_log test_guest_mem test_dirty_model"),
    mutant("mark-range-without-last", "mmu/dirty_log.c", "last = first + npages - 1;",
           "last = first + npages - 1 - (npages > 1);", TDP),
    mutant("mark-range-without-last-word", "mmu/dirty_log.c", "w <= last / 64",
           "w < last / 64 || w == first / 64", TDP),
    mutant("mark-initially-without-last", "mmu/dirty_log.c",
           "bitmap_set_range(map, 0, slot->npages)", "bitmap_set_range(map, 0, slot->npages - 1)",
           TDP),
    mutant("mark-not-in-tdp-fault", "mmu/tdp_fault.c",
           "if (f->write) dirty_log_mark(f->slot, f->gfn);", "", TDP),
    mutant("mark-not-when-tdp-stays-huge", "mmu/tdp_fault.c",
           "dirty_log_mark_range(f->slot, (gfn_t){it->gfn}, LEVEL_PAGES(it->level));", "", TDP),
    mutant("mark-one-page-when-tdp-stays-huge", "mmu/tdp_fault.c",
           "dirty_log_mark_range(f->slot, (gfn_t){it->gfn}, LEVEL_PAGES(it->level));",
           "dirty_log_mark(f->slot, f->gfn);", TDP),
    mutant("mark-not-in-nested-fault", "mmu/shadow_fault.c",
           "dirty_log_mark_range(f->slot, gfn, LEVEL_PAGES(level));", "", NESTED),
    mutant("mark-not-in-short-nested-fault", "mmu/shadow_fault_dirty.c",
           "dirty_log_mark(slot, pos.gfn);", "", NESTED),
    mutant("mark-one-page-when-nested-stays-huge", "mmu/shadow_fault.c",
           "dirty_log_mark_range(f->slot, pos.gfn, LEVEL_PAGES(pos.level));",
           "dirty_log_mark(f->slot, f->gfn);", NESTED),
    # L0's own writes.
    mutant("mark-not-in-guest-write", "mmu/guest_mem.c",
           "src, part); dirty_log_mark(slot, gfn);", "src, part);", GUEST),
    mutant("mark-only-the-last-page-of-guest-write", "mmu/guest_mem.c",
           "src, part); dirty_log_mark(slot, gfn);",
           "src, part); if (part == len) dirty_log_mark(slot, gfn);", GUEST),
    mutant("mark-not-in-guest-page", "mmu/guest_mem.c",
           "dirty_log_mark(page->slot, page->gfn);", "", GUEST),
    mutant("mark-not-in-guest-cmpxchg", "mmu/guest_mem.c",
           "if (done) dirty_log_mark(slot, gfn);", "", GUEST),
    mutant("mark-before-guest-write", "mmu/guest_mem.c",
           "memcpy(page_va(slot, gpa), src, part); dirty_log_mark(slot, gfn); "
           "unlock_after_write(mmu, exclusive, &b);",
           "dirty_log_mark(slot, gfn); unlock_after_write(mmu, exclusive, &b); "
           "memcpy(page_va(slot, gpa), src, part);", GUEST),

    # Taking the bits.
    mutant("take-loses-a-bit", "mmu/dirty_log.c",
           "out[i] = bitmap_take_word_atomic(slot->dirty_bitmap, word + i);",
           "out[i] = bitmap_take_word_atomic(slot->dirty_bitmap, word + i) & ~BIT(63);", TDP),
    mutant("take-without-tracking-again", "mmu/dirty_log.c",
           "if (out[i]) arm_word(mmu, slot, word + i, out[i], &b);", "", TDP),
    mutant("take-tracks-half-of-unaligned-words", "mmu/dirty_log.c",
           "if (shift && mask >> (64 - shift))", "if (false && shift)", TDP),
    mutant("take-returns-before-the-flush", "mmu/dirty_log.c", "flush_pay(mmu, &b); return dirty;",
           "return dirty;", TDP),
    mutant("take-rests-before-the-flush", "mmu/dirty_log.c",
           "flush_pay(mmu, &b); rwlock_write_unlock(&mmu->lock); env_resched();",
           "rwlock_write_unlock(&mmu->lock); env_resched();", TDP),
    mutant("take-counts-wrong", "mmu/dirty_log.c", "dirty += popcount64(out[i]);",
           "dirty += out[i] != 0;", TDP),
    mutant("page-read-before-its-bit-is-taken", "migration/round.c",
           "return 0; } static int send_round_marker",
           "if (m->info.rounds > 1) m->ops->dirty_read_clear(m->ctx, slot, first, npages, "
           "m->bits); return 0; } static int send_round_marker",
           "test_engine"),

    # Turning it on.
    mutant("log-on-after-protection", "mmu/dirty_log.c",
           "__atomic_store_n(&slot->dirty_bitmap, map, __ATOMIC_RELEASE); "
           "if (mode == DIRTY_PROTECT_ALL) { split = split_range(mmu, slot, start, end, &b); "
           "tracker_of(slot)->arm_range(mmu, slot, start, end, &b); }",
           "if (mode == DIRTY_PROTECT_ALL) { split = split_range(mmu, slot, start, end, &b); "
           "tracker_of(slot)->arm_range(mmu, slot, start, end, &b); } flush_pay(mmu, &b); "
           "__atomic_store_n(&slot->dirty_bitmap, map, __ATOMIC_RELEASE);", BOTH),
    mutant("log-on-without-protection", "mmu/dirty_log.c",
           "tracker_of(slot)->arm_range(mmu, slot, start, end, &b);", "", BOTH),
    mutant("log-on-without-the-flush", "mmu/dirty_log.c",
           "} flush_pay(mmu, &b); rwlock_write_unlock(&mmu->lock); "
           "env_trace(MMU_EV_log, slot->id, 1,",
           "} rwlock_write_unlock(&mmu->lock); env_trace(MMU_EV_log, slot->id, 1,", BOTH),
    mutant("log-off-without-the-flush", "mmu/dirty_log.c",
           "flush_pay(mmu, &b); rwlock_write_unlock(&mmu->lock); env_free(map);",
           "rwlock_write_unlock(&mmu->lock); env_free(map);", BOTH),
    mutant("arm-not-the-tdp-range", "mmu/dirty_log.c",
           "tdp_wrprot_range(mmu, start, end, b);", "", TDP),
    mutant("arm-not-the-nested-range", "mmu/dirty_log.c",
           "if (mmu->nested_used) shadow_wrprot_range(mmu, slot, start, end, b);", "(void)slot;",
           NESTED),
    mutant("arm-not-the-nested-mask", "mmu/dirty_log.c",
           "if (mmu->nested_used) shadow_wrprot_masked(mmu, slot, base, mask, b);", "(void)slot;",
           HUGE),
    mutant("protect-tdp-without-the-last", "mmu/tdp_mmu.c",
           "MIN(end, it.gfn + LEVEL_PAGES(it.level)) - it.gfn - 1",
           "MIN(end, it.gfn + LEVEL_PAGES(it.level)) - it.gfn - 2", TDP),
    mutant("protect-tdp-not-huge", "mmu/tdp_mmu.c",
           "if (spte_is_leaf(mmu, it.old, it.level)) spte_clear_bits(&pos, mmu->cfg.fmt->write, "
           "b); else", "", TDP),
    mutant("protect-tdp-mask-not-huge", "mmu/tdp_mmu.c",
           "if (mask) spte_clear_bits(&pos, mmu->cfg.fmt->write, b);", ";", TDP),
    mutant("protect-nested-not-1g", "mmu/shadow_wrprot.c",
           "for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) { "
           "head = rmap_range(slot, start, end, level, &last); spte_clear_heads",
           "for (int level = PG_LEVEL_4K; level < PG_LEVEL_1G; level++) { "
           "head = rmap_range(slot, start, end, level, &last); spte_clear_heads", HUGE),
    mutant("protect-nested-range-without-the-last", "mmu/shadow_wrprot.c",
           "*last = rmap_get(slot, (gfn_t){end - 1}, level);",
           "*last = rmap_get(slot, (gfn_t){end - 2}, level);", HUGE),
    mutant("protect-nested-mask-not-1g", "mmu/shadow_wrprot.c",
           "for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {",
           "for (int level = PG_LEVEL_2M; level < PG_LEVEL_1G; level++) {", HUGE),
    mutant("protect-nested-mask-not-2m", "mmu/shadow_wrprot.c",
           "for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {",
           "for (int level = PG_LEVEL_1G; level <= PG_LEVEL_1G; level++) {", HUGE),
    mutant("protect-nested-run-without-the-last", "mmu/shadow_wrprot.c",
           "spte_clear_heads(mmu, head, head + n - 1, bits, b);",
           "spte_clear_heads(mmu, head, head + n - 1 - (n > 1), bits, b);", ARM),
    mutant("protect-only-the-first-alias", "mmu/spte_nested.c",
           "rmap_for_each (head, it, sptep) less |= env_pte_clear_run(sptep, 1, bits);",
           "less |= env_pte_clear_run(rmap_first(head, &it), 1, bits);", ARM),
    mutant("protect-only-what-has-no-alias", "mmu/spte_nested.c",
           "rmap_for_each (head, it, sptep) less |=", "for (; (it.desc = NULL);) less |=", ARM),
    mutant("protect-row-too-long", "mmu/spte_nested.c",
           "head[n].val == head->val + n * sizeof(u64)", "head[n].val", ARM),
    mutant("protect-row-beyond-its-end", "mmu/spte_nested.c", "while (head + n <= last && head[n]",
           "while (head + n <= last + 1 && head[n]", ARM),
    mutant("protect-skips-a-head", "mmu/spte_nested.c", "head[5].val | head[6].val | head[7].val)",
           "head[5].val | head[6].val)", ARM),
    mutant("protect-huge-by-its-dirty-bit", "mmu/shadow_wrprot.c",
           "return level == PG_LEVEL_4K ? bits : mmu->cfg.fmt->write;",
           "return level == PG_LEVEL_4K ? bits : bits | mmu->cfg.fmt->dirty;", ARM),
    mutant("protect-huge-not-when-dirty-bits-track", "mmu/shadow_wrprot.c",
           "return level == PG_LEVEL_4K ? bits : mmu->cfg.fmt->write;", "(void)mmu, (void)level; "
           "return bits;", ARM),
    mutant("read-makes-tdp-writable", "mmu/tdp_fault.c",
           "if (slot->dirty_bitmap && !f->write && !page_is_dirty(slot, f->gfn))",
           "if (false && !page_is_dirty(slot, f->gfn))", TDP),
    mutant("read-makes-nested-writable", "mmu/shadow_fault.c",
           "if (f->slot->dirty_bitmap && !(f->access & ACC_WRITE) && !writable)",
           "if (false && !writable)", "test_spte_races " + NESTED),
    mutant("huge-pages-while-logging", "mmu/memslot.c",
           "if (READ_ONCE(slot->dirty_bitmap)) return PG_LEVEL_4K;", "", BOTH),
    mutant("protected-children-although-dirty", "mmu/nested_split.c",
           "if (pos->level != PG_LEVEL_2M || !slot->dirty_bitmap || "
           "bitmap_find_next_set(slot->dirty_bitmap, end, first) != end)",
           "if (pos->level != PG_LEVEL_2M || !slot->dirty_bitmap || end < first)", NESTED),
]
