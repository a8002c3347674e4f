// SPDX-License-Identifier: MIT
/* Nested tables in each mode of L1's paging: what the checks share, and their order. */
#include "guests/modes.h"
#include "lib/string.h"

const char *const guest_options[] = {"npt", NULL};

struct modes m;

extern const char modes_l2[];

static u64 stack;
static u32 made, failed;

bool modes_on_cleave(void)
{
	return inb(0xe0) == 0xc1;
}

/* QEMU 7.2 by itself does not walk nested tables of 4-byte entries. */
bool modes_possible(enum npt_mode mode)
{
	return paging_possible(mode) && (modes_on_cleave() || mode >= NPT_PAE);
}

void check(bool ok, const char *what)
{
	const struct vmcb_control *c = &m.v.vmcb->control;

	made++;
	if (ok)
		return;
	failed++;
	console_print("MODES %s: FAILED: %s; exit 0x%lx info 0x%lx 0x%lx, value 0x%x at 0x%lx\n",
		      paging_format()->name, what, c->exit_code, c->exit_info_1, c->exit_info_2,
		      m.value, m.v.regs.rbx);
}

u32 *modes_page(u32 value)
{
	u32 *page = pages_alloc(1);

	for (u32 i = 0; i < PAGE_SIZE / sizeof(*page); i++)
		page[i] = value;
	return page;
}

void modes_map(u64 l2, const void *target, int level, u64 flags)
{
	npt_write(&m.npt, l2, level, (u64)target | flags | (level > 1 ? PTE_PS : 0));
}

void modes_tables(struct npt *npt)
{
	npt_init(npt);
	npt_map(npt, 0, 0, L1_MEMORY_END, npt->fmt->leaf_level > 1 ? 2 : 1, NPT_RW);
}

void modes_use(const struct npt *npt)
{
	m.v.vmcb->control.ncr3 = (u64)npt->root;
	svm_vcpu_flush(&m.v);
}

/* Interrupts stay off: L1 has no handlers that long mode could use. */
u64 modes_run(enum modes_op op, u64 at, u32 value)
{
	struct vmcb_save *s = &m.v.vmcb->save;

	s->rip = (u64)modes_l2;
	s->rsp = stack;
	m.v.regs.rbx = at;
	m.v.regs.rcx = op;
	m.v.regs.rdx = value;
	svm_vcpu_enter(&m.v);
	interrupts_off();
	if (m.v.regs.host_damaged)
		die("VMRUN came back with another RAX or RFLAGS");
	m.value = (u32)m.v.regs.rdx;
	return m.v.vmcb->control.exit_code;
}

void check_read(const char *what, u64 at, u32 want)
{
	check(modes_run(OP_READ, at, 0) == SVM_EXIT_VMMCALL && m.value == want, what);
}

void check_write(const char *what, u64 at, u32 value)
{
	check(modes_run(OP_WRITE, at, value) == SVM_EXIT_VMMCALL, what);
}

void check_call(const char *what, u64 at)
{
	check(modes_run(OP_CALL, at, 0) == SVM_EXIT_VMMCALL && m.value == 0x11, what);
}

void check_fault(const char *what, enum modes_op op, u64 at, u64 error)
{
	const struct vmcb_control *c = &m.v.vmcb->control;

	check(modes_run(op, at, 0) == SVM_EXIT_NPF && c->exit_info_2 == at &&
		      c->exit_info_1 == (error | NPF_US | NPF_FINAL),
	      what);
}

void check_reserved(const char *what, enum modes_op op, u64 at, u64 error)
{
	check_fault(what, op, at, error | NPF_RSV | (modes_on_cleave() ? NPF_P : 0));
}

static void init(void)
{
	struct vmcb_save *s;

	stack = (u64)pages_alloc(1) + PAGE_SIZE;
	svm_vcpu_init(&m.v, 0, 0, 0, 0);
	s = &m.v.vmcb->save;
	s->cr0 = CR0_PE | CR0_ET | CR0_NE;
	s->cr4 = 0;
	s->efer = EFER_SVME;
}

/* L1 must be told of every mode that it may use. */
static void features(void)
{
	u32 legacy = cpuid(CPUID_FEATURES, 0).edx, width = cpuid(CPUID_EXT8, 0).eax >> 8 & 0xff;

	check(legacy & BIT(3) && legacy & BIT(6) && legacy & BIT(17), "CPUID: PSE, PAE, PSE36");
	check(cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_NX, "CPUID: NX");
	check(width == (paging_possible(NPT_LONG5) ? 57 : 48), "CPUID: LA57 and 57 bits");
}

static void all_in(enum npt_mode mode)
{
	u32 before = made, failed_before = failed;

	paging_enter(mode);
	modes_tables(&m.npt);
	modes_use(&m.npt);
	check(modes_run(OP_NOP, 0, 0) == SVM_EXIT_VMMCALL, "L2 runs");
	if (failed == failed_before) {
		modes_check_pages();
		modes_check_entries();
		modes_check_edits();
		modes_check_walks();
		modes_check_shadow();
	}
	console_print("MODES %s: %u checks, %u failed\n", paging_format()->name, made - before,
		      failed - failed_before);
}

int guest_main(void)
{
	const char *missing;

	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	paging_init();
	missing = svm_enable();
	if (missing)
		die("%s", missing);
	init();
	features();
	for (enum npt_mode mode = NPT_32; mode < NPT_MODES; mode++)
		if (modes_possible(mode))
			all_in(mode);
	modes_check_switches();
	console_print("MODES: %u checks, %u failed\n", made, failed);
	return failed != 0;
}
