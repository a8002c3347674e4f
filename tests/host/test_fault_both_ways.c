// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The short way through a fault of L2 does what the walk of L1's tables would do. Two parts of L2's
 * memory are alike, entry by entry of L1's last tables: what those hold, what they lead to, what is
 * mapped already. Faults in the one go the short way where that takes them, in the other they do
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2	LEVEL_SIZE(PG_LEVEL_2M)
#define NPAGES	8192u
#define ROM	8192u /* a read-only slot */
#define OUTSIDE 16384u
#define ENTRIES 511 /* and one more that is plain */

/* The two parts: where they begin, and L1's memory behind them. */
enum { SHORT, WALK, PARTS };
static const u64 part_addr[PARTS] = {0, 64 * MB2};
static const u64 part_gfn[PARTS] = {1024, 3072};

/* What is there before the fault. */
enum before {
	NOTHING,
	READ,	 /* L2 has read through the same entry */
	WRITTEN, /* L2 has written or read through it before logging was turned on */
	SYNCED,	 /* L2 has written through an entry that granted all; L1 has changed it since */
	CHANGED, /* L2 has read through an entry for reading; L1 has changed it, and not flushed */
	BEFORES
};

enum log { OFF, BY_WP, BY_DBIT, LOGS };

struct kind {
	int fmt;
	bool ad, nx, rom_tables;
	u64 upper; /* flags of L1's entry of level 2 */
	u64 error;
	enum before before;
	enum log log;
};

static struct nested_vm v;
static u64 taken, asked;

/* Entry @i when the fault comes: each choice of flags, leading to each kind of memory. */
static u64 entry_of(const struct kind *k, int part, int i)
{
	const struct pt_format *fmt = &pt_formats[k->fmt];
	u64 gfn = part_gfn[part] + (u64)i, flags = fmt->read ? fmt->read | 6 << 3 : fmt->present;

	switch (i % 8) {
	case 1:
		gfn = ROM + (u64)i / 8;
		break;
	case 2:
		gfn = OUTSIDE;
		break;
	case 3: /* tracked */
		gfn = v.root.v >> PAGE_SHIFT;
		break;
	case 4: /* beyond L1's MAXPHYADDR */
		flags |= BIT(44);
		break;
	case 5:
		flags = 0;
		break;
	case 6: /* EPT: an odd memory type, or not to be read; NPT: caching, which we do not mind */
		flags ^= i & 128 ? fmt->read : BIT(3);
		break;
	}
	flags |= i & 8 ? fmt->write : 0;
	flags |= i & 16 ? fmt->exec | fmt->nx : 0;
	flags |= i & 32 ? fmt->accessed : 0;
	flags |= i & 64 ? fmt->dirty : 0;
	flags |= i & 128 ? 0 : fmt->user;
	return gfn << PAGE_SHIFT | flags;
}

/* What is there before, for the same page or another: good for reading, or for everything. */
static u64 earlier_entry(const struct kind *k, int part, int i)
{
	const struct pt_format *fmt = &pt_formats[k->fmt];
	u64 gfn = part_gfn[part] + (u64)i + (i & 256 ? ENTRIES + 1 : 0);
	u64 flags = (fmt->read ? fmt->read | 6 << 3 : fmt->present) | fmt->user | fmt->accessed;

	if (k->before == SYNCED)
		flags |= fmt->write | fmt->dirty | fmt->exec;
	return gfn << PAGE_SHIFT | flags;
}

static u64 addr_of(int part, int i)
{
	return part_addr[part] + (u64)i * PAGE_SIZE;
}

static u64 *l1_entry(const struct kind *k, int part, int i)
{
	u64 gfn = k->rom_tables ? ROM + 100 + (u64)part : part_gfn[part] + 2 * ENTRIES + 2;

	return (u64 *)nv_va(&v, gfn << PAGE_SHIFT) + i;
}

static void put_entries(const struct kind *k, u64 (*entry)(const struct kind *, int, int))
{
	for (int part = 0; part < PARTS; part++) {
		for (int i = 0; i < ENTRIES; i++)
			*l1_entry(k, part, i) = entry(k, part, i);
	}
}

static int by_walk(int part, int i, u32 access, struct nested_fault *out)
{
	int level;

	return nested_fault_walk(&v.mmu, &v.n, (ngpa_t){addr_of(part, i)},
				 ACC_READ | ACC_USER | access, out, &level);
}

static void touch_all(u32 access)
{
	struct nested_fault ignored;

	for (int part = 0; part < PARTS; part++) {
		for (int i = 0; i < ENTRIES; i++)
			(void)!by_walk(part, i, access, &ignored);
	}
}

/* L1 changes its entries; the tables are out of sync from the first store on. */
static void l1_changes(const struct kind *k)
{
	for (int part = 0; part < PARTS; part++)
		nv_set_entry(&v, addr_of(part, 0), 1, 0);
	put_entries(k, entry_of);
	if (k->before == SYNCED)
		nv_sync(&v);
}

static void start(const struct kind *k)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_1G,
				       .dirty = k->log == BY_DBIT ? DIRTY_DBIT : DIRTY_WP};
	const struct pt_format *fmt = &pt_formats[k->fmt];

	nv_start(&v, NPAGES, PG_LEVEL_2M, &cfg);
	assert_non_null(env_slot(&v.mmu, 1, ROM, 512, MEMSLOT_READONLY, PG_LEVEL_2M));
	v.mode.fmt = fmt;
	v.mode.nx = k->nx;
	v.mode.ad = k->ad;
	nv_use(&v);
	put_entries(k, k->before < SYNCED ? entry_of : earlier_entry);
	for (int part = 0; part < PARTS; part++) {
		u64 table = env_hpa(l1_entry(k, part, 0)).v - env_hpa(nv_va(&v, 0)).v;

		if (k->rom_tables)
			table = (ROM + 100 + (u64)part) << PAGE_SHIFT;
		*l1_entry(k, part, ENTRIES) =
			(part_gfn[part] + ENTRIES) << PAGE_SHIFT | 6 << 3 | L1_RWX | L1_A | L1_D;
		nv_set_entry(&v, part_addr[part], 2, table | k->upper);
		if (k->fmt == PT_FMT_PAE && !part) /* a PDPTE has no such bits */
			nv_set_entry(&v, part_addr[part], 3,
				     nv_entry(&v, part_addr[part], 3) & ~(u64)(L1_W | L1_U));
		assert_int_equal(by_walk(part, ENTRIES, 0, &(struct nested_fault){0}), FAULT_FIXED);
	}
}

static void prepare(const struct kind *k)
{
	start(k);
	if (k->before == READ || k->before == CHANGED)
		touch_all(0);
	if (k->before == WRITTEN || k->before == SYNCED)
		touch_all(ACC_WRITE);
	if (k->before == WRITTEN)
		touch_all(0);
	if (k->before >= SYNCED)
		l1_changes(k);
	if (k->log != OFF) {
		assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	}
}

/* All that follows from a fault, but for the addresses. */
struct result {
	int r;
	u64 error, addr, l1, spte, hpa, noted;
	u64 fixed, reflected, spurious, dirty_faults, present, leaves;
	bool marked;
};

static void count(struct result *res, int sign, struct shadow_page *sp)
{
	const struct mmu_stats *st = &v.mmu.stats;

	res->fixed += (u64)sign * st->nested_pf_fixed;
	res->reflected += (u64)sign * st->nested_pf_reflected;
	res->spurious += (u64)sign * st->pf_spurious;
	res->dirty_faults += (u64)sign * st->dirty_faults;
	res->leaves += (u64)sign * st->pages[MMU_TREE_NESTED][0];
	res->present += (u64)sign * sp->present;
}

static struct result fault(const struct kind *k, int part, int i)
{
	const u64 addrs = v.mmu.cfg.fmt->addr_mask, bit = part_gfn[part] + (u64)i;
	const u64 own = env_hpa(nv_va(&v, part_gfn[part] << PAGE_SHIFT)).v;
	u32 access = (k->error & PFERR_W ? ACC_WRITE : 0) | (k->error & PFERR_I ? ACC_EXEC : 0);
	struct shadow_page *sp = nv_sp(&v, addr_of(part, i), 1);
	struct nested_fault out = {0};
	struct result res = {0};

	assert_non_null(sp);
	count(&res, -1, sp);
	if (part == SHORT) {
		u64 walked = v.mmu.stats.nested_pf_walked;

		res.r = mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){addr_of(part, i)},
					 PFERR_U | k->error, &out);
		asked++;
		taken += v.mmu.stats.nested_pf_walked == walked;
	} else {
		res.r = by_walk(part, i, access, &out);
	}
	count(&res, 1, sp);
	res.error = out.error;
	res.addr = out.addr ? out.addr - part_addr[part] : 0;
	res.l1 = *l1_entry(k, part, i) & ~((u64)(NPAGES - 1) << PAGE_SHIFT);
	res.spte = sp->spt[i] & ~addrs;
	res.hpa = sp->spt[i] & addrs;
	if (res.hpa - own < (part_gfn[WALK] - part_gfn[SHORT]) << PAGE_SHIFT)
		res.hpa -= own;
	res.noted = sp->shadowed[i] & ACC_ALL;
	res.marked = k->log != OFF && (v.slot->dirty_bitmap[bit / 64] & BIT(bit % 64));
	return res;
}

static void compare(const struct kind *k)
{
	prepare(k);
	for (int i = 0; i < ENTRIES; i++) {
		struct result by_short = fault(k, SHORT, i), walked = fault(k, WALK, i);

		if (memcmp(&by_short, &walked, sizeof(walked))) {
			fprintf(stderr,
				"%s upper %llx error %llx before %d log %d entry %d (%llx)\n",
				pt_formats[k->fmt].name, (unsigned long long)k->upper,
				(unsigned long long)k->error, k->before, k->log, i,
				(unsigned long long)entry_of(k, SHORT, i));
			assert_memory_equal(&by_short, &walked, sizeof(walked));
		}
	}
	nv_check(&v);
	if (k->log != OFF)
		dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void compare_all(struct kind k)
{
	static const u64 uppers[] = {L1_RWX, L1_RO, L1_RWX | L1_NX};
	static const u64 errors[] = {0, PFERR_W, PFERR_I};

	for (int i = 0; i < 27; i++) {
		k.upper = uppers[i % 3];
		k.error = errors[i / 3 % 3];
		k.log = i / 9;
		if (k.upper & L1_NX && (k.fmt == PT_FMT_EPT4 || !k.nx))
			continue;
		for (k.before = NOTHING; k.before < BEFORES; k.before++) {
			if (!k.rom_tables || k.before < SYNCED)
				compare(&k);
		}
	}
}

static void test_npt(void **state)
{
	(void)state;
	taken = asked = 0;
	compare_all((struct kind){.fmt = PT_FMT_LONG4, .ad = true, .nx = true});
	compare_all((struct kind){.fmt = PT_FMT_LONG4, .ad = true});
	compare_all((struct kind){.fmt = PT_FMT_PAE, .ad = true, .nx = true});
	/* Not one of those that it is made for went the long way. */
	assert_true(taken > asked / 5);
}

static void test_npt_in_rom(void **state)
{
	(void)state;
	compare_all((struct kind){.fmt = PT_FMT_LONG4, .ad = true, .nx = true, .rom_tables = true});
}

static void test_ept(void **state)
{
	(void)state;
	compare_all((struct kind){.fmt = PT_FMT_EPT4, .ad = true});
	compare_all((struct kind){.fmt = PT_FMT_EPT4});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_npt),
		cmocka_unit_test(test_npt_in_rom),
		cmocka_unit_test(test_ept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
