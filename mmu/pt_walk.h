/* SPDX-License-Identifier: MIT */
/*
 * The guest page-table walker: one for all formats. It reads a guest's tables as the
 * processor would, checks reserved bits and permissions, and sets A and D by compare-and-
 * exchange of the entry's own size, starting again when the guest changed the entry meanwhile.
 */
#pragma once

#include "mmu/pt_format.h"

struct mmu;

/* Page-fault error code bits, as in #PF and #NPF (APM 2 8.4.2, 15.25.6). */
#define PFERR_P	    BIT(0)
#define PFERR_W	    BIT(1)
#define PFERR_U	    BIT(2)
#define PFERR_RSV   BIT(3)
#define PFERR_I	    BIT(4)
#define PFERR_FINAL BIT(32) /* #NPF: the guest's final physical address */
#define PFERR_TABLE BIT(33) /* #NPF: the guest's own page table was accessed */

struct pt_walk {
	/* Results. Arrays are indexed by level. */
	int level;		       /* of the leaf; after a fault, of the entry that faulted */
	u32 access;		       /* ACC_* granted by all levels together; 0 where they end */
	bool dirty;		       /* the leaf has D set, or the mode keeps no A/D */
	gpa_t gpa;		       /* what the address translates to, with its offset */
	u32 error;		       /* after a fault: PFERR_P, RSV, W, U, I as architected */
	gpa_t table[PT_MAX_LEVEL + 1]; /* the table visited at each level */
	u64 entry[PT_MAX_LEVEL + 1];   /* the entry read there, with A/D as now set */
	/* What a walk of tables that are themselves translated (L2's own) ran into. */
	bool nested_fault; /* the fault came from the second dimension */
	u64 nested_addr;   /* ...at this L2-physical address */
};

/* Turns an address in the walked tables' own space into a gpa; see pt_walk_nested(). */
typedef int (*pt_translate_fn)(void *ctx, u64 addr, u32 access, gpa_t *gpa);

/*
 * Walks @mode's tables from @root for @addr on behalf of an access that needs @access
 * (ACC_READ, or with ACC_WRITE, ACC_EXEC, ACC_USER).
 * Returns 0 and fills @w; -EFAULT when the architecture gives a fault (w->error says which).
 * A table outside of the guest's memory reads as all ones.
 * A table that cannot be written (read-only slot) keeps its A/D bits; the walk goes on.
 * No lock may be held but slots_lock; takes mmu_lock for reading to set A/D.
 */
int __must_check pt_walk(struct mmu *mmu, const struct pt_mode *mode, gpa_t root, u64 addr,
			 u32 access, struct pt_walk *w);

/*
 * The same for tables whose addresses are L2-physical: each is passed through @translate,
 * which returns 0 or -EFAULT. Used to fetch L2's instructions. @w->gpa is then L2-physical, too.
 */
int __must_check pt_walk_nested(struct mmu *mmu, const struct pt_mode *mode, u64 root, u64 addr,
				u32 access, pt_translate_fn translate, void *ctx,
				struct pt_walk *w);
