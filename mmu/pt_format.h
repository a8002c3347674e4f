/* SPDX-License-Identifier: MIT */
/*
 * Page-table formats as data. One walker and one SPTE maker serve all of them.
 *
 * Levels count from 1 (4K leaf) to 5. "Guest" formats are what L1 (or L2) writes; the
 * format of the tables that the processor walks for us is one of them too (struct mmu.fmt).
 */
#pragma once

#include "lib/types.h"

#define PT_MAX_LEVEL 5
#define PG_LEVEL_4K  1
#define PG_LEVEL_2M  2
#define PG_LEVEL_1G  3

/* Bytes and 4K pages that one entry of a table at @level maps (8-byte formats). */
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level)-1))
#define LEVEL_SIZE(level)  (1ull << LEVEL_SHIFT(level))
#define LEVEL_PAGES(level) (LEVEL_SIZE(level) >> PAGE_SHIFT)

/* What a translation grants. */
#define ACC_READ  BIT(0)
#define ACC_WRITE BIT(1)
#define ACC_EXEC  BIT(2)
#define ACC_USER  BIT(3)
#define ACC_ALL	  (ACC_READ | ACC_WRITE | ACC_EXEC | ACC_USER)

enum pt_format_id {
	PT_FMT_32,    /* 2 levels of 4-byte entries, 4M pages with CR4.PSE; APM 2 5.2 */
	PT_FMT_PAE,   /* 3 levels, 4 PDPTEs; APM 2 5.2.2 */
	PT_FMT_LONG4, /* 4 levels; APM 2 5.3 */
	PT_FMT_LONG5, /* 5 levels */
	PT_FMT_EPT4,  /* SDM 3C 28.3.2 */
	PT_FMT_EPT5,
	PT_FMT_NR
};

struct pt_format {
	const char *name;
	enum pt_format_id id;
	u8 levels;
	u8 entry_size;	/* bytes: 4 or 8 */
	u8 index_bits;	/* of a full table: 9, or 10 for 4-byte entries */
	u8 root_bits;	/* index bits of the top level (PAE: 2) */
	u8 leaf_levels; /* bit n: an entry at level n may be a leaf */
	u64 present;	/* present when any of these bits is set */
	u64 read;	/* bit that grants reading; 0: whatever is present is readable */
	u64 write;
	u64 user; /* 0: the format has no such notion, everything is user */
	u64 exec; /* bit that grants execution, or 0 */
	u64 nx;	  /* bit that forbids execution, or 0 */
	u64 accessed;
	u64 dirty;
	u64 huge;      /* marks a leaf above level 1 */
	u64 addr_mask; /* bits of an entry that may hold an address, at the widest */
	u64 leaf_type; /* what each leaf of our own carries besides: EPT's write-back type */
};

extern const struct pt_format pt_formats[PT_FMT_NR];

/*
 * A format as one vCPU uses it now. Which bits are reserved follows from the processor that
 * the table's owner believes to have and from its control registers.
 */
struct pt_mode {
	const struct pt_format *fmt;
	u8 maxphyaddr; /* of the guest that wrote the tables */
	bool nx;       /* EFER.NXE: else bit 63 is reserved */
	bool huge_1g;  /* CPUID Page1GB: else PS at level 3 is reserved */
	bool pse;      /* CR4.PSE, for PT_FMT_32 */
	bool wp;       /* CR0.WP: supervisor writes honour W. Nested tables: always */
	bool ad;       /* the tables' A/D bits are maintained (NPT: always) */
};

/* Bits that must be zero in a present entry at @level; a leaf has more of them. */
u64 pt_reserved_bits(const struct pt_mode *mode, int level, bool leaf);
/* True when a walk that meets the present @entry at @level ends with a fault for its bits' sake. */
bool pt_malformed(const struct pt_mode *mode, u64 entry, int level, bool leaf);
/* True when a present @entry at @level maps memory and not a table. */
bool pt_is_leaf(const struct pt_mode *mode, u64 entry, int level);
/* ACC_* that @entry alone grants; not for PAE's PDPTEs, which have no such bits. */
static inline u32 pt_entry_access(const struct pt_mode *mode, u64 entry)
{
	const struct pt_format *fmt = mode->fmt;
	u32 access = 0;

	if (!(entry & fmt->present))
		return 0;
	if (!fmt->read || (entry & fmt->read))
		access |= ACC_READ;
	if (entry & fmt->write)
		access |= ACC_WRITE;
	if (!fmt->user || (entry & fmt->user))
		access |= ACC_USER;
	if (fmt->exec ? (entry & fmt->exec) != 0 : !(mode->nx && (entry & fmt->nx)))
		access |= ACC_EXEC;
	return access;
}

/* The same for an entry at @level: a PDPTE of PAE grants all. */
u32 pt_level_access(const struct pt_mode *mode, u64 entry, int level);
/* A fault of an instruction fetch says that it was one: where execution can be forbidden. */
static inline bool pt_fetch_shows(const struct pt_mode *mode)
{
	return mode->nx || mode->fmt->exec;
}

/* Index into the table at @level for @addr. */
static inline u32 pt_index(const struct pt_format *fmt, u64 addr, int level)
{
	int n = level == fmt->levels ? fmt->root_bits : fmt->index_bits;

	return (addr >> (PAGE_SHIFT + fmt->index_bits * (level - 1))) & (BIT(n) - 1);
}

/* Bytes that one entry at @level covers (4M for level 2 of PT_FMT_32). */
static inline u64 pt_level_size(const struct pt_format *fmt, int level)
{
	return BIT(PAGE_SHIFT + fmt->index_bits * (level - 1));
}

/*
 * The 4K leaves of a mode, for who looks at many: what a present one must have and must lack, or it
 * is malformed, or not for user accesses, or not to be read; and when it may be executed.
 */
struct pt_leaf_rules {
	u64 mask, value;
	u64 exec_mask, exec_value;
};
struct pt_leaf_rules pt_leaf_rules(const struct pt_mode *mode);
/* ACC_* that the leaf @entry grants; 0 where it is not as those rules want it. */
static inline u32 pt_leaf_access(const struct pt_mode *mode, const struct pt_leaf_rules *rules,
				 u64 entry)
{
	u32 access = ACC_READ | ACC_USER;

	if ((entry & rules->mask) != rules->value ||
	    (mode->fmt->read && pt_malformed(mode, entry, PG_LEVEL_4K, true)))
		return 0;
	if (entry & mode->fmt->write)
		access |= ACC_WRITE;
	if ((entry & rules->exec_mask) == rules->exec_value)
		access |= ACC_EXEC;
	return access;
}

/* The address a present entry holds: of the next table, or of the memory of a leaf. */
u64 pt_entry_addr(const struct pt_mode *mode, u64 entry, int level, bool leaf);
