// SPDX-License-Identifier: MIT
/*
 * The six page-table formats as rows of one table, and the questions that can be answered from an
 * entry alone. APM 2 5.2 (legacy), 5.3 (long mode); SDM 3A 4.3 to 4.5, 3C 28.3.2 (EPT).
 */
#include "mmu/pt_format.h"

#define X86_P	BIT(0)
#define X86_W	BIT(1)
#define X86_U	BIT(2)
#define X86_A	BIT(5)
#define X86_D	BIT(6)
#define X86_PS	BIT(7)
#define X86_NX	BIT(63)
#define ADDR_52 GENMASK(51, 12)

#define EPT_R	    BIT(0)
#define EPT_W	    BIT(1)
#define EPT_X	    BIT(2)
#define EPT_TYPE_WB (6ull << 3)
#define EPT_PS	    BIT(7)
#define EPT_A	    BIT(8)
#define EPT_D	    BIT(9)

#define LEAF_4K_2M    (BIT(1) | BIT(2))
#define LEAF_4K_2M_1G (LEAF_4K_2M | BIT(3))

#define X86_BITS                                                                            \
	.present = X86_P, .write = X86_W, .user = X86_U, .accessed = X86_A, .dirty = X86_D, \
	.huge = X86_PS
#define EPT_BITS                                                                        \
	.present = EPT_R | EPT_W | EPT_X, .read = EPT_R, .write = EPT_W, .exec = EPT_X, \
	.accessed = EPT_A, .dirty = EPT_D, .huge = EPT_PS, .addr_mask = ADDR_52,        \
	.leaf_type = EPT_TYPE_WB

const struct pt_format pt_formats[PT_FMT_NR] = {
	[PT_FMT_32] = {.name = "32-bit",
		       .id = PT_FMT_32,
		       .levels = 2,
		       .entry_size = 4,
		       .index_bits = 10,
		       .root_bits = 10,
		       .leaf_levels = LEAF_4K_2M,
		       X86_BITS,
		       .addr_mask = GENMASK(31, 12)},
	[PT_FMT_PAE] = {.name = "PAE",
			.id = PT_FMT_PAE,
			.levels = 3,
			.entry_size = 8,
			.index_bits = 9,
			.root_bits = 2,
			.leaf_levels = LEAF_4K_2M,
			X86_BITS,
			.nx = X86_NX,
			.addr_mask = ADDR_52},
	[PT_FMT_LONG4] = {.name = "4-level",
			  .id = PT_FMT_LONG4,
			  .levels = 4,
			  .entry_size = 8,
			  .index_bits = 9,
			  .root_bits = 9,
			  .leaf_levels = LEAF_4K_2M_1G,
			  X86_BITS,
			  .nx = X86_NX,
			  .addr_mask = ADDR_52},
	[PT_FMT_LONG5] = {.name = "5-level",
			  .id = PT_FMT_LONG5,
			  .levels = 5,
			  .entry_size = 8,
			  .index_bits = 9,
			  .root_bits = 9,
			  .leaf_levels = LEAF_4K_2M_1G,
			  X86_BITS,
			  .nx = X86_NX,
			  .addr_mask = ADDR_52},
	[PT_FMT_EPT4] = {.name = "EPT 4-level",
			 .id = PT_FMT_EPT4,
			 .levels = 4,
			 .entry_size = 8,
			 .index_bits = 9,
			 .root_bits = 9,
			 .leaf_levels = LEAF_4K_2M_1G,
			 EPT_BITS},
	[PT_FMT_EPT5] = {.name = "EPT 5-level",
			 .id = PT_FMT_EPT5,
			 .levels = 5,
			 .entry_size = 8,
			 .index_bits = 9,
			 .root_bits = 9,
			 .leaf_levels = LEAF_4K_2M_1G,
			 EPT_BITS},
};

static bool is_ept(const struct pt_format *fmt)
{
	return fmt->id == PT_FMT_EPT4 || fmt->id == PT_FMT_EPT5;
}

static bool is_pdpte(const struct pt_format *fmt, int level)
{
	return fmt->id == PT_FMT_PAE && level == 3;
}

/* Bits @hi to @lo, or none when that range is empty. */
static u64 bits(int hi, int lo)
{
	return hi < lo ? 0 : GENMASK(hi, lo);
}

static bool leaf_possible(const struct pt_mode *mode, int level)
{
	const struct pt_format *fmt = mode->fmt;

	if (fmt->id == PT_FMT_32 && level == 2)
		return mode->pse;
	if (level == 3 && !mode->huge_1g)
		return false;
	return fmt->leaf_levels & BIT(level);
}

/* SDM 3C table 28-1 and after: what must be zero in an EPT entry. */
static u64 ept_reserved(const struct pt_mode *mode, int level, bool leaf)
{
	u64 high = bits(51, mode->maxphyaddr);

	if (!leaf)
		return high | GENMASK(6, 3) | (leaf_possible(mode, level) ? 0 : EPT_PS);
	return level == 1 ? high : high | bits(LEVEL_SHIFT(level) - 1, 12);
}

/*
 * 4-byte entries reserve something only in a 4M page (SDM 3A table 4-4, PSE-36): bits 20:13
 * are address bits 39:32, as far as the processor has them.
 */
static u64 legacy_reserved(const struct pt_mode *mode, int level, bool leaf)
{
	if (level != 2 || !leaf)
		return 0;
	return bits(21, MIN(mode->maxphyaddr, 40) - 19);
}

u64 pt_reserved_bits(const struct pt_mode *mode, int level, bool leaf)
{
	const struct pt_format *fmt = mode->fmt;
	u64 rsvd;

	if (is_ept(fmt))
		return ept_reserved(mode, level, leaf);
	if (fmt->id == PT_FMT_32)
		return legacy_reserved(mode, level, leaf);

	rsvd = bits(51, mode->maxphyaddr);
	if (fmt->id == PT_FMT_PAE)
		rsvd |= GENMASK(62, 52);
	/* SDM 3A table 4-8. A is reserved, too, but QEMU sets it as in any other entry. */
	if (is_pdpte(fmt, level))
		return rsvd | X86_NX | GENMASK(8, 6) | GENMASK(2, 1);
	if (!mode->nx)
		rsvd |= X86_NX;
	if (!leaf)
		return level > 1 && !leaf_possible(mode, level) ? rsvd | X86_PS : rsvd;
	/* Bit 12 of a huge leaf is PAT. */
	return level == 1 ? rsvd : rsvd | bits(LEVEL_SHIFT(level) - 1, 13);
}

/* EPT entries may also be wrong in their permissions or memory type (SDM 3C 28.3.3.1). */
static bool ept_misconfigured(const struct pt_format *fmt, u64 entry, bool leaf)
{
	u64 type = entry >> 3 & 7;

	if ((entry & fmt->write) && !(entry & fmt->read))
		return true;
	return leaf && (type == 2 || type == 3 || type == 7);
}

bool pt_malformed(const struct pt_mode *mode, u64 entry, int level, bool leaf)
{
	if (entry & pt_reserved_bits(mode, level, leaf))
		return true;
	return is_ept(mode->fmt) && ept_misconfigured(mode->fmt, entry, leaf);
}

bool pt_is_leaf(const struct pt_mode *mode, u64 entry, int level)
{
	return level == 1 || (leaf_possible(mode, level) && (entry & mode->fmt->huge));
}

u32 pt_level_access(const struct pt_mode *mode, u64 entry, int level)
{
	if (is_pdpte(mode->fmt, level))
		return entry & mode->fmt->present ? ACC_ALL : 0;
	return pt_entry_access(mode, entry);
}

struct pt_leaf_rules pt_leaf_rules(const struct pt_mode *mode)
{
	const struct pt_format *fmt = mode->fmt;
	u64 need = fmt->user | (fmt->read ? fmt->read : fmt->present);
	u64 nx = mode->nx ? fmt->nx : 0;

	return (struct pt_leaf_rules){
		.mask = need | pt_reserved_bits(mode, PG_LEVEL_4K, true),
		.value = need,
		.exec_mask = fmt->exec | nx,
		.exec_value = fmt->exec,
	};
}

u64 pt_entry_addr(const struct pt_mode *mode, u64 entry, int level, bool leaf)
{
	const struct pt_format *fmt = mode->fmt;
	u64 addr = entry & fmt->addr_mask;

	if (!leaf)
		return addr;
	addr &= ~(pt_level_size(fmt, level) - 1);
	if (fmt->id == PT_FMT_32 && level == 2)
		addr |= (entry & GENMASK(20, 13)) << (32 - 13);
	return addr;
}
