# SPDX-License-Identifier: MIT
"""The short ways through a fault: each condition under which they are refused, each thing that
follows from a change and is easy to leave out there."""

FAST = "test_fault_fast test_fault_both_ways test_fault_dbit test_shadow_dirty test_mmu_random"
WARM = "test_fault_warm test_shadow_page test_shadow_write"

F = "mmu/shadow_fault_fast.c"

MUTANTS = [
    # Where it does not lead.
    mutant("fast-without-a-root", F, "if (!n->root) return NOT_PLAIN;", "", FAST),
    mutant("fast-through-a-huge-leaf", F, "if ((spte & (fmt->present | fmt->huge)) != fmt->present)",
           "if (!(spte & fmt->present))", FAST),
    mutant("fast-where-no-table-is-shadowed", F, "if (p->sp->role.direct || mode", "if (mode", FAST),
    mutant("fast-in-4-byte-entries", F, "mode->fmt->entry_size != sizeof(u64) ||", "", FAST),
    mutant("fast-by-l1s-next-entry", F, "p->sp->gfn, NULL)) + p->index;",
           "p->sp->gfn, NULL)) + (p->index ^ 1);", FAST),

    # What L1's entry says.
    mutant("fast-although-not-present", F, "if (!(entry & mode->fmt->present))",
           "if (!(entry & mode->fmt->present) && !gfn.v)", FAST),
    mutant("fast-although-malformed", "mmu/pt_format.c",
           ".mask = need | pt_reserved_bits(mode, PG_LEVEL_4K, true),", ".mask = need,", FAST),
    mutant("fast-although-not-for-users", "mmu/pt_format.c",
           "u64 need = fmt->user | (fmt->read", "u64 need = (fmt->read", FAST),
    mutant("fast-although-not-to-be-read", "mmu/pt_format.c",
           "fmt->user | (fmt->read ? fmt->read : fmt->present);", "fmt->user;", FAST),
    mutant("fast-executes-against-l1", "mmu/pt_format.c", ".exec_mask = fmt->exec | nx,",
           ".exec_mask = fmt->exec,", FAST),
    mutant("fast-executes-not-at-all", "mmu/pt_format.c", ".exec_value = fmt->exec,",
           ".exec_value = fmt->exec | nx,", FAST),
    mutant("fast-misconfigured-ept", "mmu/pt_format.h",
           "if ((entry & rules->mask) != rules->value || (mode->fmt->read && "
           "pt_malformed(mode, entry, PG_LEVEL_4K, true)))",
           "if ((entry & rules->mask) != rules->value)", FAST),
    mutant("fast-against-l1", F, "if ((p->need & ~grant) || !set_ad", "if (!set_ad", FAST),
    mutant("fast-against-l1s-upper-levels", F, "grant = p->sp->role.access & pt_leaf_access(",
           "grant = pt_leaf_access(", FAST),
    mutant("fast-without-l1s-d", F,
           "if (mode->ad && !(entry & mode->fmt->dirty)) grant &= ~ACC_WRITE;", "", FAST),
    mutant("fast-sets-no-a", F, "*entry |= fmt->accessed |", "*entry |=", FAST),
    mutant("fast-sets-no-d", F, "(p->need & ACC_WRITE ? fmt->dirty : 0);", "0;", FAST),
    mutant("fast-sets-d-by-a-read", F, "(p->need & ACC_WRITE ? fmt->dirty : 0);", "fmt->dirty;",
           FAST),
    mutant("fast-sets-a-and-d-where-l1-has-none", F, "if (!p->n->mode.ad) return true;", "", FAST),

    mutant("fast-sets-a-in-rom", "mmu/guest_mem.c",
           "if ((slot->flags & MEMSLOT_READONLY) || !exchange(entry,", "if (!exchange(entry,",
           FAST),
    mutant("fast-marks-no-table", "mmu/guest_mem.c",
           "sizeof(*entry))) return false; dirty_log_mark(slot, gfn);",
           "sizeof(*entry))) return false; (void)gfn;", FAST),

    # What the memory is.
    mutant("fast-outside-of-the-slots", F, "return slot && !(slot->flags",
           "return !(slot->flags", FAST),
    mutant("fast-in-a-read-only-slot", F, "!(slot->flags & MEMSLOT_READONLY) && !shadow",
           "!shadow", FAST),
    mutant("fast-over-a-tracked-table", F, "&& !shadow_gfn_tracked(slot, gfn);",
           "&& (gfn.v || slot);", FAST),
    mutant("fast-maps-the-next-page", F, "memslot_hpa(slot, gfn, NULL), PG_LEVEL_4K,",
           "memslot_hpa(slot, (gfn_t){gfn.v ^ 1}, NULL), PG_LEVEL_4K,", FAST),

    # Writing again what has lost W.
    mutant("fast-regains-what-l1-forbids", F,
           "|| !(shadow_page_access(p->sp, p->index) & ACC_WRITE))", ")", FAST),
    mutant("fast-regains-for-a-read", F, "if (!(p->need & ACC_WRITE) || (old", "if ((old", FAST),
    mutant("fast-regains-what-is-tracked", F, "if (!slot_is_plain(slot, gfn)) return false;", "",
           FAST),
    mutant("fast-regains-unmarked", F,
           "if (dirty_log_by_faults(p->mmu, slot)) count_dirty_fault(p->mmu, slot, gfn);", "", FAST),
    mutant("fast-regains-dirty", F, "& ~dirty_log_withheld(p->mmu, slot, true));", ");", FAST),

    # A leaf that is there.
    mutant("fast-upgrades-another-page", F,
           "if (shadow_page_gfn(p->sp, p->index).v != gfn.v) return NOT_PLAIN;", "", FAST),
    mutant("fast-upgrades-what-loses-rights", F, "if (lost || (gained & fmt->nx))",
           "if (gained & fmt->nx)", FAST),
    mutant("fast-upgrades-to-nx", F, "if (lost || (gained & fmt->nx))", "if (lost)", FAST),
    mutant("fast-upgrades-what-is-granted", F,
           "if (!(p->need & ~ACC_USER & ~spte_access(p->mmu, old)))", "if (false)", FAST),
    mutant("fast-upgrades-unmarked", F,
           "if ((leaf & fmt->write) && dirty_log_by_faults(p->mmu, slot)) "
           "count_dirty_fault(p->mmu, slot, gfn);", "", FAST),
    mutant("fast-upgrades-unnoted", F,
           "shadow_page_note(p->sp, p->index, gfn, grant); spte_grant(", "spte_grant(", FAST),

    # A leaf where none is.
    mutant("fast-maps-without-a-descriptor", F,
           "(!rmap_single(head) || !p->n->caches.nr_descs)", "!rmap_single(head)", FAST),
    mutant("fast-adds-to-a-long-list", F, "(!rmap_single(head) || !p->n->caches.nr_descs)",
           "rmap_needs_desc(head) && !p->n->caches.nr_descs", FAST),
    mutant("fast-maps-unmarked", F,
           "if ((leaf & p->mmu->cfg.fmt->write) && dirty_log_by_faults(p->mmu, slot)) "
           "dirty_log_mark(slot, gfn);", "", FAST),
    mutant("fast-maps-unnoted", F, "shadow_page_note(p->sp, p->index, gfn, grant); spte_map",
           "spte_map", FAST),
    mutant("fast-maps-dirty", F, "grant & ~ACC_WRITE : grant) & ~withheld;",
           "grant & ~ACC_WRITE : grant);", FAST),
    mutant("fast-maps-writable-by-a-read", F,
           "withheld & p->mmu->cfg.fmt->write ? grant & ~ACC_WRITE : grant)",
           "grant)", "test_spte " + FAST),
    mutant("fast-maps-unlisted", "mmu/spte.c", "rmap_add(mmu, head, sptep, caches); }",
           "(void)caches; (void)head; }", FAST),
    mutant("fast-maps-uncounted", "mmu/spte.c",
           "mmu_stat_add(&mmu->stats.pages[MMU_TREE_NESTED][0], 1); if (likely(", "if (likely(", FAST),
    mutant("fast-maps-a-page-that-says-it-is-empty", "mmu/spte.c", "sp->present++; mmu_stat",
           "mmu_stat", FAST),
    mutant("grant-gives-up", "mmu/spte.c",
           "while ((was = env_pte_cmpxchg(sptep, old, old | bits)) != old) old = was;",
           "was = env_pte_cmpxchg(sptep, old, old | bits); (void)was;", FAST),

    mutant("grant-forgets-the-processors-bits", "mmu/spte.c",
           "u64 was; /* The processor may set A or D meanwhile. */ "
           "while ((was = env_pte_cmpxchg(sptep, old, old | bits)) != old)",
           "u64 was, new = old | bits; while ((was = env_pte_cmpxchg(sptep, old, new)) != old)",
           FAST),

    # What it tells L1, and us.
    mutant("fast-reflects-no-write", F, "PFERR_U | (need & ACC_WRITE ? PFERR_W : 0);",
           "PFERR_U;", FAST),
    mutant("fast-reflects-fetches-without-nx", F,
           "if ((need & ACC_EXEC) && pt_fetch_shows(&n->mode))",
           "if (need & ACC_EXEC)", FAST),
    mutant("fast-reflects-no-fetch", F, "out->error |= PFERR_I;", "", FAST),
    mutant("fast-reflects-uncounted", F, "mmu_stat_add(&mmu->stats.nested_pf_reflected, 1);",
           "", FAST),

    # What tells how warm a page is, and whether L2 uses a table that L1 writes.
    mutant("fast-touches-nothing", F, "> EVENTS_UNTOUCHED))", "> ~0ull))",
           WARM),
    mutant("fast-touches-the-last-page-only", F, "shadow_path_touch(mmu, path, PG_LEVEL_4K, root->role.level);",
           "shadow_path_touch(mmu, path, PG_LEVEL_4K, PG_LEVEL_4K);", WARM),
    mutant("fast-touches-seldom", F, "#define EVENTS_UNTOUCHED 8", "#define EVENTS_UNTOUCHED 30",
           WARM),
    mutant("fast-touches-no-matter-what-l1-writes", "mmu/shadow_write.c",
           "mmu->shadow_events += writes;", "", WARM),
    mutant("fast-touches-no-matter-what-faults", "mmu/shadow_limit.c", "mmu->shadow_events++;", "",
           WARM),
]
