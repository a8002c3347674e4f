// SPDX-License-Identifier: MIT
/*
 * L2's memory and the nested tables that make it, by np=:
 *
 *   4k, 2m         [0, l2mem) in pages of that size (2m: the next after 4K, which may be 4M)
 *   1g             [0, 1G) as one page, L1's second gigabyte
 *   mixed          [0, l2mem/2) in 2M, the other half in 4K, and 1G..2G as one page
 *   aliased        mixed, all of it once more (alias 1, the same page sizes)
 *   aliased-split  aliased, and alias 2: the 2M half through 4K entries, the 1G page
 *                  through 2M entries, some of them read-only, some absent
 *
 * in nested tables without 1G pages those are left out,
 * and always, at L2_LAZY_BASE, pages that are not there until they are touched.
 */
#include "guests/l1.h"

#define L1_LOW_BASE  ((u64)128 << 20) /* backs L2's memory from 0 on */
#define L1_HUGE_BASE ((u64)1 << 30)   /* backs the 1G page, but for its last 2M */
#define ALIAS2_HUGE  ((u64)128 << 20) /* so much of the 1G page has partial entries in alias 2 */

static bool np_is_mixed(u32 np)
{
	return np == NP_MIXED || np == NP_ALIASED || np == NP_ALIASED_SPLIT;
}

static void check_pages(struct l1_layout *l, const struct npt *npt)
{
	u8 level = l->np == NP_1G ? 3 : l->np == NP_4K ? 1 : 2;

	if (level > npt->fmt->leaf_level)
		die("np= wants larger pages than nested tables of the format '%s' have",
		    npt->fmt->name);
	l->huge = npt_size(npt, 2);
	l->gigabyte = l->np == NP_1G || (np_is_mixed(l->np) && npt->fmt->leaf_level >= 3);
}

static void check_size(const struct l1_layout *l)
{
	u64 low_end = l->np == NP_1G ? 0 : L1_LOW_BASE + l->l2mem;
	u64 limit = l->gigabyte ? L1_HUGE_BASE : memory_end;

	if (!IS_ALIGNED(l->l2mem, 2 * l->huge) || l->l2mem < 8 * SIZE_2M || l->l2mem > SIZE_1G)
		die("l2mem= must be a multiple of %luM, from 16M to 1G", l->huge >> 19);
	if (l->gigabyte && memory_end < L1_HUGE_BASE + SIZE_1G)
		die("a 1G page needs 2048 MiB of memory, this machine has %lu", memory_end >> 20);
	if (low_end > limit)
		die("l2mem= is too large: it must end below %lu MiB, it would end at %lu MiB",
		    limit >> 20, low_end >> 20);
}

/* The state in which an entry of alias 2 starts, by its number. */
static u64 alias2_flags(u64 n)
{
	switch (n % 4) {
	case 0:
	case 1:
		return NPT_RO;
	case 2:
		return 0;
	}
	return NPT_RW;
}

/* Puts entry @n of alias 2, which translates @l2, into its first state. */
static void alias2_set(struct npt *npt, u64 l2, u64 at, int level, u64 flags)
{
	npt_write(npt, l2 + 2 * L2_ALIAS_OFFSET, level,
		  flags ? npt_leaf(npt, at, level, flags) : 0);
}

static void build_alias2(struct l1_layout *l, struct npt *npt)
{
	for (u64 at = 0; at < l->l2mem / 2; at += PAGE_SIZE)
		alias2_set(npt, at, L1_LOW_BASE + at, 1, alias2_flags(at / PAGE_SIZE));
	for (u64 at = 0; l->gigabyte && at < SIZE_1G; at += SIZE_2M)
		alias2_set(npt, L2_HUGE_BASE + at, L1_HUGE_BASE + at, 2,
			   at < ALIAS2_HUGE ? alias2_flags(at / SIZE_2M) : NPT_RW);
}

static void build_mixed(struct l1_layout *l, struct npt *npt, u64 offset)
{
	u64 half = l->l2mem / 2;

	npt_map(npt, offset, L1_LOW_BASE, half, 2, NPT_RW);
	npt_map(npt, offset + half, L1_LOW_BASE + half, half, 1, NPT_RW);
	if (l->gigabyte)
		npt_map(npt, offset + L2_HUGE_BASE, L1_HUGE_BASE, SIZE_1G, 3, NPT_RW);
}

static void build_tables(struct l1_layout *l, struct npt *npt)
{
	switch (l->np) {
	case NP_4K:
		npt_map(npt, 0, L1_LOW_BASE, l->l2mem, 1, NPT_RW);
		return;
	case NP_2M:
		npt_map(npt, 0, L1_LOW_BASE, l->l2mem, 2, NPT_RW);
		return;
	case NP_1G:
		npt_map(npt, 0, L1_HUGE_BASE, SIZE_1G, 3, NPT_RW);
		return;
	}
	build_mixed(l, npt, 0);
	if (l->np != NP_MIXED)
		build_mixed(l, npt, L2_ALIAS_OFFSET);
	if (l->np == NP_ALIASED_SPLIT)
		build_alias2(l, npt);
}

static void add_segment(struct l2_params *p, u64 base, u64 stride, u64 pages, u32 aliases)
{
	if (pages)
		p->segment[p->segments++] = (struct l2_segment){base, stride, pages, aliases, 0};
}

/* One dense piece at the start of [@base, @end), then one page every @stride to its end. */
static void add_region(struct l2_params *p, u64 base, u64 end, u64 stride, u64 pages, u32 aliases)
{
	u64 dense_end = base + pages * PAGE_SIZE;
	u64 sparse = ALIGN_UP(dense_end, stride);

	if (dense_end > end)
		die("wmem= is too large for this layout: %lu MiB at most fit in one of its parts",
		    (end - base) >> 20);
	add_segment(p, base, PAGE_SIZE, pages, aliases);
	if (sparse < end) /* a different page of each huge page's range */
		add_segment(p, sparse, stride + PAGE_SIZE, (end - sparse) / (stride + PAGE_SIZE),
			    aliases);
}

static void build_segments(struct l1_layout *l, struct l2_params *p, u64 wmem)
{
	static const u32 aliases[] = {
		[NP_ALIASED] = BIT(0) | BIT(1),
		[NP_ALIASED_SPLIT] = BIT(0) | BIT(1),
		[NP_MIXED] = BIT(0),
	};
	u64 pages = wmem / PAGE_SIZE;
	u64 size = l->np == NP_1G ? SIZE_1G : l->l2mem;
	u32 twice, thrice;

	add_segment(p, L2_LAZY_BASE, PAGE_SIZE, l->lazy, BIT(0));
	if (!np_is_mixed(l->np)) {
		add_region(p, L2_CORE_END, l->np == NP_1G ? size - SIZE_2M : size,
			   l->np == NP_1G ? 16 * SIZE_2M : l->huge, pages, BIT(0));
		return;
	}
	twice = aliases[l->np];
	thrice = twice | (l->np == NP_ALIASED_SPLIT ? BIT(2) : 0);
	add_region(p, L2_CORE_END, size / 2, l->huge, pages / 3, thrice);
	add_region(p, size / 2, size, l->huge, pages / 3, twice);
	if (!l->gigabyte)
		return;
	/* The last 2M are L1's own, see l1_checks.c. */
	add_region(p, L2_HUGE_BASE, L2_HUGE_BASE + SIZE_1G - SIZE_2M, 16 * SIZE_2M,
		   pages - pages / 3 * 2, thrice);
}

void layout_build(struct l1_layout *l, struct npt *npt, struct l2_params *params, u64 wmem)
{
	npt_init_format(npt, l1.virt->format(l1.shadow));
	check_pages(l, npt);
	check_size(l);
	l->backing = pages_alloc((u32)l->lazy + 1);
	build_tables(l, npt);
	build_segments(l, params, wmem);
	params->interrupt_stack = L2_LAZY_BASE + (l->lazy + 1) * PAGE_SIZE;
}

void *layout_pointer(u64 l2)
{
	int level;
	u64 leaf = npt_lookup(&l1.npt, l2, &level);

	if (!leaf)
		die("L2's 0x%lx is not mapped", l2);
	return (void *)((leaf & PTE_ADDR & ~(npt_size(&l1.npt, level) - 1)) |
			(l2 & (npt_size(&l1.npt, level) - 1)));
}
