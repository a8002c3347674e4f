// SPDX-License-Identifier: MIT
/* An L2 that may write the nested tables that map it, and its own VMCB. */
#include "guests/history.h"
#include "guests/hostile.h"
#include "lib/string.h"

#define WINDOW	  (512ul << 20)
#define WINDOW_2M (514ul << 20)

/* L2 writes one entry of its own tables; L1 only flushes. */
static u32 l2_sets(u64 *entry, u64 value)
{
	u32 code = hvm_run(HVM_WRITE, (u64)entry, value);

	svm_vcpu_flush(&hvm.v);
	return code;
}

static void check_access(const char *name, enum hvm_op op, u64 at, u32 want, u64 value)
{
	u32 code = hvm_run(op, at, 0);

	hostile_check(name, code == want && (want != SVM_EXIT_VMMCALL || hvm.value == value),
		      "exit 0x%x, value 0x%lx", code, hvm.value);
}

static void own_leaf(u64 *a, u64 *b)
{
	u64 *e = npt_entry(&hvm.npt, WINDOW, 1);

	l2_sets(e, (u64)a | NPT_RW);
	check_access("L2 maps a page for itself", HVM_READ, WINDOW, SVM_EXIT_VMMCALL, a[0]);
	l2_sets(e, (u64)b | NPT_RW);
	check_access("L2 changes its own page", HVM_READ, WINDOW, SVM_EXIT_VMMCALL, b[0]);
	l2_sets(e, (u64)b | NPT_RO);
	check_access("L2 write-protects it", HVM_WRITE, WINDOW, SVM_EXIT_NPF, 0);
	l2_sets(e, 0);
	check_access("L2 unmaps it", HVM_READ, WINDOW, SVM_EXIT_NPF, 0);
}

static void own_upper(u64 *a, u64 *b)
{
	u64 *e = npt_entry(&hvm.npt, WINDOW_2M, 2);
	u64 *table1 = pages_alloc(1), *table2 = pages_alloc(1);
	u64 bad = 0;

	table1[0] = (u64)a | NPT_RW;
	table2[0] = (u64)b | NPT_RW;
	for (u32 i = 0; i < 100; i++) {
		l2_sets(e, (u64)(i & 1 ? table2 : table1) | NPT_RW);
		bad += hvm_run(HVM_READ, WINDOW_2M, 0) != SVM_EXIT_VMMCALL;
		bad += hvm.value != (i & 1 ? b[0] : a[0]);
	}
	hostile_check("L2 exchanges whole tables", !bad, "%lu wrong", bad);
	if (hostile_on_cleave()) {
		l2_sets(e, ALIGN_UP(memory_end, SIZE_1G) | NPT_RW);
		check_access("L2 puts a table outside", HVM_READ, WINDOW_2M, SVM_EXIT_NPF, 0);
	}
	l2_sets(e, 0);
}

/* The page that maps the table in which L2 takes that page's own permission away. */
static void own_table(void)
{
	u64 *table = pages_alloc(1);
	u64 at = (u64)table;
	u64 *pd = npt_entry(&hvm.npt, at, 2), whole = *pd;
	u64 *own = &table[PT_INDEX(at, 1)];
	u32 code;

	for (u64 i = 0; i < PT_ENTRIES; i++)
		table[i] = (ALIGN_DOWN(at, SIZE_2M) + i * PAGE_SIZE) | NPT_RW;
	*pd = at | NPT_RW;
	svm_vcpu_flush(&hvm.v);
	code = l2_sets(own, at | NPT_RO);
	hostile_check("L2 protects the table that maps it", code == SVM_EXIT_VMMCALL, "exit 0x%x",
		      code);
	check_access("and can write it no more", HVM_WRITE, at, SVM_EXIT_NPF, 0);
	code = hvm_run(HVM_READ, (u64)own, 0);
	/* The processor sets A and D in the entries that it walks. */
	hostile_check("but read it",
		      code == SVM_EXIT_VMMCALL && (hvm.value & ~(PTE_A | PTE_D)) == (at | NPT_RO),
		      "exit 0x%x, value 0x%lx", code, hvm.value);
	*own = at | NPT_RW;
	*pd = whole;
	svm_vcpu_flush(&hvm.v);
}

/* All that maps L2's code goes away: the next fetch faults. */
static void own_end(void)
{
	u64 *e = npt_entry(&hvm.npt, 0, 4);
	u64 was = *e;
	u32 code = l2_sets(e, 0);

	hostile_check("L2 clears its own root entry",
		      code == SVM_EXIT_VMMCALL || code == SVM_EXIT_NPF, "exit 0x%x", code);
	check_access("and has nothing left", HVM_NOP, 0, SVM_EXIT_NPF, 0);
	*e = was;
	svm_vcpu_flush(&hvm.v);
	check_access("until L1 restores it", HVM_NOP, 0, SVM_EXIT_VMMCALL, 0);
}

/* Random entries into a table in use: any fault is right, L1 and its other pages must live. */
static void scribble(u64 *a)
{
	u64 *table = pages_alloc(1), *e = npt_entry(&hvm.npt, WINDOW_2M, 2);
	u64 rounds = option_u64("count", 200), seed = option_u64("seed", 1);
	u64 odd = 0, sum = 0;

	*e = (u64)table | NPT_RW;
	for (u64 r = 0; r < rounds; r++) {
		u64 n = history_mix(seed + r) % 8;
		u32 code;

		l2_sets(&table[n], history_mix(seed - r - 1) & (r & 1 ? ~0ul : 0x3ffffffffful));
		code = hvm_run(HVM_READ, WINDOW_2M + n * PAGE_SIZE, 0);
		odd += code != SVM_EXIT_VMMCALL && code != SVM_EXIT_NPF;
	}
	for (u32 i = 0; i < PT_ENTRIES; i++)
		sum += a[i];
	hostile_check("L2 scribbles over a table", !odd && sum == PT_ENTRIES * a[0],
		      "%lu exits of another kind", odd);
	*e = 0;
	svm_vcpu_flush(&hvm.v);
}

static void own_vmcb(void)
{
	struct vmcb *vmcb = hvm.v.vmcb;
	u64 rip;

	hvm_run(HVM_NOP, 0, 0);
	rip = vmcb->save.rip;
	hvm_run(HVM_WRITE, (u64)&vmcb->control.tsc_offset, 0x1234);
	hostile_check("L2 writes its VMCB's TSC offset", vmcb->control.tsc_offset == 0x1234,
		      "it is 0x%lx", vmcb->control.tsc_offset);
	hvm_run(HVM_WRITE, (u64)&vmcb->save.cr3, 0xdead000);
	hostile_check("L2 writes its VMCB's CR3", vmcb->save.cr3 == read_cr3(),
		      "the exit did not store CR3: 0x%lx", vmcb->save.cr3);
	hvm_run(HVM_WRITE, (u64)&vmcb->save.rip, 0);
	hostile_check("L2 writes its VMCB's rIP", vmcb->save.rip == rip, "it is 0x%lx, not 0x%lx",
		      vmcb->save.rip, rip);
	hvm_reset();
}

void test_selfmap(void)
{
	u64 *a = pages_alloc(1), *b = pages_alloc(1);

	for (u32 i = 0; i < PT_ENTRIES; i++) {
		a[i] = 0xaaaa;
		b[i] = 0xbbbb;
	}
	hvm_run(HVM_NOP, 0, 0);
	own_leaf(a, b);
	own_upper(a, b);
	own_table();
	own_end();
	scribble(a);
	own_vmcb();
}
