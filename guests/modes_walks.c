// SPDX-License-Identifier: MIT
/*
 * L2 with paging of its own: which of the two a #NPF is about, bits 32 and 33 of EXITINFO1 (APM 2
 * 15.25.6). Its page directory lies in WINDOW.
 */
#include "guests/modes.h"

#define L2_DIRECTORY_ENTRIES 1024

static u32 *directory;

/* 4M pages, one to one. A and D are set already: the processor has nothing to write there. */
static void l2_paging(void)
{
	struct vmcb_save *s = &m.v.vmcb->save;

	for (u32 i = 0; i < L2_DIRECTORY_ENTRIES; i++)
		directory[i] = i << 22 | (u32)(PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS);
	s->cr3 = WINDOW;
	s->cr4 = CR4_PSE;
	s->cr0 |= CR0_PG;
}

/* The first access of any run is to the page directory. */
static void walk_fault(const char *what, u64 error)
{
	const struct vmcb_control *c = &m.v.vmcb->control;

	check(modes_run(OP_NOP, 0, 0) == SVM_EXIT_NPF && (c->exit_info_2 & PAGE_MASK) == WINDOW &&
		      c->exit_info_1 == (error | NPF_US | NPF_PT),
	      what);
}

void modes_check_walks(void)
{
	struct vmcb_save *s = &m.v.vmcb->save;

	directory = modes_page(0);
	l2_paging();
	modes_map(WINDOW, directory, 1, NPT_RW);
	modes_map(WINDOW + PAGE_SIZE, modes_page(0xd), 1, NPT_RO);
	npt_write(&m.npt, WINDOW + 2 * PAGE_SIZE, 1, 0);
	svm_vcpu_flush(&m.v);
	check_read("L2 with paging", WINDOW + PAGE_SIZE, 0xd);
	check_fault("L2 with paging, write", OP_WRITE, WINDOW + PAGE_SIZE, NPF_P | NPF_RW);
	check_fault("L2 with paging, absent", OP_READ, WINDOW + 2 * PAGE_SIZE, 0);
	npt_write(&m.npt, WINDOW, 1, 0);
	svm_vcpu_flush(&m.v);
	/* 15.25.5: the walk of L2's tables writes, whatever the access is. */
	walk_fault("L2's table is absent", NPF_RW);
	modes_map(WINDOW, directory, 1, NPT_RO);
	svm_vcpu_flush(&m.v);
	walk_fault("L2's table is read-only", NPF_P | NPF_RW);
	modes_map(WINDOW, directory, 1, NPT_RW);
	svm_vcpu_flush(&m.v);
	check_read("L2's table is writable", WINDOW + PAGE_SIZE, 0xd);
	s->cr0 &= ~CR0_PG;
	s->cr3 = s->cr4 = 0;
}
