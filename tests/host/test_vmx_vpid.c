// SPDX-License-Identifier: MIT
/* objects: vmx/vpid.o vmx/fields.o mmu/flush.o tests/host/no_pages.o lib/lock.o
 * tests/host/fake_vmx.o */
/*
 * No entry into a guest with stale translations: no emulator can show that, so here are TLBs that
 * keep everything under its VPID and EPT pointer until they are told to flush, on two CPUs, for the
 * vCPUs of two VMs, under random operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

#define CPUS	2
#define VMS	2
#define VCPUS	4 /* two for each VM */
#define NUMBERS 6
#define ROOTS	3 /* pages that serve as a VM's root, one after the other */

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

/* --- what a TLB may hold under a VPID and an EPT pointer, SDM 3C 28.3.1 ----------------------- */

struct cached {
	bool any;
	u32 vcpu, vm_life; /* whose, and of which VM on that root */
	u64 gen, epoch;
};

static struct cached tlb[CPUS][NUMBERS][ROOTS]; /* combined mappings */
static struct cached physical[CPUS][ROOTS];	/* guest-physical ones: no VPID */
static struct vm *vms[VMS];
static struct vmx_vcpu *vcpus[VCPUS];
static u32 root_of[VMS], life[VMS];
static u64 epoch[VCPUS]; /* raised when the guest's own tables are changed behind its back */
static u32 cpu_now;
static u64 invepts, invvpids, invvpid_alls;

static u64 eptp_of(u32 root)
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
	if (type == VMX_INVVPID_ALL) {
		invvpid_alls++;
		memset(tlb[cpu_now], 0, sizeof(tlb[cpu_now]));
		return;
	}
	assert_int_equal(type, VMX_INVVPID_SINGLE);
	assert_in_range(vpid, 1, NUMBERS - 1);
	invvpids++;
	memset(tlb[cpu_now][vpid], 0, sizeof(tlb[cpu_now][vpid]));
}

static struct mmu *mmu_of(u32 vcpu)
{
	return &vms[vcpu % VMS]->mmu;
}

static void enter(u32 vcpu, u32 cpu)
{
	struct vmx_vcpu *vmx = vcpus[vcpu];
	struct cached *t, *p;
	u64 vpid;

	cpu_now = cpu;
	vmx_vmptrld((hpa_t){(vcpu + 1) * PAGE_SIZE});
	vmx_vpid_enter(vmx, &vmx_cpus[cpu]);
	vpid = vmx->vpid->number;
	assert_in_range(vpid, 1, NUMBERS - 1);
	assert_int_equal(*fake_field(VMCS_vpid), vpid);
	t = &tlb[cpu][vpid][root_of[vcpu % VMS]];
	if (t->any) {
		assert_int_equal(t->vcpu, vcpu);
		assert_int_equal(t->vm_life, life[vcpu % VMS]);
		assert_int_equal(t->gen, mmu_of(vcpu)->flush_gen[MMU_TREE_TDP]);
		assert_int_equal(t->epoch, epoch[vcpu]);
	}
	p = &physical[cpu][root_of[vcpu % VMS]];
	if (p->any) {
		assert_int_equal(p->vm_life, life[vcpu % VMS]);
		assert_int_equal(p->gen, mmu_of(vcpu)->flush_gen[MMU_TREE_TDP]);
	}
	*p = *t = (struct cached){true, vcpu, life[vcpu % VMS],
				  mmu_of(vcpu)->flush_gen[MMU_TREE_TDP], epoch[vcpu]};
}

static u32 below(u32 n)
{
	return (u32)rand() % n;
}

static void flush(u32 vm)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct mmu *mmu = &vms[vm]->mmu;

	rwlock_write_lock(&mmu->lock);
	flush_owe(&b, BIT(MMU_TREE_TDP));
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
}

static void vcpu_make(u32 vcpu)
{
	struct vmx_vcpu *vmx = vcpus[vcpu];

	memset(vmx, 0, sizeof(*vmx));
	vmx->vcpu.vm = vms[vcpu % VMS];
	vmx->vmcs = &vmx->vmcs01;
	vmx->vpid = &vmx->vpid01;
	vmx->vpid01.eptp = eptp_of(root_of[vcpu % VMS]);
	vmx->vpid01.tag = (struct tlb_tag){.kind = TAG_TDP, .must_flush = true};
}

/* The VM ends; another one may get its root's page. */
static void vm_make(u32 vm, u32 root)
{
	memset(&vms[vm]->mmu, 0, sizeof(vms[vm]->mmu));
	root_of[vm] = root;
	life[vm]++;
	for (u32 i = vm; i < VCPUS; i += VMS)
		vcpu_make(i);
}

static void setup(void)
{
	fake_vmx_init();
	fake_invept = invept;
	fake_invvpid = invvpid;
	vmx_host.vpids = NUMBERS;
	memset(tlb, 0, sizeof(tlb));
	memset(physical, 0, sizeof(physical));
	memset(vmx_cpus, 0, sizeof(vmx_cpus));
	for (u32 i = 0; i < CPUS; i++)
		vmx_cpus[i] = (struct vmx_cpu){.vpid_generation = 1, .vpid_next = NUMBERS};
	for (u32 i = 0; i < VMS; i++)
		vms[i] = calloc(1, sizeof(*vms[i]));
	for (u32 i = 0; i < VCPUS; i++)
		vcpus[i] = calloc(1, sizeof(*vcpus[i]));
	for (u32 i = 0; i < VMS; i++)
		vm_make(i, i);
}

static void teardown(void)
{
	for (u32 i = 0; i < VMS; i++)
		free(vms[i]);
	for (u32 i = 0; i < VCPUS; i++)
		free(vcpus[i]);
	fake_invept = NULL;
	fake_invvpid = NULL;
}

static u32 free_root(void)
{
	for (u32 r = 0;; r++)
		if (r != root_of[0] && r != root_of[1])
			return r;
}

static void operation(void)
{
	u32 vcpu = below(VCPUS);

	switch (below(16)) {
	case 0:
		flush(below(VMS));
		break;
	case 1:
		epoch[vcpu]++;
		vcpus[vcpu]->vpid->linear_stale = true;
		break;
	case 2:
		if (!below(8))
			vm_make(below(VMS), free_root());
		break;
	default:
		enter(vcpu, below(CPUS));
	}
}

static void test_random(void **state)
{
	(void)state;
	setup();
	srand(1);
	for (int i = 0; i < 40000; i++)
		operation();
	assert_true(invepts && invvpids && invvpid_alls);
	teardown();
}

/* What costs nothing on entry costs nothing. */
static void test_no_needless_flush(void **state)
{
	u64 before;

	(void)state;
	setup();
	enter(0, 0);
	enter(1, 0);
	before = invepts + invvpids + invvpid_alls;
	for (int i = 0; i < 10; i++) {
		enter(0, 0);
		enter(1, 0);
	}
	flush(1);
	enter(0, 0); /* another VM's affair */
	assert_int_equal(invepts + invvpids + invvpid_alls, before);
	enter(1, 0);
	assert_int_equal(invepts + invvpids + invvpid_alls, before + 1);
	vcpus[0]->vpid->linear_stale = true;
	enter(0, 0);
	enter(0, 0);
	assert_int_equal(invepts + invvpids + invvpid_alls, before + 2);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_no_needless_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
