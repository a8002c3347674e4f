// SPDX-License-Identifier: MIT
/* Nested tables that lead outside of memory, and nested tables that change all the time. */
#include "guests/history.h"
#include "guests/hostile.h"
#include "lib/string.h"

/* L2 addresses that only these tests map. L2's own tables reach up to 4 GiB. */
#define WINDOW	     (512ul << 20)
#define WINDOW_2M    (514ul << 20)
#define WINDOW_1G    (2ul << 30)
#define WINDOW_PAGES 16

#define FAULT_BITS (NPF_P | NPF_RW | NPF_ID | NPF_RSV)

extern const u8 hvm_snippet[8];

/* @code is the exit of an access to @at that was refused with @bits, or with any if @bits is ~0. */
static void check_npf(const char *name, u32 code, u64 at, u64 bits)
{
	const struct vmcb_control *c = &hvm.v.vmcb->control;
	bool right = bits == ~0ul || (c->exit_info_1 & FAULT_BITS) == bits;

	hostile_check(name, code == SVM_EXIT_NPF && c->exit_info_2 == at && right,
		      "exit 0x%x at 0x%lx, error code 0x%lx", code, c->exit_info_2, c->exit_info_1);
}

static void check_read(const char *name, u64 at, u64 want)
{
	u32 code = hvm_run(HVM_READ, at, 0);

	hostile_check(name, code == SVM_EXIT_VMMCALL && hvm.value == want,
		      "exit 0x%x, read 0x%lx, should be 0x%lx", code, hvm.value, want);
}

static void map(u64 l2, u64 target, int level, u64 flags)
{
	*npt_entry(&hvm.npt, l2, level) = target | flags | (level > 1 ? PTE_PS : 0);
}

static void outside_leaves(u64 outside)
{
	u64 end = hostile_physical_limit();

	map(WINDOW, outside, 1, NPT_RW);
	map(WINDOW + PAGE_SIZE, end - PAGE_SIZE, 1, NPT_RW);
	map(WINDOW_2M, outside, 2, NPT_RW);
	map(WINDOW_1G, outside, 3, NPT_RW);
	map(WINDOW_1G + SIZE_1G, end - SIZE_1G, 3, NPT_RW);
	svm_vcpu_flush(&hvm.v);
	check_npf("4K leaf outside, read", hvm_run(HVM_READ, WINDOW, 0), WINDOW, 0);
	check_npf("4K leaf outside, write", hvm_run(HVM_WRITE, WINDOW, 1), WINDOW, NPF_RW);
	check_npf("4K leaf outside, fetch", hvm_run(HVM_CALL, WINDOW, 0), WINDOW, NPF_ID);
	check_npf("4K leaf, last page of all", hvm_run(HVM_WRITE, WINDOW + PAGE_SIZE, 1),
		  WINDOW + PAGE_SIZE, NPF_RW);
	check_npf("2M leaf outside", hvm_run(HVM_WRITE, WINDOW_2M + 8, 1), WINDOW_2M + 8, NPF_RW);
	check_npf("1G leaf outside", hvm_run(HVM_READ, WINDOW_1G + 8, 1), WINDOW_1G + 8, 0);
	check_npf("1G leaf, last of all", hvm_run(HVM_WRITE, WINDOW_1G + SIZE_1G, 1),
		  WINDOW_1G + SIZE_1G, NPF_RW);
}

static void outside_tables(u64 outside)
{
	u32 code;

	*npt_entry(&hvm.npt, WINDOW, 2) = outside | NPT_RW;
	svm_vcpu_flush(&hvm.v);
	check_npf("last table outside", hvm_run(HVM_READ, WINDOW, 0), WINDOW, ~0ul);
	*npt_entry(&hvm.npt, WINDOW_1G, 3) = outside | NPT_RW;
	svm_vcpu_flush(&hvm.v);
	check_npf("middle table outside", hvm_run(HVM_READ, WINDOW_1G, 0), WINDOW_1G, ~0ul);
	hvm.v.vmcb->control.ncr3 = outside;
	svm_vcpu_flush(&hvm.v);
	code = hvm_run(HVM_NOP, 0, 0);
	hostile_check("nCR3 outside", code == SVM_EXIT_NPF, "exit 0x%x", code);
	hvm_reset();
	code = hvm_run(HVM_NOP, 0, 0);
	hostile_check("a good nCR3 again", code == SVM_EXIT_VMMCALL, "exit 0x%x", code);
}

static void reserved_bits(void)
{
	const struct vmcb_control *c = &hvm.v.vmcb->control;
	u64 limit = hostile_physical_limit();
	u32 code;

	*npt_entry(&hvm.npt, WINDOW, 2) = 0;
	if (limit < BIT(52)) {
		map(WINDOW, limit, 1, NPT_RW);
		svm_vcpu_flush(&hvm.v);
		code = hvm_run(HVM_READ, WINDOW, 0);
		hostile_check("leaf with reserved bits",
			      code == SVM_EXIT_NPF && c->exit_info_1 & NPF_RSV,
			      "exit 0x%x, error code 0x%lx", code, c->exit_info_1);
	}
	map(WINDOW_2M, PAGE_SIZE << 1, 2, NPT_RW);
	svm_vcpu_flush(&hvm.v);
	code = hvm_run(HVM_READ, WINDOW_2M, 0);
	hostile_check("2M leaf not aligned", code == SVM_EXIT_NPF && c->exit_info_1 & NPF_RSV,
		      "exit 0x%x, error code 0x%lx", code, c->exit_info_1);
}

void test_npt_outside(void)
{
	u64 outside = ALIGN_UP(memory_end, SIZE_1G) + 8 * SIZE_1G;

	if (hostile_on_cleave()) {
		outside_leaves(outside);
		outside_tables(outside);
	} else {
		hostile_skip("leaves and tables outside", "on a bare machine the bus answers");
	}
	reserved_bits();
}

static u64 *new_page(u64 value)
{
	u64 *p = pages_alloc(1);

	for (u32 i = 0; i < PT_ENTRIES; i++)
		p[i] = value;
	return p;
}

/* Unmap, map again, take away and give each permission, swap two pages. */
static void edit_round(u64 *a, u64 *b)
{
	u64 write = history_mix((u64)a + a[1]);

	map(WINDOW, (u64)a, 1, NPT_RW);
	svm_vcpu_flush(&hvm.v);
	check_read("mapped", WINDOW, a[0]);
	*npt_entry(&hvm.npt, WINDOW, 1) = 0;
	svm_vcpu_flush(&hvm.v);
	check_npf("unmapped", hvm_run(HVM_WRITE, WINDOW, 0), WINDOW, NPF_RW);
	map(WINDOW, (u64)b, 1, NPT_RO); /* nothing is cached for it: no flush */
	check_read("another page, read-only", WINDOW, b[0]);
	check_npf("read-only", hvm_run(HVM_WRITE, WINDOW, 0), WINDOW, NPF_RW | NPF_P);
	map(WINDOW, (u64)b, 1, NPT_RW);
	svm_vcpu_flush(&hvm.v);
	hvm_run(HVM_WRITE, WINDOW, write);
	hostile_check("write arrives", b[0] == write, "page holds 0x%lx, not 0x%lx", b[0], write);
	map(WINDOW, (u64)b, 1, NPT_RO);
	svm_vcpu_flush(&hvm.v);
	check_npf("read-only again", hvm_run(HVM_WRITE, WINDOW, 0), WINDOW, NPF_RW | NPF_P);
	map(WINDOW, (u64)a, 1, NPT_RW | PTE_NX);
	memcpy(a, hvm_snippet, sizeof(hvm_snippet));
	svm_vcpu_flush(&hvm.v);
	check_npf("no-execute", hvm_run(HVM_CALL, WINDOW, 0), WINDOW, NPF_ID | NPF_P);
	map(WINDOW, (u64)a, 1, NPT_RO);
	svm_vcpu_flush(&hvm.v);
	hvm_run(HVM_CALL, WINDOW, 0);
	hostile_check("executable", hvm.value == 0x11, "RDX is 0x%lx", hvm.value);
}

/* A table in the place of a 2M page, and the page in the place of the table. */
static void change_size(void)
{
	u64 *e = npt_entry(&hvm.npt, WINDOW_2M, 2);
	u64 *memory = (u64 *)(48ul << 20);
	u64 *other = new_page(2);
	u64 *table = pages_alloc(1);

	memory[0] = 1;
	table[0] = (u64)other | NPT_RW;
	for (u32 i = 0; i < 4; i++) {
		*e = (u64)memory | NPT_RW | PTE_PS;
		svm_vcpu_flush(&hvm.v);
		check_read("2M page", WINDOW_2M, 1);
		*e = (u64)table | NPT_RW;
		svm_vcpu_flush(&hvm.v);
		check_read("table in its place", WINDOW_2M, 2);
		check_npf("hole in the table", hvm_run(HVM_READ, WINDOW_2M + PAGE_SIZE, 0),
			  WINDOW_2M + PAGE_SIZE, 0);
	}
}

/* All at once: pages change places at random, one check for each round. */
static void shuffle(u64 rounds, u64 seed)
{
	u64 *page[WINDOW_PAGES];
	u64 bad = 0;

	for (u32 i = 0; i < WINDOW_PAGES; i++) {
		page[i] = new_page(1000 + i);
		map(WINDOW + i * PAGE_SIZE, (u64)page[i], 1, NPT_RW);
	}
	svm_vcpu_flush(&hvm.v);
	for (u64 r = 0; r < rounds; r++) {
		u64 i = history_mix(seed + r) % WINDOW_PAGES;
		u64 j = history_mix(seed - r - 1) % WINDOW_PAGES;
		u64 *swap = page[i];

		page[i] = page[j];
		page[j] = swap;
		map(WINDOW + i * PAGE_SIZE, (u64)page[i], 1, NPT_RW);
		map(WINDOW + j * PAGE_SIZE, (u64)page[j], 1, r & 1 ? NPT_RO : NPT_RW);
		svm_vcpu_flush(&hvm.v);
		for (u32 k = 0; k < WINDOW_PAGES; k++) {
			hvm_run(HVM_READ, WINDOW + k * PAGE_SIZE, 0);
			bad += hvm.value != page[k][0];
		}
	}
	hostile_check("pages that change places", !bad, "%lu stale reads", bad);
}

void test_npt_edit(void)
{
	u64 *a = new_page(0xa), *b = new_page(0xb);
	u64 rounds = option_u64("count", 20);

	for (u64 i = 0; i < 3; i++)
		edit_round(i & 1 ? b : a, i & 1 ? a : b);
	change_size();
	shuffle(rounds, option_u64("seed", 1));
}
