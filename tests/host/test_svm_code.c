// SPDX-License-Identifier: MIT
// objects: svm/nested*.o svm/intr.o svm/asid.o svm/gif.o svm/skip.o svm/fetch.o svm/paging.o
// objects: svm/vmcb.o mmu/*.o lib/lock.o tests/host/env*.o tests/host/svm_vm.o
/*
 * The way to the bytes of an instruction is remembered. Whatever changes on that way, they must be
 * those that were executed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/svm_vm.h"

#define LEVELS 4
#define FLAGS  0x67ull
/* CPUID, and with a prefix: other code at the same address. */
#define HERE  "\x0f\xa2"
#define THERE "\x66\x0f\xa2"
#define OTHER 0x24000ull /* the page of the second one */

static struct svm_vcpu *svm;

static int skip_at(u64 rip, u32 code)
{
	const struct vm_exit exit = {.kind = EXIT_CPUID, .code = code};

	svm->vcpu.rip = rip;
	svm->vcpu.pending.type = EVENT_NONE;
	return svm_skip(&svm->vcpu, &exit);
}

/* How long CPUID at @rip is found to be; 0: that cannot be told. */
static u64 length(u64 rip)
{
	return skip_at(rip, SVM_EXIT_CPUID) ? 0 : svm->vcpu.rip - rip;
}

static void put(u64 gpa, const char *code)
{
	memset(sv_va(gpa), 0, 16);
	memcpy(sv_va(gpa), code, strlen(code));
}

static void start(bool l2, u64 np)
{
	u64 base = l2 && np ? SV_L2_BASE : 0;

	sv_make(0);
	svm = sv.vcpus[0];
	put(base + SV_L1_CODE, HERE);
	put(base + OTHER, THERE);
	if (!l2)
		return;
	sv_vmcb12(0)->control.nested_ctl = np;
	svm->vcpu.rip = SV_L1_CODE + 0x100;
	svm->vcpu.gpr[RAX] = SV_VMCB(0);
	sv_virt_insn(svm, SVM_EXIT_VMRUN);
	assert_true(svm->vcpu.guest_mode);
}

static void finish(void)
{
	assert_false(sv.vm.ended);
	assert_int_equal(sv_end(), 0);
}

/* A word that leads one way or another. */
struct lever {
	u64 *word, here, there;
};

static void check_lever(const struct lever *l, const char *what, int n)
{
	for (int again = 0; again < 2; again++) {
		*l->word = l->there;
		if (length(SV_L1_CODE) != 3 || length(SV_L1_CODE) != 3)
			fail_msg("%s %d is not looked at", what, n);
		*l->word = l->here;
		if (length(SV_L1_CODE) != 2 || length(SV_L1_CODE) != 2)
			fail_msg("%s %d has an effect that lasts", what, n);
	}
}

/*
 * The entries on the way from @root to @addr, each with a value that leads to page @other by a way
 * that has no table in common with the first: levers[1] to [4], and in [5] the two roots.
 */
static void make_levers(u64 base, u64 root, u64 addr, u64 other, struct lever levers[LEVELS + 2])
{
	u64 copy = other;

	for (int level = 1; level <= LEVELS; level++) {
		u64 *entry = sv_map(base, root, addr, 0, level > 1 ? level : 2);
		u64 *table;

		if (level == 1) /* do not change it */
			entry = (u64 *)sv_va(base + (*entry & GENMASK(39, 12))) +
				addr / PAGE_SIZE % 512;
		levers[level] = (struct lever){entry, *entry, copy | FLAGS};
		table = (u64 *)ALIGN_DOWN((u64)entry, PAGE_SIZE);
		copy = sv_copy_table(base, (u64)table - (u64)sv_va(base));
		((u64 *)sv_va(base + copy))[entry - table] = levers[level].there;
	}
	levers[LEVELS + 1] = (struct lever){.here = root, .there = copy};
}

/* The tables of the level that runs, at @root in its own memory, and CR3. */
static void check_own_tables(u64 base, struct lever levers[LEVELS + 2])
{
	make_levers(base, SV_L1_ROOT, SV_L1_CODE, OTHER, levers);
	levers[LEVELS + 1].word = &svm->vmcb->save.cr3;
	assert_int_equal(length(SV_L1_CODE), 2);
	for (int i = 1; i <= LEVELS + 1; i++)
		check_lever(&levers[i], "the entry of level", i);
}

static void test_l1(void **state)
{
	struct lever levers[LEVELS + 2];

	(void)state;
	start(false, 0);
	check_own_tables(0, levers);
	finish();
}

static void test_l2_not_nested(void **state)
{
	struct lever levers[LEVELS + 2];

	(void)state;
	start(true, 0);
	check_own_tables(0, levers);
	finish();
}

/* Each of L2's tables, and the page itself, lies where L1's nested tables say. */
static void test_l2(void **state)
{
	struct lever levers[LEVELS + 2], nested[LEVELS + 2];
	u64 page, other;

	(void)state;
	start(true, SVM_NP_ENABLE);
	check_own_tables(SV_L2_BASE, levers);
	for (int level = 0; level <= LEVELS; level++) {
		page = levers[level + 1].here & GENMASK(39, 12);
		other = levers[level + 1].there & GENMASK(39, 12);
		make_levers(0, SV_NP_ROOT, page, SV_L2_BASE + other, nested);
		for (int i = 1; i <= LEVELS; i++)
			check_lever(&nested[i], "a nested entry of level", i);
	}
	finish();
}

/* Other nested tables at the next VMRUN. */
static void test_l2_ncr3(void **state)
{
	struct lever nested[LEVELS + 2];

	(void)state;
	start(true, SVM_NP_ENABLE);
	assert_int_equal(length(SV_L1_CODE), 2);
	make_levers(0, SV_NP_ROOT, SV_L1_CODE, SV_L2_BASE + OTHER, nested);
	for (int i = 0; i < 4; i++) {
		svm_nested_exit(svm, SVM_EXIT_VMMCALL, 0, 0);
		sv_vmcb12(0)->control.ncr3 = i & 1 ? nested[5].here : nested[5].there;
		svm->vcpu.rip = SV_L1_CODE + 0x100;
		sv_virt_insn(svm, SVM_EXIT_VMRUN);
		assert_int_equal(length(SV_L1_CODE), i & 1 ? 2 : 3);
	}
	finish();
}

/* Without them L2's addresses are L1's, where other code is. */
static void test_l2_nested_or_not(void **state)
{
	(void)state;
	start(true, SVM_NP_ENABLE);
	put(SV_L1_CODE, THERE);
	assert_int_equal(length(SV_L1_CODE), 2);
	for (int i = 0; i < 4; i++) {
		svm_nested_exit(svm, SVM_EXIT_VMMCALL, 0, 0);
		sv_vmcb12(0)->control.nested_ctl ^= SVM_NP_ENABLE;
		svm->vcpu.rip = SV_L1_CODE + 0x100;
		sv_virt_insn(svm, SVM_EXIT_VMRUN);
		assert_int_equal(length(SV_L1_CODE), i & 1 ? 2 : 3);
		assert_int_equal(length(SV_L1_CODE), i & 1 ? 2 : 3);
	}
	finish();
}

/* The same tables with a level more: those of the first level are then of the second. */
static void test_levels(void **state)
{
	u64 *pages;

	(void)state;
	start(false, 0);
	pages = sv_va(0);
	pages[SV_L1_CODE / PAGE_SIZE] = OTHER | FLAGS;
	assert_int_equal(length(SV_L1_CODE), 2);
	svm->vmcb->save.cr4 |= CR4_LA57;
	assert_int_equal(length(SV_L1_CODE), 3);
	assert_int_equal(length(SV_L1_CODE), 3);
	svm->vmcb->save.cr4 &= ~CR4_LA57;
	assert_int_equal(length(SV_L1_CODE), 2);
	/* Not even long mode: PDPTEs have no W. */
	svm->vmcb->save.efer &= ~(EFER_LME | EFER_LMA);
	assert_int_equal(length(SV_L1_CODE), 0);
	assert_int_equal(svm->vcpu.pending.vector, EXC_PF);
	finish();
}

/* L1 and L2 have the same address for different code. */
static void test_l1_and_l2(void **state)
{
	(void)state;
	start(true, SVM_NP_ENABLE);
	put(SV_L1_CODE, THERE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(length(SV_L1_CODE), 2);
		svm_nested_exit(svm, SVM_EXIT_VMMCALL, 0, 0);
		assert_int_equal(length(SV_L1_CODE), 3);
		svm->vcpu.rip = SV_L1_CODE + 0x100;
		svm->vcpu.gpr[RAX] = SV_VMCB(0);
		sv_virt_insn(svm, SVM_EXIT_VMRUN);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_l1),
		cmocka_unit_test(test_l2_not_nested),
		cmocka_unit_test(test_l2),
		cmocka_unit_test(test_l2_ncr3),
		cmocka_unit_test(test_l2_nested_or_not),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_l1_and_l2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
