// SPDX-License-Identifier: MIT
/* What a leaf grants, how an access that it refuses is reported, and the bits that are set in it.
 */
#include "guests/modes.h"
#include "lib/string.h"

#define L1_HUGE ((u64)48 << 20) /* 4M of L1's memory that nothing else uses */

extern const char modes_snippet[8];

static u64 leaf(void)
{
	return npt_read(&m.npt, WINDOW, 1);
}

/* A in each entry on the way down, where it has one: a PDPTE of PAE has not. */
static bool accessed_above(void)
{
	const struct npt_format *fmt = m.npt.fmt;

	for (int level = 2; level <= fmt->levels; level++)
		if (!(npt_read(&m.npt, WINDOW, level) & PTE_A) && fmt->root_flags & PTE_U)
			return false;
	return true;
}

static void accessed_and_dirty(void)
{
	u32 *page = modes_page(0xa);

	modes_map(WINDOW, page, 1, NPT_RW);
	check_read("a page is mapped", WINDOW, 0xa);
	check((leaf() & (PTE_A | PTE_D)) == PTE_A, "a read sets A, and not D");
	check(accessed_above(), "a read sets A in the upper levels");
	check_write("a page is written", WINDOW + 8, 0x1234);
	check(page[2] == 0x1234, "what is written arrives");
	check((leaf() & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "a write sets D");
	modes_map(WINDOW, page, 1, NPT_RW);
	svm_vcpu_flush(&m.v);
	check_read("A and D cleared", WINDOW, 0xa);
	check((leaf() & (PTE_A | PTE_D)) == PTE_A, "a read sets A again, and not D");
	check_write("D cleared", WINDOW, 1);
	check(leaf() & PTE_D, "a write sets D again");
}

/* Whether a fetch shows as one: APM 2 15.25.6, only where there is no-execute. */
static u64 fetch_bit(void)
{
	return m.npt.fmt->nx && rdmsr(MSR_EFER) & EFER_NXE ? NPF_ID : 0;
}

static void absent(void)
{
	modes_map(WINDOW, NULL, 1, 0);
	svm_vcpu_flush(&m.v);
	check_fault("absent, read", OP_READ, WINDOW + 0x123, 0);
	check_fault("absent, write", OP_WRITE, WINDOW + 0x124, NPF_RW);
	check_fault("absent, fetch", OP_CALL, WINDOW + 0x20, fetch_bit());
	npt_write(&m.npt, WINDOW_HUGE, 2, 0);
	check_fault("no table, write", OP_WRITE, WINDOW_HUGE + 4, NPF_RW);
	if (!modes_on_cleave())
		return;
	modes_map(WINDOW, (void *)ALIGN_UP(memory_end, SIZE_1G), 1, NPT_RW);
	check_fault("outside of memory, read", OP_READ, WINDOW, 0);
	check_fault("outside of memory, fetch", OP_CALL, WINDOW, fetch_bit());
}

static void read_only(const char *what)
{
	u32 *page = modes_page(0xb);

	modes_map(WINDOW, page, 1, NPT_RO);
	svm_vcpu_flush(&m.v);
	check_read(what, WINDOW, 0xb);
	check_fault(what, OP_WRITE, WINDOW + 4, NPF_P | NPF_RW);
	check(!(leaf() & PTE_D) && page[1] == 0xb, what);
	modes_map(WINDOW, page, 1, NPT_RW); /* grants more: no flush is needed */
	check_write("made writable", WINDOW + 4, 7);
	check(page[1] == 7, "made writable, and written");
}

/* Every access to nested tables is a user access (15.25.5): CR0.WP counts for nobody. */
static void without_wp(void)
{
	write_cr0(read_cr0() & ~CR0_WP);
	read_only("read-only, L1 without CR0.WP");
	write_cr0(read_cr0() | CR0_WP);
	read_only("read-only");
}

static void supervisor(void)
{
	u32 *page = modes_page(0xc);
	u64 table;

	modes_map(WINDOW, page, 1, PTE_P | PTE_W);
	svm_vcpu_flush(&m.v);
	check_fault("a supervisor's page, read", OP_READ, WINDOW, NPF_P);
	check_fault("a supervisor's page, write", OP_WRITE, WINDOW, NPF_P | NPF_RW);
	modes_map(WINDOW, page, 1, NPT_RW);
	table = npt_read(&m.npt, WINDOW, 2);
	npt_write(&m.npt, WINDOW, 2, table & ~PTE_U);
	svm_vcpu_flush(&m.v);
	check_fault("a supervisor's table", OP_READ, WINDOW, NPF_P);
	npt_write(&m.npt, WINDOW, 2, table & ~PTE_W);
	svm_vcpu_flush(&m.v);
	check_read("a read-only table, read", WINDOW, 0xc);
	check_fault("a read-only table, write", OP_WRITE, WINDOW, NPF_P | NPF_RW);
	npt_write(&m.npt, WINDOW, 2, table);
	svm_vcpu_flush(&m.v);
	check_write("a table that grants all", WINDOW, 1);
}

static void no_execute(void)
{
	u32 *page = modes_page(0);
	u64 table;

	memcpy(page, modes_snippet, sizeof(modes_snippet));
	modes_map(WINDOW, page, 1, NPT_RO);
	svm_vcpu_flush(&m.v);
	check_call("executable", WINDOW);
	if (!m.npt.fmt->nx)
		return;
	modes_map(WINDOW, page, 1, NPT_RW | PTE_NX);
	svm_vcpu_flush(&m.v);
	check_read("no-execute, read", WINDOW, page[0]);
	check_fault("no-execute, fetch", OP_CALL, WINDOW, NPF_P | NPF_ID);
	modes_map(WINDOW, page, 1, NPT_RW);
	table = npt_read(&m.npt, WINDOW, 2);
	npt_write(&m.npt, WINDOW, 2, table | PTE_NX);
	svm_vcpu_flush(&m.v);
	check_fault("a no-execute table", OP_CALL, WINDOW, NPF_P | NPF_ID);
	npt_write(&m.npt, WINDOW, 2, table);
	svm_vcpu_flush(&m.v);
	check_call("executable again", WINDOW);
}

/* One page of @level at @l2, over L1_HUGE or, for a gigabyte, over all that L1 has. */
static void huge(u64 l2, int level, u64 base)
{
	u64 size = npt_size(&m.npt, level), last = MIN(size, L1_MEMORY_END) - PAGE_SIZE;
	u64 places[] = {L1_HUGE - base, L1_HUGE - base + SIZE_2M - 4, last};

	modes_map(l2, (void *)base, level, NPT_RW);
	svm_vcpu_flush(&m.v);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		u32 *p = (u32 *)(base + places[i]);

		*p = 0x100 + i;
		check_read("a huge page, read", l2 + places[i], 0x100 + i);
		check(i || (npt_read(&m.npt, l2, level) & (PTE_A | PTE_D)) == PTE_A,
		      "a read sets A in a huge page");
		check_write("a huge page, write", l2 + places[i], 0x200 + i);
		check(*p == 0x200 + i, "what is written to a huge page arrives");
	}
	check(npt_read(&m.npt, l2, level) & PTE_D, "a write sets D in a huge page");
	modes_map(l2, (void *)base, level, NPT_RO);
	svm_vcpu_flush(&m.v);
	check_read("a read-only huge page", l2 + last, 0x202);
	check_fault("a read-only huge page, write", OP_WRITE, l2 + last, NPF_P | NPF_RW);
	npt_write(&m.npt, l2, level, 0);
	svm_vcpu_flush(&m.v);
	check_fault("a huge page taken away", OP_READ, l2 + last, 0);
}

/* All four gigabytes, and tables from their first to their last entries. */
static void everywhere(void)
{
	static const u64 offsets[] = {0, 511, 512, 700, 1023};

	npt_write(&m.npt, WINDOW, 1, 0);
	svm_vcpu_flush(&m.v);
	for (u64 gb = 0; gb < 4; gb++) {
		for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
			u64 at = gb * SIZE_1G + WINDOW + offsets[i] * PAGE_SIZE;
			u32 *page = modes_page((u32)(0x1000 + gb * 16 + i));

			modes_map(at, page, 1, NPT_RW);
			check_read("pages everywhere", at, page[0]);
		}
	}
	for (u64 gb = 0; gb < 4; gb++) {
		for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
			u64 at = gb * SIZE_1G + WINDOW + offsets[i] * PAGE_SIZE;

			check_read("pages everywhere, again", at, (u32)(0x1000 + gb * 16 + i));
			modes_map(at, NULL, 1, 0);
			svm_vcpu_flush(&m.v);
			check_fault("and gone", OP_READ, at, 0);
		}
	}
}

void modes_check_pages(void)
{
	accessed_and_dirty();
	absent();
	without_wp();
	supervisor();
	no_execute();
	everywhere();
	if (m.npt.fmt->leaf_level >= 2)
		huge(WINDOW_HUGE, 2, L1_HUGE);
	if (m.npt.fmt->leaf_level >= 3)
		huge(3 * SIZE_1G, 3, 0);
}
