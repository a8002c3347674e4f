# SPDX-License-Identifier: MIT
"""The mode of L1's nested tables: what selects it, and what of it a shadow page must remember."""

PAGING = "test_svm_paging"
WALK = "test_pt_walk"
FORMATS = "test_shadow_formats"

ORACLE = "test_shadow_oracle"

MUTANTS = [
    mutant("mode-without-pse", "svm/paging.c", ".pse = s->cr4 & CR4_PSE,", ".pse = true,", PAGING),
    mutant("mode-without-nxe", "svm/paging.c", ".nx = s->efer & EFER_NXE && s->cr4 & CR4_PAE,",
           ".nx = s->cr4 & CR4_PAE,", PAGING),
    mutant("mode-nx-in-4-bytes", "svm/paging.c", "s->efer & EFER_NXE && s->cr4 & CR4_PAE",
           "s->efer & EFER_NXE", PAGING),
    mutant("mode-without-la57", "svm/paging.c",
           "id = s->cr4 & CR4_LA57 ? PT_FMT_LONG5 : PT_FMT_LONG4;", "id = PT_FMT_LONG4;", PAGING),
    mutant("mode-by-lme", "svm/paging.c", "if (s->efer & EFER_LMA)", "if (s->cr4 & CR4_PAE)",
           PAGING),
    mutant("mode-without-pae", "svm/paging.c", "else if (s->cr4 & CR4_PAE)", "else if (false)",
           PAGING),
    mutant("mode-l1s-wp-counts", "svm/paging.c", "mode.wp = true;", "(void)mode;", PAGING),
    mutant("mode-without-1g", "svm/paging.c", ".huge_1g = svm_host.huge_1g,", ".huge_1g = true,",
           PAGING),
    mutant("mode-maxphyaddr", "svm/paging.c", ".maxphyaddr = svm_host.limits.maxphyaddr,",
           ".maxphyaddr = 52,", PAGING),
    mutant("mode-pae-root-as-a-page", "svm/paging.c",
           "mode->fmt->id == PT_FMT_PAE ? ~0x1full : PAGE_MASK", "PAGE_MASK", PAGING),
    mutant("pdpte-accessed-refused", "mmu/pt_format.c", "GENMASK(8, 6) | GENMASK(2, 1)",
           "GENMASK(8, 5) | GENMASK(2, 1)", WALK),
    mutant("pdpte-with-w-and-u", "mmu/pt_format.c", "GENMASK(8, 6) | GENMASK(2, 1)",
           "GENMASK(8, 6)", WALK),
    # Five levels of L1's over four of the processor's.
    mutant("root-has-a-level-too-many", "mmu/shadow_mmu.c",
           "if (likely(!n->deeper))", "if (n->root)", FORMATS),
    mutant("root-level-is-the-processors", "mmu/shadow_internal.h",
           "MAX(mmu->cfg.fmt->levels, pt_formats[fmt].levels)", "mmu->cfg.fmt->levels", FORMATS),
    mutant("root-level-is-l1s", "mmu/shadow_internal.h",
           "MAX(mmu->cfg.fmt->levels, pt_formats[fmt].levels)", "pt_formats[fmt].levels", FORMATS),
    mutant("fetch-from-outside-shows-always", "mmu/shadow_fault.c",
           "if ((f->access & ACC_EXEC) && pt_fetch_shows(&f->n->mode))",
           "if (f->access & ACC_EXEC)", FORMATS),
    mutant("fetch-shows-never", "mmu/pt_format.h", "return mode->nx || mode->fmt->exec;",
           "return mode->fmt->exec;", FORMATS + " " + WALK),
]

# What only a machine shows: L1's mode at VMRUN, and whose access a fault was.
MODES = "npt-modes"
MUTANTS += [
    mutant("vmrun-in-another-pse", "svm/nested_enter.c", "n->mode.pse == mode->pse", "true", MODES,
           kind="machine"),
    mutant("vmrun-in-another-nxe", "svm/nested_enter.c", "n->mode.nx == mode->nx", "true", MODES,
           kind="machine"),
    mutant("vmrun-pae-root-as-a-page", "svm/nested_enter.c",
           "mode.fmt->id == PT_FMT_PAE ? 0x1f : PAGE_SIZE - 1", "PAGE_SIZE - 1", MODES,
           kind="machine"),
    mutant("npf-without-its-stage", "svm/nested_exit.c", "fault->error | stage", "fault->error | (stage & 0)",
           MODES, kind="machine"),
    mutant("npf-of-tables-as-final", "svm/nested_exit.c",
           "exit->fault.error & (NPF_FINAL | NPF_PT)", "exit ? NPF_FINAL : 0", MODES, kind="machine"),
    mutant("modes-without-pse", "svm/paging.c", ".pse = s->cr4 & CR4_PSE,", ".pse = true,", MODES,
           kind="machine"),
    mutant("modes-without-nxe", "svm/paging.c", ".nx = s->efer & EFER_NXE && s->cr4 & CR4_PAE,",
           ".nx = s->cr4 & CR4_PAE,", MODES, kind="machine"),
    mutant("modes-without-quadrant", "mmu/shadow_page.c",
           "role.quadrant = index & (role.level == 2 ? 3 : 1);", "role.quadrant = index & 0;",
           MODES, kind="machine"),
    mutant("modes-without-pdpt", "mmu/shadow_mmu.c", "n->root_gpa.v >> 5 & 0x7f : 0", "0 : 0",
           MODES, kind="machine"),
    mutant("vmrun-keeps-the-nested-root", "svm/nested_enter.c", "else if (vcpu->nested.root)",
           "else if (!vcpu)", MODES, kind="machine"),
    mutant("la57-never-offered", "svm/cpuid.c", "allowed |= CR4_LA57;", "(void)f;",
           "npt-modes", kind="machine"),

    # What only every combination shows.
    mutant("oracle-upper-rights-forgotten", "mmu/shadow_fault_fast.c",
           "grant = p->sp->role.access & pt_leaf_access(", "grant = pt_leaf_access(", ORACLE),
    mutant("oracle-write-before-d", "mmu/shadow_fault_fast.c",
           "if (mode->ad && !(entry & mode->fmt->dirty)) grant &= ~ACC_WRITE;", "", ORACLE),
    mutant("oracle-execute-only-read", "mmu/spte.h",
           "spte |= access & ACC_READ ? fmt->read : 0;", "spte |= fmt->read;", ORACLE),
    mutant("oracle-no-execute-forgotten", "mmu/spte.h", "else spte |= fmt->nx;", "", ORACLE),
    mutant("oracle-ept-types-allowed", "mmu/pt_format.c",
           "return leaf && (type == 2 || type == 3 || type == 7);",
           "return leaf && (type == 2 || type == 3);", ORACLE),
    mutant("oracle-a-not-set-above", "mmu/pt_walk.c",
           "for (int level = fmt->levels; level >= w->level; level--) { u64 old",
           "for (int level = w->level; level >= w->level; level--) { u64 old", ORACLE),

    # What a reflected fault says of L1's rights.
    mutant("walk-grants-beyond-its-end", "mmu/pt_walk.c", "if (why != PFERR_P)",
           "if (!why && !k->mode)", "test_shadow_formats"),
    mutant("reflected-without-rights", "mmu/shadow_fault.c", "out->granted = granted;",
           "out->granted = 0 * granted;", "test_shadow_formats"),
]
