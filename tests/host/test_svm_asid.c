// SPDX-License-Identifier: MIT
/* objects: svm/asid.o mmu/flush.o tests/host/no_pages.o lib/lock.o */
/*
 * No entry into a guest under an ASID with stale translations: neither emulator can show that, so
 * here are TLBs that keep everything under its number until they are told to flush, on two CPUs,
 * for two vCPUs with their L1's ASIDs, under random operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/asid.h"

#define CPUS	2
#define VCPUS	2
#define NUMBERS 8
#define L1_NR	24 /* more than L0 keeps apart */

struct svm_host svm_host;
struct svm_cpu svm_cpus[MAX_CPUS];

void assert_failed(const char *expr, const char *file, int line)
{
	fail_msg("%s:%d: %s", file, line, expr);
	abort();
}

void lock_relax(void)
{
}

/* Whose translations a TLB may hold under a number, and from when. */
struct cached {
	bool any;
	u32 vcpu, l1_asid; /* 0: L1's own */
	bool nested;
	u64 gen[MMU_TREE_NR];
	u64 epoch;
};

static struct cached tlb[CPUS][NUMBERS];
static struct vm *vm;
static struct svm_vcpu *vcpus[VCPUS];
/* Raised when L1 asks for the flush of one of its ASIDs; 0: L1's own. */
static u64 epoch[VCPUS][L1_NR + 1];
static u64 flushes;

static void apply_tlb_control(u32 cpu, const struct vmcb_control *c)
{
	flushes += c->tlb_control != TLB_CONTROL_NONE;
	if (c->tlb_control == TLB_CONTROL_FLUSH_ALL)
		memset(tlb[cpu], 0, sizeof(tlb[cpu]));
	else if (c->tlb_control == TLB_CONTROL_FLUSH_ASID)
		tlb[cpu][c->asid].any = false;
	else
		assert_int_equal(c->tlb_control, TLB_CONTROL_NONE);
	if (!(svm_host.features & SVM_FEATURE_FLUSH_ASID))
		assert_int_not_equal(c->tlb_control, TLB_CONTROL_FLUSH_ASID);
}

/* @refused: the processor does not carry out VMRUN, nor the flush that came with it. */
static void enter_or_not(u32 vcpu, u32 cpu, u32 l1_asid, bool nested, bool refused)
{
	struct svm_vcpu *svm = vcpus[vcpu];
	struct vmcb_control *c = &svm->vmcb->control;
	struct cached *t;

	svm->asid = &svm->asid01;
	if (l1_asid) {
		struct svm_l1_asid *a = svm_l1_asid_get(svm, l1_asid);

		/* As svm_nested_load_root() does it. */
		if (a->np != nested)
			a->asid.tag.must_flush = true;
		a->np = nested;
		a->asid.tag.kind = nested ? TAG_NESTED : TAG_TDP;
		svm->asid = &a->asid;
	}
	c->tlb_control = 0xff;
	svm_asid_enter(svm, &svm_cpus[cpu]);
	assert_in_range(c->asid, 1, svm_host.asids - 1);
	if (refused) {
		svm_asid_refused(&svm_cpus[cpu]);
		return;
	}
	apply_tlb_control(cpu, c);
	t = &tlb[cpu][c->asid];
	if (t->any) {
		assert_int_equal(t->vcpu, vcpu);
		assert_int_equal(t->l1_asid, l1_asid);
		assert_int_equal(t->nested, nested);
		assert_int_equal(t->epoch, epoch[vcpu][l1_asid]);
		assert_int_equal(t->gen[MMU_TREE_TDP], vm->mmu.flush_gen[MMU_TREE_TDP]);
		if (nested)
			assert_int_equal(t->gen[MMU_TREE_NESTED],
					 vm->mmu.flush_gen[MMU_TREE_NESTED]);
	}
	*t = (struct cached){.any = true,
			     .vcpu = vcpu,
			     .l1_asid = l1_asid,
			     .nested = nested,
			     .epoch = epoch[vcpu][l1_asid]};
	memcpy(t->gen, vm->mmu.flush_gen, sizeof(t->gen));
}

static void enter(u32 vcpu, u32 cpu, u32 l1_asid, bool nested)
{
	enter_or_not(vcpu, cpu, l1_asid, nested, false);
}

static u32 below(u32 n)
{
	return (u32)rand() % n;
}

static void operation(void)
{
	u32 vcpu = below(VCPUS), number = 1 + below(L1_NR);
	struct flush_batch b = FLUSH_BATCH_INIT;

	switch (below(16)) {
	case 0:
		svm_l1_asid_flush(vcpus[vcpu], number);
		epoch[vcpu][number]++;
		break;
	case 1:
		if (below(4))
			break;
		svm_l1_asid_flush_all(vcpus[vcpu]);
		for (u32 i = 0; i <= L1_NR; i++)
			epoch[vcpu][i]++;
		break;
	case 2:
	case 3:
		flush_owe(&b, BIT(below(MMU_TREE_NR)));
		rwlock_write_lock(&vm->mmu.lock);
		flush_pay(&vm->mmu, &b);
		rwlock_write_unlock(&vm->mmu.lock);
		break;
	case 4 ... 8:
		enter(vcpu, below(CPUS), 0, false);
		break;
	default:
		enter_or_not(vcpu, below(CPUS), number, below(8), !below(16));
	}
}

static void setup(u32 numbers, u32 features)
{
	memset(tlb, 0, sizeof(tlb));
	memset(epoch, 0, sizeof(epoch));
	memset(svm_cpus, 0, sizeof(svm_cpus));
	svm_host.asids = numbers;
	svm_host.features = features;
	for (int i = 0; i < CPUS; i++) {
		svm_cpus[i].asid_generation = 1;
		svm_cpus[i].asid_next = 1;
	}
	vm = calloc(1, sizeof(*vm));
	for (int i = 0; i < VCPUS; i++) {
		vcpus[i] = calloc(1, sizeof(*vcpus[i]));
		vcpus[i]->vcpu.vm = vm;
		vcpus[i]->vmcb = aligned_alloc(4096, 4096);
		vcpus[i]->asid01.tag.kind = TAG_TDP;
	}
}

static void teardown(void)
{
	for (int i = 0; i < VCPUS; i++) {
		free(vcpus[i]->vmcb);
		free(vcpus[i]);
	}
	free(vm);
}

static void test_nothing_stale(void **state)
{
	(void)state;
	srand(9);
	for (u32 numbers = 2; numbers <= NUMBERS; numbers++) {
		for (int by_asid = 0; by_asid < 2; by_asid++) {
			setup(numbers, by_asid ? SVM_FEATURE_FLUSH_ASID : 0);
			for (int i = 0; i < 20000; i++)
				operation();
			teardown();
		}
	}
}

/* And nothing is flushed that need not be. */
static void test_no_flush_without_need(void **state)
{
	(void)state;
	setup(NUMBERS, SVM_FEATURE_FLUSH_ASID);
	enter(0, 0, 0, false);
	enter(0, 0, 3, true);
	flushes = 0;
	for (int i = 0; i < 10; i++) {
		enter(0, 0, 0, false);
		enter(0, 0, 3, true);
	}
	assert_int_equal(flushes, 0);
	/* The nested tree's flush is none of L1's own. */
	vm->mmu.flush_gen[MMU_TREE_NESTED]++;
	enter(0, 0, 0, false);
	assert_int_equal(flushes, 0);
	enter(0, 0, 3, true);
	assert_int_equal(flushes, 1);
	svm_l1_asid_flush(vcpus[0], 4);
	enter(0, 0, 3, true);
	assert_int_equal(flushes, 1);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_stale),
		cmocka_unit_test(test_no_flush_without_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
