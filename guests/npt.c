// SPDX-License-Identifier: MIT
/* Nested page tables. */
#include "guests/npt.h"
#include "guests/guest.h"
#include "guests/paging.h"

const struct npt_format npt_formats[NPT_FORMATS] = {
	[NPT_32] = {"32", 2, 4, 10, 1, false, NPT_RW, 0},
	[NPT_PSE] = {"pse", 2, 4, 10, 2, false, NPT_RW, 0},
	[NPT_PAE] = {"pae", 3, 8, 9, 2, true, PTE_P, 0},
	[NPT_LONG4] = {"4-level", 4, 8, 9, 3, true, NPT_RW, 0},
	[NPT_LONG5] = {"5-level", 5, 8, 9, 3, true, NPT_RW, 0},
	[NPT_EPT] = {"EPT", 4, 8, 9, 3, false, NPT_RW, EPT_TYPE_WB},
};

void npt_init_format(struct npt *npt, const struct npt_format *fmt)
{
	npt->fmt = fmt;
	npt->root = pages_alloc(1);
	npt->tables = 1;
}

void npt_init(struct npt *npt)
{
	npt_init_format(npt, paging_format());
}

static u64 load(const struct npt *npt, const void *entry)
{
	return npt->fmt->entry_size == 4 ? *(const volatile u32 *)entry
					 : *(const volatile u64 *)entry;
}

static void store(const struct npt *npt, void *entry, u64 value)
{
	if (npt->fmt->entry_size == 4)
		*(volatile u32 *)entry = (u32)value;
	else
		*(volatile u64 *)entry = value;
}

static void *at(const struct npt *npt, u64 table, u64 l2, int level)
{
	u64 index = l2 / npt_size(npt, level) & (BIT(npt->fmt->index_bits) - 1);

	return (void *)(table + index * npt->fmt->entry_size);
}

void *npt_at(struct npt *npt, u64 l2, int level)
{
	u64 table = (u64)npt->root;

	for (int l = npt->fmt->levels; l > level; l--) {
		void *entry = at(npt, table, l2, l);

		/* In a PDPTE of PAE and in the topmost levels this bit is not PS, and never set. */
		if (load(npt, entry) & PTE_PS)
			die("nested tables: a page of level %d is in the way at 0x%lx", l, l2);
		if (!load(npt, entry)) {
			store(npt, entry,
			      (u64)pages_alloc(1) |
				      (l == npt->fmt->levels ? npt->fmt->root_flags : NPT_RW));
			npt->tables++;
		}
		table = load(npt, entry) & PTE_ADDR;
	}
	return at(npt, table, l2, level);
}

u64 *npt_entry(struct npt *npt, u64 l2, int level)
{
	if (npt->fmt->entry_size != 8)
		die("nested tables: the entries have 4 bytes");
	return npt_at(npt, l2, level);
}

u64 npt_read(struct npt *npt, u64 l2, int level)
{
	return load(npt, npt_at(npt, l2, level));
}

void npt_write(struct npt *npt, u64 l2, int level, u64 entry)
{
	store(npt, npt_at(npt, l2, level), entry);
}

void npt_map(struct npt *npt, u64 l2, u64 l1, u64 size, int level, u64 flags)
{
	u64 leaf = npt_size(npt, level);

	for (u64 i = 0; i < size; i += leaf)
		npt_write(npt, l2 + i, level, npt_leaf(npt, l1 + i, level, flags));
}

u64 npt_lookup(const struct npt *npt, u64 l2, int *level)
{
	u64 table = (u64)npt->root;

	for (int l = npt->fmt->levels;; l--) {
		u64 e = load(npt, at(npt, table, l2, l));

		*level = l;
		if (!(e & PTE_P))
			return 0;
		if (l == 1 || e & PTE_PS)
			return e;
		table = e & PTE_ADDR;
	}
}
