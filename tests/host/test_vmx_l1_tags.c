// SPDX-License-Identifier: MIT
// objects: vmx/vpid.o vmx/l1_tags.o vmx/fields.o mmu/flush.o tests/host/no_pages.o lib/lock.o
// objects: tests/host/fake_vmx.o
/*
 * No entry into L2 with translations that L1 or L0 has made stale, and none of the flushes that
 * nobody asked for: TLBs of two CPUs that keep everything under VPID and EPT pointer until they are
 * told to flush, for two vCPUs whose L1 runs its L2s under some VPIDs and EPT pointers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

#define CPUS	2
#define VCPUS	2
#define VPIDS	4  /* of L1's; the first: none */
#define EPTPS	20 /* of L1's: more than there are tags */
#define NUMBERS 60
#define ROOTS	30 /* pages that serve as shadow roots; one more is that of L1's own tables */
#define NO_ROOT ROOTS

struct vmx_host vmx_host;
struct vmx_cpu vmx_cpus[MAX_CPUS];

void assert_failed(const char *expr, const char *file, int line)
{
	fail_msg("%s:%d: %s", file, line, expr);
	abort();
}

void lock_relax(void)
{
}

/* --- what a TLB may hold, SDM 3C 28.3.1 ------------------------------------------------------ */

struct cached {
	bool any;
	u64 gen; /* of the nested tree */
	/* Whose it is, and of which time between two flushes of L1's. */
	u32 vcpu, vpid, eptp;
	u64 epoch;
};

static struct cached tlb[CPUS][NUMBERS][ROOTS + 1]; /* combined mappings */
static struct cached physical[CPUS][ROOTS + 1];	    /* guest-physical ones */
static struct vm *vm;
static struct vmx_vcpu *vcpus[VCPUS];
static u64 epoch[VCPUS][VPIDS]; /* raised when L1 flushes what is linear under this VPID */
static u32 root_of[EPTPS];	/* the shadow root of an EPT pointer of L1's */
static bool root_used[ROOTS];	/* since it was last free */
static u32 cpu_now;
static u64 invepts, invvpids;

/* The last one shares a tag's place with the second. */
static const u16 vpids[VPIDS] = {0, 1, 2, 1 + VMX_L1_TAGS};

static u64 hw_eptp(u32 root)
{
	return (u64)(root + 1) * PAGE_SIZE | 0x5e;
}

static void invept(u64 type, u64 eptp)
{
	assert_int_equal(type, VMX_INVEPT_SINGLE);
	invepts++;
	for (u32 n = 0; n < NUMBERS; n++)
		tlb[cpu_now][n][eptp / PAGE_SIZE - 1].any = false;
	physical[cpu_now][eptp / PAGE_SIZE - 1].any = false;
}

static void invvpid(u64 type, u64 vpid)
{
	invvpids++;
	if (type == VMX_INVVPID_ALL)
		memset(tlb[cpu_now], 0, sizeof(tlb[cpu_now]));
	else
		memset(tlb[cpu_now][vpid], 0, sizeof(tlb[cpu_now][vpid]));
}

static u32 below(u32 n)
{
	return (u32)rand() % n;
}

static void flush_nested(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	rwlock_write_lock(&vm->mmu.lock);
	flush_owe(&b, BIT(MMU_TREE_NESTED));
	flush_pay(&vm->mmu, &b);
	rwlock_write_unlock(&vm->mmu.lock);
}

/* Roots that are nobody's are freed, which flushes. */
static void free_roots(void)
{
	memset(root_used, 0, sizeof(root_used));
	for (u32 i = 0; i < EPTPS; i++)
		if (root_of[i] != NO_ROOT)
			root_used[root_of[i]] = true;
	flush_nested();
}

/* The next entry with these tables finds another root, with no flush in between. */
static void leave_root(u32 eptp)
{
	root_of[eptp] = NO_ROOT;
}

static void find_root(u32 eptp)
{
	u32 root = below(ROOTS), tries;

	for (tries = 0; root_used[root]; tries++) {
		root = (root + 1) % ROOTS;
		if (tries == ROOTS) {
			leave_root(below(EPTPS));
			free_roots();
			tries = 0;
		}
	}
	root_used[root] = true;
	root_of[eptp] = root;
}

/* The processor runs it, and caches all that it may. */
static void run(u32 vcpu, u32 cpu, u32 root, struct cached now)
{
	struct vmx_vcpu *vmx = vcpus[vcpu];
	struct cached *t, *p;

	cpu_now = cpu;
	vmx_vmptrld((hpa_t){(vcpu + 1) * PAGE_SIZE});
	vmx_vpid_enter(vmx, &vmx_cpus[cpu]);
	t = &tlb[cpu][vmx->vpid->number][root];
	p = &physical[cpu][root];
	now.any = true;
	/* L1's own tables are another tree. */
	now.gen = root == ROOTS ? 0 : vm->mmu.flush_gen[MMU_TREE_NESTED];
	if (p->any)
		assert_int_equal(p->gen, now.gen);
	if (t->any)
		assert_memory_equal(t, &now, sizeof(now));
	*p = *t = now;
}

/* L1's own turn: nothing of it is linear under a VPID but 0. */
static void run_l1(u32 vcpu, u32 cpu)
{
	const struct cached now = {.vcpu = vcpu, .vpid = 0, .eptp = EPTPS, .epoch = epoch[vcpu][0]};

	run(vcpu, cpu, ROOTS, now);
}

/* @vpid: which of vpids[]. */
static void run_l2(u32 vcpu, u32 cpu, u16 vpid, u32 eptp)
{
	struct vmx_vcpu *vmx = vcpus[vcpu];
	u64 pointer = (u64)(eptp + 1) * PAGE_SIZE | 0x1e;
	struct cached now = {.vcpu = vcpu, .vpid = vpid, .eptp = eptp};

	if (root_of[eptp] == NO_ROOT)
		find_root(eptp);
	vmx_l1_tag_enter(vmx, vmx_l1_tag_get(vmx, vpids[vpid], pointer), hw_eptp(root_of[eptp]));
	if (!vpid)
		epoch[vcpu][0]++; /* 28.3.3.1 */
	now.epoch = epoch[vcpu][vpid];
	for (u32 i = 0; i < 2; i++)
		run(vcpu, cpu, root_of[eptp], now);
	vmx_l1_tag_exit(vmx);
	if (!vpid)
		epoch[vcpu][0]++;
}

static void invvpid_of_l1(u32 vcpu, bool all, u16 vpid)
{
	for (u16 i = 1; i < VPIDS; i++)
		if (all || i == vpid)
			epoch[vcpu][i]++;
	vmx_l1_tags_invvpid(vcpus[vcpu], all, vpids[vpid]);
}

static void setup(void)
{
	fake_vmx_init();
	fake_invept = invept;
	fake_invvpid = invvpid;
	vmx_host.vpids = NUMBERS;
	memset(tlb, 0, sizeof(tlb));
	memset(physical, 0, sizeof(physical));
	memset(root_used, 0, sizeof(root_used));
	for (u32 i = 0; i < EPTPS; i++)
		leave_root(i);
	for (u32 i = 0; i < CPUS; i++)
		vmx_cpus[i] = (struct vmx_cpu){.vpid_generation = 1, .vpid_next = NUMBERS};
	vm = calloc(1, sizeof(*vm));
	for (u32 i = 0; i < VCPUS; i++) {
		vcpus[i] = calloc(1, sizeof(*vcpus[i]));
		vcpus[i]->vcpu.vm = vm;
		vcpus[i]->vmcs = &vcpus[i]->vmcs01;
		vcpus[i]->vpid = &vcpus[i]->vpid01;
		vcpus[i]->vpid01.tag = (struct tlb_tag){.kind = TAG_TDP, .must_flush = true};
		vcpus[i]->vpid01.eptp = hw_eptp(ROOTS);
	}
}

static void teardown(void)
{
	for (u32 i = 0; i < VCPUS; i++)
		free(vcpus[i]);
	free(vm);
	fake_invept = NULL;
	fake_invvpid = NULL;
}

static void operation(void)
{
	u32 vcpu = below(VCPUS), cpu = below(CPUS);

	switch (below(16)) {
	case 0:
		invvpid_of_l1(vcpu, !below(4), (u16)(1 + below(VPIDS - 1)));
		break;
	case 1:
		flush_nested();
		break;
	case 2:
		leave_root(below(EPTPS));
		if (!below(4))
			free_roots();
		break;
	case 3:
	case 4:
		run_l1(vcpu, cpu);
		break;
	default:
		run_l2(vcpu, cpu, (u16)below(VPIDS), below(below(2) ? 3 : EPTPS));
	}
}

static void test_random(void **state)
{
	(void)state;
	setup();
	srand(1);
	for (int i = 0; i < 40000; i++)
		operation();
	assert_true(invepts && invvpids);
	teardown();
}

static u64 flushes(void)
{
	return invepts + invvpids;
}

static void test_only_what_l1_asks_for(void **state)
{
	u64 before;

	(void)state;
	setup();
	for (u16 vpid = 1; vpid < 3; vpid++)
		run_l2(0, 0, vpid, 0);
	run_l1(0, 0);
	before = flushes();
	for (u32 i = 0; i < 10; i++) {
		run_l2(0, 0, 1, 0);
		run_l1(0, 0);
		run_l2(0, 0, 2, 0);
	}
	assert_int_equal(flushes(), before);
	/* INVEPT says that the shadow is to be looked at; what differs there is what flushes. */
	vmx_l1_tags_invept(vcpus[0], true, 0);
	run_l2(0, 0, 1, 0);
	assert_int_equal(flushes(), before);
	invvpid_of_l1(0, false, 2);
	run_l2(0, 0, 1, 0);
	run_l1(0, 0);
	assert_int_equal(flushes(), before);
	run_l2(0, 0, 2, 0);
	assert_int_equal(flushes(), before + 1);
	/* Without a VPID each transition does, L1's as well. */
	run_l2(0, 0, 0, 1);
	before = flushes();
	run_l2(0, 0, 0, 1);
	assert_int_equal(flushes(), before + 1);
	run_l1(0, 0);
	assert_int_equal(flushes(), before + 2);
	run_l1(0, 0);
	assert_int_equal(flushes(), before + 2);
	teardown();
}

/* A tag that is new, or was another pair's, has seen nothing. */
static void test_new_tags(void **state)
{
	struct vmx_l1_tag *t;

	(void)state;
	setup();
	t = vmx_l1_tag_get(vcpus[0], 1, 0x1e);
	assert_false(t->synced);
	t->synced = true;
	assert_true(vmx_l1_tag_get(vcpus[0], 1, 0x1e)->synced);
	assert_false(vmx_l1_tag_get(vcpus[0], 1, 0x5e)->synced);
	assert_false(vmx_l1_tag_get(vcpus[0], 1, 0x1e)->synced);
	vmx_l1_tag_get(vcpus[0], 1, 0x1e)->synced = true;
	assert_false(vmx_l1_tag_get(vcpus[0], 1, VMX_L1_TAGS * PAGE_SIZE | 0x1e)->synced);
	assert_false(vmx_l1_tag_get(vcpus[0], 1, 0x1e)->synced);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_only_what_l1_asks_for),
		cmocka_unit_test(test_new_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
