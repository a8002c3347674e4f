// SPDX-License-Identifier: MIT
/* Nested page faults that L1 means to have: lazily mapped pages, and alias 2 (l1_layout.c). */
#include "guests/l1.h"

/* The L1 address that should back L2's @l2, and the level that maps it; false: none should. */
static bool wanted(const struct l1_layout *l, u64 l2, u64 *l1_at, int *level)
{
	u64 at = l2 - 2 * L2_ALIAS_OFFSET;
	u64 page = (l2 - L2_LAZY_BASE) / PAGE_SIZE;

	if (l2 >= L2_LAZY_BASE && page <= l->lazy) {
		*l1_at = (u64)l->backing + page * PAGE_SIZE;
		*level = 1;
		return true;
	}
	if (l->np != NP_ALIASED_SPLIT || l2 < 2 * L2_ALIAS_OFFSET)
		return false;
	*level = at < l->l2mem / 2 ? 1 : 2;
	*l1_at = (u64)layout_pointer(at) & ~(npt_size(&l1.npt, *level) - 1);
	return at < l->l2mem / 2 ||
	       (l->gigabyte && at >= L2_HUGE_BASE && at < L2_HUGE_BASE + SIZE_1G);
}

/* The entry allows it already: right only just after it was changed, never twice in a row. */
static const char *spurious(struct l1_layout *l, u64 l2)
{
	l->spurious++;
	if (l->last_fault == l2)
		return "the tables allow the access";
	l->last_fault = l2;
	return NULL;
}

const char *layout_fault(struct l1_layout *l, struct npt *npt, u64 l2, bool write)
{
	u64 at, leaf;
	int level, found;
	const char *wrong;

	if (!wanted(l, l2, &at, &level))
		return "nothing should be there";
	leaf = npt_lookup(npt, l2, &found);
	if (leaf & PTE_W || (leaf && !write))
		return spurious(l, l2);
	wrong = l1.virt->fault_wrong(leaf);
	if (wrong)
		return wrong;
	if (leaf)
		l->upgraded++;
	else
		l->mapped++;
	npt_map(npt, l2 & ~(npt_size(npt, level) - 1), at, npt_size(npt, level), level, NPT_RW);
	l->last_fault = 0;
	return NULL;
}

void layout_evict(struct l1_layout *l, struct npt *npt, u64 random)
{
	u64 page = random % (l->lazy + 1);
	u64 at, entry;

	if (random >> 60 < 4) /* the interrupt stack, so that deliveries fault too */
		page = l->lazy;
	at = L2_LAZY_BASE + page * PAGE_SIZE;
	if (l->np == NP_ALIASED_SPLIT && random >> 60 >= 12)
		at = 2 * L2_ALIAS_OFFSET + L2_CORE_END +
		     random % ((l->l2mem / 2 - L2_CORE_END) / PAGE_SIZE) * PAGE_SIZE;
	entry = npt_read(npt, at, 1);
	if (!(entry & PTE_P))
		return;
	l->evicted++;
	if (at - 2 * L2_ALIAS_OFFSET < l->l2mem && entry & PTE_W)
		npt_write(npt, at, 1, entry & ~PTE_W);
	else
		npt_write(npt, at, 1, 0);
}
