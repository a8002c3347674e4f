// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/pt_oracle.o */
/*
 * The guest page-table walker against an oracle that is written from the manuals, format by
 * format, and knows nothing of pt_format.c: random tables, modes, addresses and accesses. What the
 * walk leaves in memory (A and D) is compared too, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/pt_walk.h"
#include "tests/host/env.h"
#include "tests/host/pt_oracle.h"

#define MEM_PAGES 16
#define MEM_BYTES (MEM_PAGES * PAGE_SIZE)

static struct mmu mmu;
static u8 *memory; /* the guest's, gpa 0 */
/* As it is before the walk; and with the A and D that the walk must set. */
static u8 oracle_before[MEM_BYTES], oracle_expected[MEM_BYTES];
static const struct oracle_memory before = {oracle_before, MEM_BYTES};

static u64 seed;
static u64 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 31) ^ (seed << 33 >> 13);
}

static u64 below(u64 n)
{
	return (rnd() >> 7) % n;
}

/* --- random tables ---------------------------------------------------------------------- */

static bool ept(const struct pt_mode *m)
{
	return m->fmt->id >= PT_FMT_EPT4;
}

/* Mostly good entries, each possible fault now and then. */
static u64 random_entry(const struct pt_mode *m)
{
	u64 e = below(MEM_PAGES + 1) * PAGE_SIZE;

	if (ept(m)) {
		e |= below(8) ? 7 : below(8);
		if (below(3) == 0)
			e |= 0x80 | (below(6) ? 6 << 3 : below(8) << 3);
		if (below(4) == 0)
			e |= 6 << 3;
		e |= below(4) << 8;
	} else {
		e |= below(8) ? 7 : below(8);
		e |= below(4) << 5;
		e |= below(3) == 0 ? 0x80 : 0;
		e |= below(6) == 0 ? below(512) << 3 & 0x118 : 0;
		e |= below(6) == 0 ? 1ull << 63 : 0;
		if (m->fmt->id == PT_FMT_PAE && below(2))
			e &= ~0x1e6ull;
	}
	if ((e & 0x80) && below(3)) /* a huge page's address, mostly aligned */
		e = (e & (0xfff | 1ull << 63)) | below(64) << (below(2) ? 30 : 21);
	if (m->fmt->id == PT_FMT_32 && (e & 0x80) && below(3) == 0) /* PSE-36 */
		e |= below(256) << 13;
	if (below(12) == 0)
		e |= 1ull << below(64);
	return e;
}

static void random_memory(const struct pt_mode *m)
{
	for (u64 i = 0; i < MEM_BYTES; i += m->fmt->entry_size) {
		u64 e = random_entry(m);

		memcpy(oracle_before + i, &e, m->fmt->entry_size);
	}
}

static struct pt_mode random_mode(enum pt_format_id id)
{
	static const u8 widths[] = {36, 39, 40, 48, 52};

	return (struct pt_mode){
		.fmt = &pt_formats[id],
		.maxphyaddr = widths[below(ARRAY_SIZE(widths))],
		.nx = id != PT_FMT_32 && below(4),
		.huge_1g = below(2),
		.pse = below(2),
		.wp = below(4) != 0,
		.ad = below(8) != 0,
	};
}

static u64 random_addr(const struct pt_mode *m)
{
	u64 addr = rnd();

	switch (below(8)) {
	case 0:
		return addr; /* mostly out of range */
	case 1:
		return m->fmt->id == PT_FMT_LONG5 ? addr | ~0ull << 57 : addr | ~0ull << 48;
	default:
		if (m->fmt->levels <= 3)
			return addr & 0xffffffff;
		return addr & GENMASK(m->fmt->levels == 5 ? 56 : 47, 0);
	}
}

static void expect_set(const struct pt_mode *m, u64 gpa, u64 bits)
{
	u64 v = 0;

	if (!bits || gpa + m->fmt->entry_size > MEM_BYTES)
		return;
	memcpy(&v, oracle_expected + gpa, m->fmt->entry_size);
	v |= bits;
	memcpy(oracle_expected + gpa, &v, m->fmt->entry_size);
}

static void check_walk(const struct pt_mode *m, u64 root, u64 addr, u32 access)
{
	struct pt_walk w;
	struct pt_outcome o;
	int err;

	memcpy(memory, oracle_before, MEM_BYTES);
	memcpy(oracle_expected, oracle_before, MEM_BYTES);
	o = pt_oracle(m, &before, root, addr, access);
	for (int l = 1; l <= PT_MAX_LEVEL; l++)
		expect_set(m, o.set[l].gpa, o.set[l].bits);
	err = pt_walk(&mmu, m, (gpa_t){root}, addr, access, &w);
	if (err != o.err || w.level != o.level || (err && w.error != o.error) ||
	    (!err && (w.gpa.v != o.gpa || w.access != o.access || w.dirty != o.dirty)))
		fail_msg("%s root %lx addr %lx access %x: %d level %d error %x gpa %lx access %x "
			 "dirty %d, expected %d level %d error %x gpa %lx access %x dirty %d",
			 m->fmt->name, root, addr, access, err, w.level, w.error, w.gpa.v, w.access,
			 w.dirty, o.err, o.level, o.error, o.gpa, o.access, o.dirty);
	assert_memory_equal(memory, oracle_expected, MEM_BYTES);
	assert_false(w.nested_fault);
	for (int l = m->fmt->levels; !err && l >= w.level; l--) {
		u64 in_memory = 0,
		    at = w.table[l].v + (u64)pt_index(m->fmt, addr, l) * m->fmt->entry_size;

		if (at + m->fmt->entry_size > MEM_BYTES)
			continue;
		memcpy(&in_memory, memory + at, m->fmt->entry_size);
		assert_int_equal(w.entry[l], in_memory);
	}
}

static void setup(u32 flags)
{
	struct memslot *slot;

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	slot = env_slot(&mmu, 0, 0, MEM_PAGES, flags, 1);
	assert_non_null(slot);
	memory = env_va(memslot_hpa(slot, (gfn_t){0}, NULL));
}

static void test_against_oracle(void **state)
{
	u64 granted = 0, refused = 0;

	(void)state;
	setup(0);
	seed = 12345;
	for (int id = 0; id < PT_FMT_NR; id++) {
		for (int i = 0; i < 200; i++) {
			struct pt_mode m = random_mode(id);

			random_memory(&m);
			for (int j = 0; j < 40; j++) {
				u32 access = ACC_READ | below(16);
				u64 root = below(MEM_PAGES) * PAGE_SIZE | below(4096);
				u64 addr = random_addr(&m);
				struct pt_outcome o = pt_oracle(&m, &before, root, addr, access);

				granted += !o.err;
				refused += o.err != 0;
				check_walk(&m, root, addr, access);
			}
		}
	}
	/* A test of one kind alone would prove little. */
	assert_true(granted > 4000 && refused > 4000);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* --- single cases ----------------------------------------------------------------------- */

static void put(u64 gpa, u64 entry)
{
	memcpy(memory + gpa, &entry, 8);
}

static const struct pt_mode long4 = {.fmt = &pt_formats[PT_FMT_LONG4],
				     .maxphyaddr = 40,
				     .nx = true,
				     .huge_1g = true,
				     .wp = true,
				     .ad = true};

/* 0x1000 -> 0x2000 -> 0x3000 -> 0x4000 -> leaf 0x5000, for address 0. */
static void simple_tables(void)
{
	for (u64 t = 1; t <= 4; t++)
		put(t * 0x1000, (t + 1) * 0x1000 | 7);
}

static u64 get(u64 gpa)
{
	u64 v;

	memcpy(&v, memory + gpa, 8);
	return v;
}

static void test_rom_tables(void **state)
{
	struct pt_walk w;

	(void)state;
	setup(MEMSLOT_READONLY);
	simple_tables();
	assert_int_equal(pt_walk(&mmu, &long4, (gpa_t){0x1000}, 5, ACC_READ | ACC_WRITE, &w), 0);
	assert_int_equal(w.gpa.v, 0x5005);
	assert_true(w.dirty);
	assert_int_equal(get(0x4000), 0x5007);
	assert_int_equal(w.entry[1], 0x5007);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_no_memory_reads_ones(void **state)
{
	struct pt_walk w;

	(void)state;
	setup(0);
	simple_tables();
	put(0x3000, MEM_BYTES | 7); /* just beyond the slot */
	assert_int_equal(pt_walk(&mmu, &long4, (gpa_t){0x1000}, 5, ACC_READ | ACC_USER, &w),
			 -EFAULT);
	assert_int_equal(w.level, 1);
	assert_int_equal(w.error, PFERR_P | PFERR_RSV | PFERR_U);
	assert_int_equal(w.entry[1], ~0ull);
	assert_int_equal(get(0x1000), 0x2007); /* no A where nothing was granted */
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* L0 marks what it writes. */
static void test_ad_marks_dirty(void **state)
{
	struct pt_walk w;

	(void)state;
	setup(0);
	simple_tables();
	mmu.slots[0].dirty_bitmap = env_alloc(8);
	assert_int_equal(pt_walk(&mmu, &long4, (gpa_t){0x1000}, 5, ACC_READ, &w), 0);
	assert_int_equal(mmu.slots[0].dirty_bitmap[0], 0x1e);
	mmu.slots[0].dirty_bitmap[0] = 0;
	assert_int_equal(pt_walk(&mmu, &long4, (gpa_t){0x1000}, 5, ACC_READ, &w), 0);
	assert_int_equal(mmu.slots[0].dirty_bitmap[0], 0); /* all was set */
	assert_int_equal(pt_walk(&mmu, &long4, (gpa_t){0x1000}, 5, ACC_READ | ACC_WRITE, &w), 0);
	assert_int_equal(mmu.slots[0].dirty_bitmap[0], 0x10);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* --- tables that are translated themselves ----------------------------------------------- */

struct second {
	u64 offset; /* L2-physical minus this is L1-physical */
	u64 refuse; /* L2-physical page that is not mapped */
	bool refuse_write;
	int changes; /* how often the guest changes the entry under our hands */
	u64 flip;    /* ...by this */
	u64 reads, writes;
};

static int translate(void *ctx, u64 addr, u32 access, gpa_t *gpa)
{
	struct second *s = ctx;

	assert_true(access & ACC_USER); /* walks of tables are user accesses */
	s->reads += !(access & ACC_WRITE);
	s->writes += (access & ACC_WRITE) != 0;
	if ((addr & PAGE_MASK) == s->refuse && (!s->refuse_write || (access & ACC_WRITE)))
		return -EFAULT;
	*gpa = (gpa_t){addr - s->offset};
	if ((access & ACC_WRITE) && s->changes && gpa->v == 0x4000) {
		s->changes--;
		put(0x4000, get(0x4000) ^ s->flip);
	}
	return 0;
}

static void nested_tables(u64 offset)
{
	for (u64 t = 1; t <= 4; t++)
		put(t * 0x1000, ((t + 1) * 0x1000 + offset) | 7);
}

static void test_nested(void **state)
{
	const u64 off = 0x70000000;
	struct second s = {.offset = off, .refuse = ~0ull};
	struct pt_walk w;

	(void)state;
	setup(0);
	nested_tables(off);
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000 + off, 8, ACC_READ | ACC_EXEC,
					translate, &s, &w),
			 0);
	assert_int_equal(w.gpa.v, 0x5008 + off);
	assert_int_equal(s.reads, 4);
	assert_int_equal(s.writes, 4);
	assert_int_equal(get(0x4000), (0x5000 + off) | 0x27);
	/* A table that is not mapped. */
	s.refuse = 0x3000 + off;
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000 + off, 8, ACC_READ, translate, &s, &w),
			 -EFAULT);
	assert_true(w.nested_fault);
	assert_int_equal(w.nested_addr, 0x3000 + off);
	assert_int_equal(w.level, 2);
	/* A table that may be read only, when D must be set. */
	s.refuse = 0x4000 + off;
	s.refuse_write = true;
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000 + off, 8, ACC_READ, translate, &s, &w),
			 0);
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000 + off, 8, ACC_READ | ACC_WRITE,
					translate, &s, &w),
			 -EFAULT);
	assert_true(w.nested_fault);
	assert_int_equal(w.nested_addr, 0x4000 + off);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_guest_changes_entry(void **state)
{
	struct second s = {.refuse = ~0ull, .changes = 1, .flip = 0x3000};
	struct pt_walk w;

	(void)state;
	setup(0);
	/* Once, to another page: the walk starts again and takes the new one. */
	simple_tables();
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000, 8, ACC_READ, translate, &s, &w), 0);
	assert_int_equal(w.gpa.v, 0x6008);
	assert_int_equal(get(0x4000), 0x6027);
	/* Away: a fault. */
	simple_tables();
	s = (struct second){.refuse = ~0ull, .changes = 1, .flip = 1};
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000, 8, ACC_READ, translate, &s, &w),
			 -EFAULT);
	assert_int_equal(w.error, 0);
	assert_int_equal(get(0x4000), 0x5006);
	/* For ever: the walk ends all the same. */
	simple_tables();
	s = (struct second){.refuse = ~0ull, .changes = 1000000, .flip = 0x3000};
	assert_int_equal(pt_walk_nested(&mmu, &long4, 0x1000, 8, ACC_READ, translate, &s, &w),
			 -EFAULT);
	assert_int_equal(w.error, 0);
	assert_true(s.changes > 0);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_level_sizes(void **state)
{
	(void)state;
	assert_int_equal(pt_level_size(&pt_formats[PT_FMT_32], 2), 4 << 20);
	assert_int_equal(pt_level_size(&pt_formats[PT_FMT_PAE], 2), 2 << 20);
	assert_int_equal(pt_level_size(&pt_formats[PT_FMT_LONG5], 5), BIT(48));
	assert_int_equal(pt_index(&pt_formats[PT_FMT_PAE], 0xffffffff, 3), 3);
	assert_int_equal(pt_index(&pt_formats[PT_FMT_32], 0xffffffff, 2), 1023);
	assert_int_equal(pt_index(&pt_formats[PT_FMT_EPT5], BIT(56), 5), 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_oracle),
		cmocka_unit_test(test_rom_tables),
		cmocka_unit_test(test_no_memory_reads_ones),
		cmocka_unit_test(test_ad_marks_dirty),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_guest_changes_entry),
		cmocka_unit_test(test_level_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
