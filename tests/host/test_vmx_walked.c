// SPDX-License-Identifier: MIT
/* objects: vmx/insn.o vmx/fields.o mmu/pt_format.o tests/host/fake_vmx.o */
/* A walk for an operand is made again when anything that it depends on has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "mmu/pt_walk.h"
#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

#define LINEAR 0x7f8040201234ull /* indexes 255, 1, 1, 1 */
#define PAGE   0x5000

struct vmx_host vmx_host;
static struct vm vm;
static struct vmx_vcpu vmx;
static u64 memory[5][PAGE_SIZE / 8]; /* a table for each level; 0 is not used */
static bool no_memory;
static int leaf;
static u32 walks, cpl;

void vmx_vmcs_use(const struct vmx_vcpu *v)
{
	(void)v;
}

u32 vmx_cpl(void)
{
	return cpl;
}

bool vmx_code_is_64bit(void)
{
	return true;
}

void vmx_set_cr2(struct vmx_vcpu *v, u64 cr2)
{
	(void)v, (void)cr2;
}

void vmx_queue_exception(struct vmx_vcpu *v, u8 vector, bool has_error, u32 error)
{
	(void)has_error, (void)error;
	v->vcpu.pending.vector = vector;
}

const void *guest_page_read(struct mmu *mmu, gfn_t gfn)
{
	(void)mmu;
	return no_memory && gfn.v == 2 ? NULL : memory[gfn.v];
}

static u64 *entry_of(int level)
{
	return &memory[level][LINEAR >> (PAGE_SHIFT + 9 * (level - 1)) & 511];
}

/* The table of a level is in the page of that number. */
int vmx_translate(struct vmx_vcpu *v, u64 linear, u32 access, struct pt_walk *w)
{
	(void)v, (void)access;
	walks++;
	*w = (struct pt_walk){.level = leaf, .gpa.v = PAGE | linear % PAGE_SIZE};
	for (int level = 4; level >= leaf; level--) {
		w->table[level].v = (u64)level * PAGE_SIZE;
		w->entry[level] = *entry_of(level);
	}
	return *entry_of(leaf) ? 0 : -EFAULT;
}

static void setup(void)
{
	fake_vmx_init();
	memset(&vmx, 0, sizeof(vmx));
	vmx.vcpu.vm = &vm;
	vmx.vmcs = &vmx.vmcs01;
	*fake_field(VMCS_guest_cr0) = CR0_PG | CR0_PE;
	*fake_field(VMCS_guest_cr3) = 4 * PAGE_SIZE;
	*fake_field(VMCS_guest_cr4) = CR4_PAE;
	*fake_field(VMCS_guest_efer) = EFER_LMA | EFER_LME;
	leaf = 1;
	cpl = 0;
	no_memory = false;
	for (int level = 1; level <= 4; level++)
		*entry_of(level) = (u64)level << 20 | 0x63;
}

/* True: a walk was made for it. */
static bool walked(u64 linear, bool write)
{
	u32 before = walks;
	gpa_t gpa;

	assert_int_equal(vmx_linear_to_gpa(&vmx.vcpu, linear, write, &gpa), 0);
	assert_int_equal(gpa.v, PAGE | linear % PAGE_SIZE);
	return walks != before;
}

static void remembered(void)
{
	walked(LINEAR, false);
	assert_false(walked(LINEAR, false));
	assert_false(walked(LINEAR + 1, false));
}

static void test_entries(void **state)
{
	(void)state;
	for (leaf = 1; leaf <= 3; leaf++) {
		int size = leaf;

		setup();
		leaf = size;
		remembered();
		for (int level = 4; level >= leaf; level--) {
			*entry_of(level) ^= BIT(5); /* A, say */
			assert_true(walked(LINEAR, false));
			assert_false(walked(LINEAR, false));
		}
	}
	setup();
	remembered();
	*entry_of(1) = 0;
	assert_int_equal(vmx_linear_to_gpa(&vmx.vcpu, LINEAR, false, &(gpa_t){0}), -EFAULT);
	assert_int_equal(vmx.vcpu.pending.vector, EXC_PF);
}

static void test_key(void **state)
{
	static const enum vmcs_field fields[] = {VMCS_guest_cr0, VMCS_guest_cr3, VMCS_guest_cr4,
						 VMCS_guest_efer};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		setup();
		remembered();
		*fake_field(fields[i]) ^= BIT(16); /* in EFER or CR3, too, it is another one */
		assert_true(walked(LINEAR, false));
		assert_false(walked(LINEAR, false));
	}
	setup();
	remembered();
	assert_true(walked(LINEAR, true));
	remembered();
	cpl = 3;
	assert_true(walked(LINEAR, false));
	cpl = 0;
	remembered();
	assert_true(walked(LINEAR + VMX_WALKS * PAGE_SIZE, false));
}

static void test_not_kept(void **state)
{
	(void)state;
	setup();
	no_memory = true; /* a table is nowhere */
	walked(LINEAR, false);
	assert_true(walked(LINEAR, false));
	setup();
	*fake_field(VMCS_guest_efer) = 0;
	walked(LINEAR, false);
	assert_true(walked(LINEAR, false));
	setup();
	*fake_field(VMCS_guest_cr4) |= CR4_LA57;
	walked(LINEAR, false);
	assert_true(walked(LINEAR, false));
	setup();
	remembered();
	vmx.vmcs = NULL; /* L2's */
	assert_true(walked(LINEAR, false));
	vmx.vmcs = &vmx.vmcs01;
	assert_false(walked(LINEAR, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
