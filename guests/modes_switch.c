// SPDX-License-Identifier: MIT
/* L1 changes its mode between two runs of L2: each time its tables are read by the new one. */
#include "guests/modes.h"

static struct npt trees[NPT_MODES];

static void enter(enum npt_mode mode)
{
	paging_enter(mode);
	m.npt = trees[mode];
	modes_use(&m.npt);
}

static void build(void)
{
	for (enum npt_mode mode = NPT_32; mode < NPT_MODES; mode++) {
		if (!modes_possible(mode))
			continue;
		paging_enter(mode);
		modes_tables(&trees[mode]);
		npt_write(&trees[mode], WINDOW, 1, (u64)modes_page(0x50 + mode) | NPT_RW);
	}
}

static void each_pair(void)
{
	for (u32 i = 0; i < NPT_MODES * NPT_MODES; i++) {
		enum npt_mode from = i / NPT_MODES, to = i % NPT_MODES;

		if (!modes_possible(from) || !modes_possible(to))
			continue;
		enter(from);
		check_read("before a change of mode", WINDOW, 0x50 + from);
		enter(to);
		check_read("after a change of mode", WINDOW, 0x50 + to);
	}
}

/*
 * The same nCR3 and ASID in another mode. What L2 has not used yet since the last flush cannot be
 * cached: it is read anew, and by the new mode.
 */
static void change(enum npt_mode from, enum npt_mode to)
{
	paging_enter(from);
	svm_vcpu_flush(&m.v);
	check(modes_run(OP_NOP, 0, 0) == SVM_EXIT_VMMCALL, "before a change of mode alone");
	paging_enter(to);
}

/* One entry is a 4M page in the one mode, leads to a table in the other. All else is 4K pages. */
static void pse(void)
{
	volatile u32 *memory = (u32 *)((u64)48 << 20);

	memory[0] = (u32)(u64)modes_page(0x32) | (u32)NPT_RW;
	enter(NPT_32);
	for (u64 i = 0; i < 8; i++) {
		u64 at = WINDOW_HUGE + i * npt_size(&m.npt, 2);

		npt_write(&m.npt, at, 2, (u64)memory | NPT_RW | PTE_PS);
		if (i & 1) {
			change(NPT_PSE, NPT_32);
			check_read("a table, no 4M page", at, 0x32);
		} else {
			change(NPT_32, NPT_PSE);
			check_read("a 4M page, no table", at, memory[0]);
		}
	}
}

static void set_nxe(bool on)
{
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & ~EFER_NXE) | (on ? EFER_NXE : 0));
}

static void nxe(enum npt_mode mode)
{
	u32 *page = modes_page(0x60);

	enter(mode);
	for (u64 i = 1; i <= 8; i++) {
		u64 at = WINDOW + i * PAGE_SIZE;

		npt_write(&m.npt, at, 1, (u64)page | NPT_RW | PTE_NX);
		set_nxe(i & 1);
		change(mode, mode);
		set_nxe(!(i & 1));
		if (i & 1)
			check_reserved("NX is reserved now", OP_READ, at, 0);
		else
			check_read("NX has a meaning now", at, 0x60);
	}
	set_nxe(true);
}

void modes_check_switches(void)
{
	build();
	each_pair();
	for (enum npt_mode mode = NPT_PAE; mode < NPT_MODES; mode++)
		if (modes_possible(mode))
			nxe(mode);
	if (modes_possible(NPT_PSE))
		pse();
}
