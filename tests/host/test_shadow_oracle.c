// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o tests/host/pt_oracle.o */
/*
 * What the shadow tables allow, and what is told to L1, against the oracle: for every format of
 * L1's and of the processor's, each size of leaf, each combination of permission bits in the leaf
 * and in the entry above it, A and D set or clear, and each kind of access, alone and after
 * another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/reclaim.h"
#include "tests/host/nested_vm.h"
#include "tests/host/pt_oracle.h"

#define NPAGES (3 * LEVEL_PAGES(PG_LEVEL_1G))
#define TABLES 0x1000 /* gpa of L1's tables, the root first; the leaf leads behind them */
#define LEAF   LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;
static struct oracle_memory memory;
static const u32 kinds[] = {0, ACC_WRITE, ACC_EXEC};
static u64 made, granted, reflected;

/* One state of L1's tables. */
struct combination {
	int leaf;	  /* level */
	u64 upper, flags; /* of the entry above the leaf, and of the leaf */
};

static bool is_ept(void)
{
	return v.mode.fmt->read != 0;
}

/* Entry 3 of each table, 1 in PAE's root and 0 in a root that has a level too many. */
static u64 address(void)
{
	int bits = v.mode.fmt->index_bits;
	u64 addr = 0x123;

	for (int level = 1; level <= v.mode.fmt->levels; level++) {
		u64 index = level > 4 ? 0 : level == 3 && v.mode.fmt->id == PT_FMT_PAE ? 1 : 3;

		addr |= index << (PAGE_SHIFT + bits * (level - 1));
	}
	return addr;
}

static u64 table_at(int level)
{
	return TABLES + (u64)(v.mode.fmt->levels - level) * PAGE_SIZE;
}

static void put(int level, u64 entry)
{
	u64 at = table_at(level) +
		 oracle_index(&v.mode, address(), level) * (u64)oracle_entry_size(&v.mode);

	memcpy(nv_va(&v, at), &entry, (size_t)oracle_entry_size(&v.mode));
}

/* Grants everything; of PAE's root: all that there is. */
static u64 full(int level)
{
	if (is_ept())
		return 7;
	return level == 3 && v.mode.fmt->id == PT_FMT_PAE ? L1_P : L1_RWX;
}

static void build(const struct combination *c)
{
	for (int level = v.mode.fmt->levels; level > c->leaf; level--)
		put(level, table_at(level - 1) | (level == c->leaf + 1 ? c->upper : full(level)));
	put(c->leaf, LEAF | c->flags | (c->leaf > 1 ? L1_PS : 0));
}

/* Nothing of what was shadowed before is left. */
static void forget(void)
{
	nested_mmu_unload(&v.mmu, &v.n);
	(void)mmu_reclaim(&v.mmu, 1000);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 0);
	tlb_drop();
}

static struct pt_outcome oracle(u32 access)
{
	return pt_oracle(&v.mode, &memory, v.root.v, address(), access);
}

static void set_ad(const struct pt_outcome *o)
{
	for (int level = 1; level <= PT_MAX_LEVEL; level++) {
		u64 e = 0;

		if (!o->set[level].bits)
			continue;
		memcpy(&e, nv_va(&v, o->set[level].gpa), (size_t)oracle_entry_size(&v.mode));
		e |= o->set[level].bits;
		memcpy(nv_va(&v, o->set[level].gpa), &e, (size_t)oracle_entry_size(&v.mode));
	}
}

/* All that the shadow allows now is what L1's tables allow now, and leads where they lead. */
static bool shadow_is_right(void)
{
	u32 rights = 0;
	void *va;

	if (!cpu_look(&v.mmu, env_va(nested_mmu_root(&v.n)), address(), &rights, &va))
		return true;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct pt_outcome o = oracle(ACC_READ | ACC_USER | kinds[k]);

		if (!(rights & (kinds[k] ? kinds[k] : ACC_READ)))
			continue;
		/* A write that L1's D does not show yet has to fault. */
		if (kinds[k] == ACC_WRITE && !oracle(ACC_READ | ACC_USER).dirty)
			return false;
		if (o.err || va != (char *)nv_va(&v, o.gpa & PAGE_MASK) + (o.gpa & 0xfff))
			return false;
	}
	return true;
}

static u64 pf_error(u32 kind)
{
	return kind == ACC_WRITE ? PFERR_W : kind == ACC_EXEC ? PFERR_I : 0;
}

/* One access, and all that it may and must change. */
static bool access_is_right(u32 kind)
{
	static u8 before[PT_MAX_LEVEL * PAGE_SIZE], after[PT_MAX_LEVEL * PAGE_SIZE];
	struct pt_outcome o = oracle(ACC_READ | ACC_USER | kind);
	struct nested_fault out = {0};
	void *va = NULL;
	int r;

	memcpy(before, nv_va(&v, TABLES), sizeof(before));
	r = nv_access(&v, address(), pf_error(kind), &va, &out);
	memcpy(after, nv_va(&v, TABLES), sizeof(after));
	/* The oracle sets A and D in what was there; the walk must have done the same. */
	memcpy(nv_va(&v, TABLES), before, sizeof(before));
	if (!o.err)
		set_ad(&o);
	if (memcmp(nv_va(&v, TABLES), after, sizeof(after)))
		return false;
	made++;
	granted += r == FAULT_FIXED;
	reflected += r == FAULT_REFLECT;
	if (o.err)
		return r == FAULT_REFLECT && out.error == o.error && out.addr == address() &&
		       shadow_is_right();
	return r == FAULT_FIXED && va == (char *)nv_va(&v, o.gpa & PAGE_MASK) + (o.gpa & 0xfff) &&
	       shadow_is_right();
}

/*
 * L2 has used the next page, if it can: where the last table is shadowed already, a fault finds its
 * way without a walk of L1's tables.
 */
static void warm_up(void)
{
	u64 at = table_at(1) +
		 (oracle_index(&v.mode, address(), 1) + 1) * (u64)oracle_entry_size(&v.mode);
	u64 entry = LEAF | full(1) | (is_ept() ? 6 << 3 : 0);

	memcpy(nv_va(&v, at), &entry, (size_t)oracle_entry_size(&v.mode));
	(void)nv_read(&v, address() + PAGE_SIZE);
}

static void check_from(const struct combination *c, bool warm)
{
	for (size_t first = 0; first < ARRAY_SIZE(kinds); first++) {
		build(c);
		nv_load(&v, false);
		if (warm)
			warm_up();
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			u32 kind = kinds[(first + k) % ARRAY_SIZE(kinds)];

			if (access_is_right(kind))
				continue;
			fail_msg("%s on %s nx %d ad %d level %d upper %llx leaf %llx: access %u "
				 "after %zu others",
				 v.mode.fmt->name, v.mmu.cfg.fmt->name, v.mode.nx, v.mode.ad,
				 c->leaf, (unsigned long long)c->upper,
				 (unsigned long long)c->flags, kind, k);
		}
		forget();
	}
}

static void check(const struct combination *c)
{
	check_from(c, false);
	if (c->leaf == 1)
		check_from(c, true);
}

/* --- the combinations ----------------------------------------------------------------------- */

/* The @i-th choice of permissions; of a leaf: with the @ad-th of A and D. */
static u64 permissions(int i)
{
	if (is_ept())
		return (u64)i & 7;
	return ((u64)i & 7) | (i & 8 ? L1_NX : 0);
}

static u64 ad_flags(int ad)
{
	u64 flags = ad & 1 ? v.mode.fmt->accessed : 0;

	return flags | (ad & 2 ? v.mode.fmt->dirty : 0);
}

static bool has_nx(void)
{
	return !is_ept() && v.mode.fmt->id != PT_FMT_32;
}

static void check_level(int leaf)
{
	int n = is_ept() || !has_nx() ? 8 : 16;
	bool upper = leaf < v.mode.fmt->levels && full(leaf + 1) != L1_P;
	u64 type = is_ept() ? 6 << 3 : 0;

	for (int u = 0; u < (upper ? n : 1); u++) {
		for (int i = 0; i < 4 * n; i++) {
			struct combination c = {
				.leaf = leaf,
				.upper = upper ? permissions(u) : full(leaf + 1),
				.flags = permissions(i % n) | ad_flags(i / n) | type,
			};

			check(&c);
		}
	}
	/* Malformed: an address beyond MAXPHYADDR, a wrong memory type. */
	for (int i = 0; i < n; i++) {
		struct combination c = {.leaf = leaf, .upper = full(leaf + 1)};

		if (v.mode.fmt->entry_size == 8) {
			c.flags = permissions(i) | type | BIT(45);
			check(&c);
		}
		c.flags = permissions(i) | 7 << 3;
		if (is_ept())
			check(&c);
	}
}

static void check_format(int host, int fmt, bool nx, bool ad)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[host],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_1G,
				       .max_shadow_pages = 1000};

	nv_start(&v, NPAGES, PG_LEVEL_1G, &cfg);
	memory = (struct oracle_memory){nv_va(&v, 0), NPAGES * PAGE_SIZE};
	v.mode.fmt = &pt_formats[fmt];
	v.mode.nx = nx;
	v.mode.ad = ad;
	v.mode.pse = true;
	v.root.v = TABLES;
	for (int level = 1; level <= 3; level++)
		if (v.mode.fmt->leaf_levels & BIT(level))
			check_level(level);
	nv_load(&v, false);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void check_all(int fmt, bool ad_too)
{
	static const int hosts[] = {PT_FMT_LONG4, PT_FMT_EPT4};

	made = granted = reflected = 0;
	/* No processor with tables of the other kind runs an L1 with EPT. */
	for (size_t h = pt_formats[fmt].read ? 1 : 0; h < ARRAY_SIZE(hosts); h++) {
		for (int nx = 0; nx < (ad_too ? 1 : 2); nx++) {
			check_format(hosts[h], fmt, nx, true);
			if (ad_too)
				check_format(hosts[h], fmt, nx, false);
		}
	}
	/* Both outcomes came, often. */
	assert_true(made > 1000 && granted > made / 100 && reflected > made / 100);
}

static void test_32(void **state)
{
	(void)state;
	check_all(PT_FMT_32, false);
}

static void test_pae(void **state)
{
	(void)state;
	check_all(PT_FMT_PAE, false);
}

static void test_4_levels(void **state)
{
	(void)state;
	check_all(PT_FMT_LONG4, false);
}

static void test_5_levels(void **state)
{
	(void)state;
	check_all(PT_FMT_LONG5, false);
}

static void test_ept(void **state)
{
	(void)state;
	check_all(PT_FMT_EPT4, true);
}

static void test_ept_5_levels(void **state)
{
	(void)state;
	check_all(PT_FMT_EPT5, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_32),	 cmocka_unit_test(test_pae),
		cmocka_unit_test(test_4_levels), cmocka_unit_test(test_5_levels),
		cmocka_unit_test(test_ept),	 cmocka_unit_test(test_ept_5_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
