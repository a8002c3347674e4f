// SPDX-License-Identifier: MIT
/*
 * EPT tables that change under a running L2, SDM 3C 28.3.3: after INVEPT what the tables say holds.
 * Without it L2 may see what they said before, but nothing that they never said.
 */
#include "guests/history.h"
#include "guests/vmxcheck_ept.h"

#define LEAF_LEVELS 3
#define FUZZ_PAGES  16
#define FUZZ_STEPS  400

/* What reading at @offset gives: a page's number, or 0 for a violation. */
static u64 reads(u64 offset)
{
	u64 value;
	u32 answer = ept_access(L2_READ, offset, &value);

	if (answer != RUNS && answer != OTHER_EXIT(VMX_EXIT_EPT_VIOLATION))
		die("an access of L2's ends with 0x%x", answer);
	return answer == RUNS ? value : 0;
}

static bool writes(u64 offset)
{
	return ept_access(L2_WRITE, offset, NULL) == RUNS;
}

static void check_read(const char *name, u64 offset, u64 want)
{
	u64 got = reads(offset);

	vmxcheck(name, got == want, "L2 reads 0x%lx, should read 0x%lx", got, want);
}

/* Either is right, nothing else is. */
static void check_stale(const char *name, u64 offset, u64 old, u64 new)
{
	u64 got = reads(offset);

	vmxcheck(name, got == old || got == new, "L2 reads 0x%lx, neither 0x%lx nor 0x%lx", got,
		 old, new);
}

/* A page appears: nothing needs to be flushed. */
static void appears(int level)
{
	struct ept_page *page = ept_page(0);
	u64 at = ept_offset(page, level);

	ept_set(at, level, 0);
	ept_flush();
	check_read("absent", at, 0);
	ept_set(at, level, ept_leaf(page, level, EPT_RWX));
	check_read("a page that has appeared", at, page->number);
}

/* A violation leaves nothing cached of its own address: at most one comes too many. */
static void upgraded(int level)
{
	struct ept_page *page = ept_page(0);
	u64 at = ept_offset(page, level);
	bool written = false;

	ept_set(at, level, ept_leaf(page, level, EPT_R));
	ept_flush();
	check_read("read-only", at, page->number);
	vmxcheck("a write to what is read-only", !writes(at), "it succeeds");
	ept_set(at, level, ept_leaf(page, level, EPT_RWX));
	for (u32 i = 0; i < 2 && !written; i++)
		written = writes(at);
	vmxcheck("a write to what has become writable", written, "it fails twice");
}

static void taken_away(int level)
{
	struct ept_page *page = ept_page(0);
	u64 at = ept_offset(page, level);

	ept_set(at, level, ept_leaf(page, level, EPT_RWX));
	ept_flush();
	check_read("there", at, page->number);
	ept_set(at, level, 0);
	check_stale("taken away, not flushed", at, page->number, 0);
	ept_flush();
	check_read("taken away", at, 0);
	ept_set(at, level, ept_leaf(page, level, EPT_RWX));
	check_read("given back", at, page->number);
	ept_set(at, level, ept_leaf(page, level, EPT_R));
	ept_flush();
	vmxcheck("a write to what is read-only again", !writes(at), "it succeeds");
}

/* Page 1 in place of page 0. They lie side by side, so a larger leaf is exchanged for smaller ones.
 */
static void exchanged(int level)
{
	struct ept_page *a = ept_page(0), *b = ept_page(1);
	u64 at = ept_offset(a, level);

	ept_set(at, level, ept_leaf(a, level, EPT_RWX));
	ept_flush();
	check_read("the first page", at, a->number);
	ept_set(at, level, 0);
	ept_set(at, 1, ept_leaf(b, 1, EPT_RWX));
	check_stale("exchanged, not flushed", at, a->number, b->number);
	ept_flush();
	check_read("exchanged", at, b->number);
	ept_set(at, level, ept_leaf(a, level, EPT_RWX));
	ept_flush();
	check_read("exchanged again", at, a->number);
}

/* A and D that L1 clears come back, D with a write only. */
static void dirty(int level)
{
	struct ept_page *page = ept_page(0);
	u64 at = ept_offset(page, level), clean = ept_leaf(page, level, EPT_RWX), entry;

	ept_set(at, level, clean);
	ept_flush();
	writes(at);
	for (u32 i = 0; i < 4; i++) {
		bool write = i & 1;

		ept_set(at, level, clean);
		ept_flush();
		if (write)
			writes(at);
		else
			reads(at);
		entry = ept_get(at, level) & (EPT_A | EPT_D);
		vmxcheck("A and D that were cleared", entry == (write ? EPT_A | EPT_D : EPT_A),
			 "they are 0x%lx, level %d, write %d", entry, level, write);
	}
}

/* A table of L1's becomes a page of data, and the reverse: each as it is at the INVEPT. */
static void table_reused(void)
{
	struct ept_page *page = ept_page(2);
	u64 table, *entries;

	ept_set(0, LEAF_LEVELS, 0);
	ept_set(0, 1, ept_leaf(page, 1, EPT_RWX));
	ept_flush();
	check_read("through a table", 0, page->number);
	table = ept_get(0, 2) & PTE_ADDR;
	entries = (u64 *)table;
	ept_set(SIZE_2M, 1, npt_leaf(&ept_tables, table, 1, EPT_RWX));
	check_read("the table itself", SIZE_2M, *entries);

	ept_set(0, 2, 0);
	ept_flush();
	check_read("without the table", 0, 0);
	entries[0] = 0x1234567;
	check_read("what was a table", SIZE_2M, 0x1234567);
	ept_set(SIZE_2M, 1, 0);
	ept_flush();
}

/* Many changes, then INVEPT, then all of it is as the tables say. */
static void fuzz(void)
{
	u64 want[FUZZ_PAGES] = {0};
	bool writable[FUZZ_PAGES] = {false};
	u64 bad = 0;

	ept_set(0, LEAF_LEVELS, 0);
	for (u64 step = 0; step < FUZZ_STEPS; step++) {
		for (u64 edit = 0; edit < 1 + step % 4; edit++) {
			u64 r = history_mix(step * 8 + edit), n = r % FUZZ_PAGES;
			struct ept_page *page = ept_page(r >> 8 & 15);
			u64 rwx = r >> 16 & 3 ? EPT_R | (r >> 18 & 1 ? EPT_W : 0) : 0;

			ept_set(n * PAGE_SIZE, 1, rwx ? ept_leaf(page, 1, rwx) : 0);
			want[n] = rwx ? page->number : 0;
			writable[n] = rwx & EPT_W;
			if (r >> 20 & 1)
				reads(n * PAGE_SIZE);
		}
		ept_flush();
		for (u64 n = step % 3; n < FUZZ_PAGES; n += 3)
			bad += reads(n * PAGE_SIZE) != want[n] ||
			       writes(n * PAGE_SIZE) != writable[n];
	}
	vmxcheck("random changes with INVEPT", !bad, "%lu accesses are wrong", bad);
}

void vmxcheck_invept(void)
{
	bool ad;

	ept_setup();
	ad = vmcs_read(VMCS_ept_pointer) & VMX_EPTP_AD;
	for (int level = 1; level <= LEAF_LEVELS; level++) {
		/* Larger pages take the place of the tables below. */
		ept_set(0, level, 0);
		appears(level);
		upgraded(level);
		taken_away(level);
		if (level > 1)
			exchanged(level);
		if (ad)
			dirty(level);
	}
	table_reused();
	fuzz();
	ept_set(0, LEAF_LEVELS, 0);
	ept_flush();
}
