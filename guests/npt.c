// SPDX-License-Identifier: MIT
/* Nested page tables. */
#include "guests/npt.h"
#include "guests/guest.h"

void npt_init(struct npt *npt)
{
	npt->root = pages_alloc(1);
	npt->tables = 1;
}

u64 *npt_entry(struct npt *npt, u64 l2, int level)
{
	u64 *table = npt->root;

	for (int l = 4; l > level; l--) {
		u64 *e = &table[PT_INDEX(l2, l)];

		if (*e & PTE_PS)
			die("nested tables: a page of level %d is in the way at 0x%lx", l, l2);
		if (!*e) {
			*e = (u64)pages_alloc(1) | NPT_RW;
			npt->tables++;
		}
		table = (u64 *)(*e & PTE_ADDR);
	}
	return &table[PT_INDEX(l2, level)];
}

void npt_map(struct npt *npt, u64 l2, u64 l1, u64 size, int level, u64 flags)
{
	u64 leaf = PT_LEVEL_SIZE(level);

	for (u64 at = 0; at < size; at += leaf)
		*npt_entry(npt, l2 + at, level) = (l1 + at) | flags | (level > 1 ? PTE_PS : 0);
}

u64 npt_lookup(const struct npt *npt, u64 l2, int *level)
{
	const u64 *table = npt->root;

	for (int l = 4;; l--) {
		u64 e = table[PT_INDEX(l2, l)];

		*level = l;
		if (!(e & PTE_P))
			return 0;
		if (l == 1 || e & PTE_PS)
			return e;
		table = (const u64 *)(e & PTE_ADDR);
	}
}
