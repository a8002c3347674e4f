// SPDX-License-Identifier: MIT
/*
 * L2 without nested paging: what its page tables hold are L1's own physical addresses, and its page
 * faults go to L1. From run to run nested paging comes and goes.
 */
#include "guests/modes.h"

#define FAR ((u64)128 << 20) /* memory of L1's that no nested tables map */

static u32 *directory;

/* 4M pages: L1's image one to one, WINDOW elsewhere, nothing else. */
static void build(void)
{
	directory = modes_page(0);
	for (u32 i = 0; i < L1_MEMORY_END >> 22; i++)
		directory[i] = i << 22 | (u32)(PTE_P | PTE_W | PTE_PS);
	directory[WINDOW >> 22] = (u32)(FAR | PTE_P | PTE_PS);
	*(u32 *)FAR = 0x51;
}

static void use(bool nested)
{
	struct vmcb *v = m.v.vmcb;

	v->control.nested_ctl = nested ? SVM_NP_ENABLE : 0;
	v->save.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | (nested ? 0 : CR0_PG);
	v->save.cr3 = nested ? 0 : (u64)directory;
	v->save.cr4 = nested ? 0 : CR4_PSE;
	/* A new ASID or a flush, as for any change of an ASID's tables. */
	svm_vcpu_flush(&m.v);
}

static void page_fault(const char *what, enum modes_op op, u64 at, u64 error)
{
	const struct vmcb_control *c = &m.v.vmcb->control;

	check(modes_run(op, at, 0) == SVM_EXIT_EXCP_BASE + EXC_PF && c->exit_info_2 == at &&
		      c->exit_info_1 == error,
	      what);
}

/* APM 2 15.25.3: nested paging takes paging of L1's own; without it L1 may do without, too. */
static void without_own_paging(void)
{
	enum npt_mode mode = (enum npt_mode)(paging_format() - npt_formats);

	write_cr0(read_cr0() & ~CR0_PG);
	use(false);
	check_read("L1 without paging, L2 with", WINDOW, 0x51);
	use(true);
	if (modes_on_cleave())
		check((u32)modes_run(OP_NOP, 0, 0) == (u32)SVM_EXIT_INVALID,
		      "nested paging without L1's own");
	paging_enter(mode);
	check_read("nested paging with L1's own", WINDOW, 0x4e);
}

void modes_check_shadow(void)
{
	build();
	modes_map(WINDOW, modes_page(0x4e), 1, NPT_RW);
	vmcb_intercept_set(&m.v.vmcb->control, INTERCEPT_EXCP_BASE + EXC_PF);
	for (u32 i = 0; i < 4; i++) {
		use(false);
		check_read("L2 without nested paging", WINDOW, 0x51);
		check(directory[WINDOW >> 22] & PTE_A, "its walk sets A in L1's table");
		page_fault("without nested paging, read-only", OP_WRITE, WINDOW,
			   PFERR_PRESENT | PFERR_WRITE);
		page_fault("without nested paging, absent", OP_READ, WINDOW_HUGE + SIZE_1G, 0);
		use(true);
		check_read("and with it", WINDOW, 0x4e);
	}
	without_own_paging();
	vmcb_intercept_clear(&m.v.vmcb->control, INTERCEPT_EXCP_BASE + EXC_PF);
}
