// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/scale_env.o */
// plain: -O2 -fsanitize-coverage=trace-pc
// timeout: 600
/*
 * Large VMs: that nothing in mmu/ costs more for each page, in steps or in bytes, because there are
 * more pages. L1 maps N GiB for L2 in pages of 1G; both trees map that, are split to 4K and logged,
 * are written here and there by a model processor, give up their log, and end. Memory of L1 is
 * touched only where its tables are: the rest has no memory behind it at all.
 *
 * SCALE_GIB lists the sizes to try, in GiB (`make scale`: up to 1 TiB, which takes 7 GiB); what
 * does not fit into the memory that is free is left out, with a line that says so. All counts are
 * the same on each run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/shadow_mmu.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/scale_env.h"

#define P1G	   LEVEL_PAGES(PG_LEVEL_1G)
#define FAKE_HPA   (1ull << 46)					/* where L1's memory would be */
#define L1_ENTRY   (BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6)) /* P, W, U, A, D */
#define L1_HUGE	   BIT(7)
#define TABLES	   8  /* pages that L1's tables may take */
#define WRITES	   64 /* by L1, and by L2, to each GiB */
#define MAX_SIZES  8
#define MAX_PHASES 10

static struct mmu mmu;
static struct memslot *slot;
static struct nested_mmu nested;
static u64 gib;

/* --- L1 and its tables -------------------------------------------------------------------- */

static u64 *l1_tables; /* memory of the second slot, which follows the first */

static u64 l1_table_gpa(u64 n)
{
	return gib * LEVEL_SIZE(PG_LEVEL_1G) + n * PAGE_SIZE;
}

/* L2's addresses are L1's. One page of pointers, and one of 1G pages for each 512 GiB. */
static void l1_write_tables(void)
{
	for (u64 i = 0; i < gib; i++) {
		u64 pdpt = 1 + i / 512;

		assert_true(pdpt < TABLES);
		l1_tables[i / 512] = l1_table_gpa(pdpt) | L1_ENTRY;
		l1_tables[pdpt * 512 + i % 512] = i * LEVEL_SIZE(PG_LEVEL_1G) | L1_ENTRY | L1_HUGE;
	}
}

static void make_slots(void)
{
	struct memslot *tables;

	assert_int_equal(memslot_add(&mmu, 0, (gfn_t){0}, gib * P1G, 0, &slot), 0);
	for (u64 i = 0; i < gib; i++)
		assert_int_equal(memslot_set_piece(slot, (gfn_t){i * P1G},
						   (hpa_t){FAKE_HPA + i * LEVEL_SIZE(3)}, 3),
				 0);
	assert_int_equal(memslot_add(&mmu, 1, (gfn_t){gib * P1G}, TABLES, 0, &tables), 0);
	l1_tables = aligned_alloc(PAGE_SIZE, TABLES * PAGE_SIZE);
	memset(l1_tables, 0, TABLES * PAGE_SIZE);
	for (u64 i = 0; i < TABLES; i++)
		assert_int_equal(memslot_set_piece(tables, (gfn_t){gib * P1G + i},
						   env_hpa(l1_tables + i * 512), 1),
				 0);
	l1_write_tables();
}

static void make_vm(enum dirty_tracking dirty)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.eager_page_split = true,
		.dirty = dirty,
	};
	const struct pt_mode mode = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 46,
		.nx = true,
		.huge_1g = true,
		.wp = true,
		.ad = true,
	};

	memset(&mmu, 0, sizeof(mmu));
	memset(&nested, 0, sizeof(nested));
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), 0);
	make_slots();
	assert_int_equal(nested_mmu_load(&mmu, &nested, &mode, (gpa_t){l1_table_gpa(0)}, true), 0);
}

/* --- the processor ------------------------------------------------------------------------ */

static u64 faults;

static void l1_writes(u64 gfn)
{
	while (!scale_walk_and_write(&mmu, mmu.tdp_root, gfn << PAGE_SHIFT)) {
		assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){gfn << PAGE_SHIFT}, PFERR_W),
				 FAULT_FIXED);
		faults++;
	}
}

static void l2_writes(u64 gfn)
{
	struct nested_fault out;

	while (!scale_walk_and_write(&mmu, nested.root->spt, gfn << PAGE_SHIFT)) {
		assert_int_equal(mmu_nested_fault(&mmu, &nested, (ngpa_t){gfn << PAGE_SHIFT},
						  PFERR_W | PFERR_U, &out),
				 FAULT_FIXED);
		faults++;
	}
}

/* --- what is measured --------------------------------------------------------------------- */

struct phase {
	const char *name;
	double steps, exchanges, instructions; /* for each 4K page of L1's */
};

struct run {
	u64 gib;
	struct phase phases[MAX_PHASES];
	int nr_phases;
	double bytes;	/* at most, for each GiB */
	u64 longest;	/* list of shadow pages of the hash */
	double average; /* steps that finding a page takes */
};

static struct scale_counts began;
static u64 began_instructions;
static double began_seconds;

static void begin(void)
{
	began = scale_counts;
	began_instructions = scale_instructions();
	began_seconds = scale_seconds();
}

static void end(struct run *r, const char *name)
{
	double pages = (double)(gib * P1G);
	struct phase *p = &r->phases[r->nr_phases++];
	double seconds = scale_seconds() - began_seconds;

	assert_true(r->nr_phases <= MAX_PHASES);
	p->name = name;
	p->instructions = (double)(scale_instructions() - began_instructions) / pages;
	p->steps = (double)(scale_counts.steps - began.steps) / pages;
	p->exchanges = (double)(scale_counts.exchanges - began.exchanges) / pages;
	print_message("# %5llu GiB  %-8s %8.3f steps %8.4f exchanges", (unsigned long long)gib,
		      name, p->steps, p->exchanges);
	if (p->instructions > 0)
		print_message(" %8.2f instructions", p->instructions);
	print_message(" a page; %llu flushes, %.1f s\n",
		      (unsigned long long)(scale_counts.flushes - began.flushes), seconds);
}

static void look_at_hash(struct run *r)
{
	double sum = 0, pages = 0;

	for (u64 i = 0; i < mmu.shadow_buckets; i++) {
		struct shadow_page *sp;
		u64 n = 0;

		list_for_each_entry(sp, &mmu.shadow_hash[i], hash_link) sum += (double)++n;
		r->longest = MAX(r->longest, n);
		pages += (double)n;
	}
	r->average = sum / pages;
}

/* --- the phases --------------------------------------------------------------------------- */

static u64 leaves(enum mmu_tree tree, int level)
{
	return mmu.stats.pages[tree][level - 1];
}

static void check_levels(int level)
{
	u64 n = gib * P1G / LEVEL_PAGES(level);

	for (int tree = 0; tree < MMU_TREE_NR; tree++)
		for (int l = PG_LEVEL_4K; l <= PG_LEVEL_1G; l++)
			assert_int_equal(leaves(tree, l), l == level ? n : 0);
	assert_int_equal(mmu.stats.split_enomem + mmu.stats.split_enospc, 0);
}

static void map_all(void)
{
	for (u64 i = 0; i < gib; i++) {
		l1_writes(i * P1G + 5);
		l2_writes(i * P1G + 7);
	}
	check_levels(PG_LEVEL_1G);
}

/* The @n-th page of GiB @i that @who writes: scattered, and not twice by the same. */
static u64 nth_page(u64 i, u64 n, u64 who)
{
	return i * P1G + (n * 4099 + who * 977 + i * 31) % P1G;
}

static void write_some(u64 *expected)
{
	for (u64 i = 0; i < gib; i++) {
		for (u64 n = 0; n < WRITES; n++) {
			u64 by_l1 = nth_page(i, n, 1), by_l2 = nth_page(i, n, 2);

			l1_writes(by_l1);
			l2_writes(by_l2);
			bitmap_set(expected, by_l1);
			bitmap_set(expected, by_l2);
		}
	}
}

/* What the log says must be what was written, to the bit. */
static u64 read_log(const u64 *expected)
{
	const u64 chunk = 4096;
	u64 out[64], n = 0;

	dirty_log_sync(&mmu);
	for (u64 at = 0; at < slot->npages; at += chunk) {
		n += dirty_log_read_clear(&mmu, slot, at, chunk, out);
		if (expected)
			assert_memory_equal(out, expected + at / 64, sizeof(out));
	}
	return n;
}

static void check_audit(void)
{
	static struct audit audit;

	if (gib <= 4)
		assert_int_equal(mmu_audit(&mmu, &audit), 0);
}

static void log_on(struct run *r, const char *name)
{
	begin();
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	end(r, name);
	check_levels(PG_LEVEL_4K);
	check_audit();
}

static void use_log(struct run *r)
{
	u64 *expected = calloc(slot->npages / 64, sizeof(u64)), n;

	faults = 0;
	begin();
	write_some(expected);
	end(r, "write");
	/* By dirty bits no write to what is mapped costs a fault. */
	assert_int_equal(faults, mmu.cfg.dirty == DIRTY_DBIT ? 0 : 2 * WRITES * gib);
	begin();
	n = read_log(expected);
	end(r, "read");
	assert_int_equal(n, bitmap_count(expected, slot->npages));
	check_audit();
	begin();
	assert_int_equal(read_log(NULL), 0);
	end(r, "idle");
	begin();
	assert_int_equal(read_log(NULL), 0);
	end(r, "cold");
	free(expected);
}

static void end_vm(void)
{
	nested_mmu_free(&mmu, &nested);
	assert_int_equal(mmu_destroy(&mmu), 0);
	free(l1_tables);
	assert_int_equal(scale_memory.pages, 0);
	assert_int_equal(scale_memory.objects, 0);
	assert_int_equal(scale_memory.bytes, 0);
	assert_int_equal(scale_counts.warnings, 0);
}

static void run_one(struct run *r, u64 size, enum dirty_tracking dirty)
{
	gib = r->gib = size;
	scale_memory.peak = 0;
	make_vm(dirty);
	begin();
	map_all();
	end(r, "map");
	log_on(r, "enable");
	look_at_hash(r);
	use_log(r);
	begin();
	dirty_log_disable(&mmu, slot);
	end(r, "disable");
	check_levels(PG_LEVEL_1G);
	check_audit();
	log_on(r, "again");
	begin();
	end_vm();
	end(r, "end");
	r->bytes = (double)scale_memory.peak / (double)gib;
	print_message("# %5llu GiB  %.2f MiB for each; a shadow page is found in %.2f steps, "
		      "%llu at most\n",
		      (unsigned long long)gib, r->bytes / (1 << 20), r->average,
		      (unsigned long long)r->longest);
}

/* --- the tests ---------------------------------------------------------------------------- */

/* Tables, rmaps, headers of a GiB that both trees map in 4K pages. */
#define BYTES_PER_GIB (15ull << 19)

static bool fits(u64 size)
{
	u64 need = size * BYTES_PER_GIB * 5 / 4 + (256 << 20);

	if (need <= scale_available())
		return true;
	print_message("# %llu GiB are left out: they take %llu MiB of memory\n",
		      (unsigned long long)size, (unsigned long long)need >> 20);
	return false;
}

/* The sizes that were asked for, in order, as far as there is memory. */
static int sizes(u64 *out)
{
	const char *text = getenv("SCALE_GIB");
	int n = 0;

	for (text = text ? text : "1 16 256"; n < MAX_SIZES; n++) {
		char *rest;
		u64 size = strtoull(text, &rest, 10);

		if (rest == text || !fits(size))
			break;
		out[n] = size;
		text = rest;
	}
	return n;
}

static void check_flat(const struct run *small, const struct run *large)
{
	for (int i = 0; i < small->nr_phases; i++) {
		const struct phase *a = &small->phases[i], *b = &large->phases[i];

		if (b->steps > a->steps * 1.05 + 0.02 || b->exchanges > a->exchanges * 1.05 + 0.001)
			fail_msg("%s: a page of %llu GiB costs %.3f steps, one of %llu GiB %.3f",
				 a->name, (unsigned long long)small->gib, a->steps,
				 (unsigned long long)large->gib, b->steps);
	}
	assert_true(large->bytes <= small->bytes * 1.05);
}

static void test_tracker(enum dirty_tracking dirty)
{
	static struct run runs[MAX_SIZES];
	u64 wanted[MAX_SIZES];
	int n = sizes(wanted);

	assert_true(n > 0);
	memset(runs, 0, sizeof(runs));
	for (int i = 0; i < n; i++) {
		run_one(&runs[i], wanted[i], dirty);
		assert_true(runs[i].bytes < BYTES_PER_GIB);
		assert_true(runs[i].average < 2 && runs[i].longest < 32);
		check_flat(&runs[0], &runs[i]);
	}
}

static void test_write_protection(void **state)
{
	(void)state;
	test_tracker(DIRTY_WP);
}

static void test_dirty_bits(void **state)
{
	(void)state;
	test_tracker(DIRTY_DBIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_protection),
		cmocka_unit_test(test_dirty_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
