// SPDX-License-Identifier: MIT
// objects: svm/nested*.o svm/intr.o svm/asid.o svm/gif.o svm/skip.o svm/fetch.o svm/paging.o
// objects: svm/vmcb.o mmu/*.o lib/lock.o tests/host/env*.o tests/host/svm_vm.o
/*
 * VMRUN keeps what it found the last time. Two vCPUs do the same in step, of which one is made to
 * forget all of that before each VMRUN: whatever their L1 changes, they must come to the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/svm_vm.h"

#define STEPS 20000

enum { KEEPS, FORGETS };

static u32 below(u32 n)
{
	return (u32)rand() % n;
}

static u64 random64(void)
{
	return (u64)rand() << 42 ^ (u64)rand() << 21 ^ (u64)rand();
}

/* --- both at once --- */

/* Stores @value in vmcb12, and of its page in L1's memory nothing else. */
#define BOTH_VMCB12(field, value)                             \
	do {                                                  \
		__typeof__(sv_vmcb12(0)->field) v_ = (value); \
                                                              \
		sv_vmcb12(KEEPS)->field = v_;                 \
		sv_vmcb12(FORGETS)->field = v_;               \
	} while (0)

#define BOTH(field, value)                                   \
	do {                                                 \
		__typeof__(sv.vcpus[0]->field) v_ = (value); \
                                                             \
		sv.vcpus[KEEPS]->field = v_;                 \
		sv.vcpus[FORGETS]->field = v_;               \
	} while (0)

static void same(const void *a, const void *b, size_t size, const char *what, u64 step)
{
	for (size_t i = 0; i < size; i++)
		if (((const u8 *)a)[i] != ((const u8 *)b)[i])
			fail_msg("step %lu: %s differ at 0x%zx", step, what, i);
}

static void compare(u64 step)
{
	struct svm_vcpu *a = sv.vcpus[KEEPS], *b = sv.vcpus[FORGETS];

	assert_int_equal(a->vcpu.guest_mode, b->vcpu.guest_mode);
	same(a->vcpu.gpr + RCX, b->vcpu.gpr + RCX, sizeof(a->vcpu.gpr) - sizeof(u64), "registers",
	     step);
	if (a->vcpu.guest_mode) /* else it is the VMCB's address */
		assert_int_equal(a->vcpu.gpr[RAX], b->vcpu.gpr[RAX]);
	assert_int_equal(a->vcpu.rip, b->vcpu.rip);
	assert_int_equal(a->vcpu.rflags, b->vcpu.rflags);
	same(&a->vcpu.pending, &b->vcpu.pending, sizeof(a->vcpu.pending), "events", step);
	same(sv_vmcb12(KEEPS), sv_vmcb12(FORGETS), PAGE_SIZE, "vmcb12s", step);
	if (!a->vcpu.guest_mode)
		return;
	if (!svm_l2_is_nested(a))
		assert_int_equal(a->vmcb02->save.g_pat, a->vmcb01->save.g_pat);
	same(&a->nested.ctl, &b->nested.ctl, sizeof(a->nested.ctl), "the copies of vmcb12", step);
	same(&a->vmcb02->control, &b->vmcb02->control, sizeof(a->vmcb02->control),
	     "vmcb02s' control areas", step);
	same(&a->vmcb02->save, &b->vmcb02->save, sizeof(a->vmcb02->save),
	     "vmcb02s' state-save areas", step);
	assert_int_equal((char *)a->asid - (char *)a, (char *)b->asid - (char *)b);
	assert_ptr_equal(a->vcpu.nested.root, b->vcpu.nested.root);
	for (u32 i = 0; i < SVM_L1_ASIDS; i++) {
		const struct svm_l1_asid *x = &a->l1_asids[i], *y = &b->l1_asids[i];

		assert_int_equal(x->number, y->number);
		assert_int_equal(x->np, y->np);
		assert_int_equal(x->synced, y->synced);
		assert_int_equal(x->asid.tag.kind, y->asid.tag.kind);
		assert_int_equal(x->asid.tag.must_flush, y->asid.tag.must_flush);
	}
}

/* --- what L1 and L2 do --- */

/* A field of vmcb12, sometimes to what cannot be run. */
static void change_control(void)
{
	bool bad = !below(4);
	u32 word = below(6);

	switch (below(13)) {
	case 0 ... 2:
		BOTH_VMCB12(control.intercepts[word], (u32)random64() | 3u);
		if (!bad)
			BOTH_VMCB12(control.intercepts[4], (u32)random64() | 1u);
		break;
	case 3:
		BOTH_VMCB12(control.iopm_base, bad ? BIT(50) : random64() % BIT(30));
		break;
	case 4:
		BOTH_VMCB12(control.msrpm_base, bad ? BIT(50) : random64() % BIT(30));
		break;
	case 5:
		BOTH_VMCB12(control.tsc_offset, random64());
		break;
	case 6:
		BOTH_VMCB12(control.asid, bad ? 0 : 1 + below(40));
		break;
	case 7:
		BOTH_VMCB12(control.tlb_control, bad ? 2 : 0);
		break;
	case 8:
		BOTH_VMCB12(control.nested_ctl, below(3) ? SVM_NP_ENABLE : 0);
		break;
	case 9:
		BOTH_VMCB12(control.ncr3, bad ? BIT(41) : SV_NP_ROOT + below(2) * PAGE_SIZE);
		break;
	case 10:
		BOTH_VMCB12(control.vintr, random64());
		BOTH_VMCB12(control.int_state, random64());
		break;
	case 11:
		BOTH_VMCB12(control.event_inj, SVM_EVENT_VALID | below(32) | below(5) << 8);
		break;
	default:
		BOTH_VMCB12(control.event_inj, 0);
		BOTH_VMCB12(control.next_rip, random64());
	}
}

static void change_segment(void)
{
	const struct vmcb_seg seg = {(u16)random64(), (u16)random64(), (u32)random64(), random64()};

	switch (below(8)) {
	case 0:
		BOTH_VMCB12(save.es, seg);
		break;
	case 1:
		BOTH_VMCB12(save.cs, seg);
		break;
	case 2:
		BOTH_VMCB12(save.ss, seg);
		break;
	case 3:
		BOTH_VMCB12(save.ds, seg);
		break;
	case 4:
		BOTH_VMCB12(save.gdtr, seg);
		break;
	case 5:
		BOTH_VMCB12(save.idtr, seg);
		break;
	default: /* 64-bit code again */
		BOTH_VMCB12(save.cs.attrib, VMCB_SEG_CODE64);
	}
}

static void change_save(void)
{
	bool bad = !below(4);

	switch (below(16)) {
	case 0:
		BOTH_VMCB12(save.cpl, (u8)below(5));
		break;
	case 1:
		BOTH_VMCB12(save.efer, bad ? 0 : sv_vmcb12(0)->save.efer ^ EFER_NXE);
		break;
	case 2:
		BOTH_VMCB12(save.efer, EFER_SVME | (below(2) ? EFER_LME : 0));
		break;
	case 3:
		BOTH_VMCB12(save.cr4, bad ? BIT(30) : CR4_PAE | (below(2) ? CR4_PGE : 0));
		break;
	case 4:
		BOTH_VMCB12(save.cr3, bad ? BIT(45) : random64() % BIT(36));
		break;
	case 5:
		BOTH_VMCB12(save.cr0, bad ? CR0_PE | CR0_NW : CR0_PE | below(2) * CR0_PG);
		break;
	case 6:
		BOTH_VMCB12(save.cr0, CR0_PE | CR0_PG | (random64() & CR0_WP));
		break;
	case 7:
		BOTH_VMCB12(save.dr7, bad ? BIT(40) : random64() >> 32);
		break;
	case 8:
		BOTH_VMCB12(save.dr6, bad ? BIT(40) : random64() >> 32);
		break;
	case 9:
		BOTH_VMCB12(save.g_pat, bad ? 2 : (random64() & 0x0101010101010101));
		break;
	case 10 ... 12:
		change_segment();
		break;
	default:
		BOTH_VMCB12(save.rip, random64());
		BOTH_VMCB12(save.rsp, random64());
		BOTH_VMCB12(save.rax, random64());
		BOTH_VMCB12(save.rflags, random64());
		BOTH_VMCB12(save.cr2, random64());
	}
}

/* What VMRUN finds in L1 itself: how nested tables are read, what the machine has. */
static void change_l1(void)
{
	u64 pat = random64() & 0x0101010101010101;

	for (int i = 0; i < SV_VCPUS; i++) {
		struct vmcb *v = sv.vcpus[i]->vmcb01;

		v->save.efer |= EFER_NXE;
		v->save.cr4 = CR4_PAE;
		v->save.cr0 |= CR0_PG;
	}
	switch (below(7)) {
	case 0:
		for (int i = 0; i < SV_VCPUS; i++)
			sv.vcpus[i]->vmcb01->save.efer &= ~EFER_NXE;
		break;
	case 1:
		for (int i = 0; i < SV_VCPUS; i++)
			sv.vcpus[i]->vmcb01->save.cr4 |= CR4_PKE;
		break;
	case 2: /* in a way in which its code is found all the same */
		for (int i = 0; i < SV_VCPUS; i++)
			sv.vcpus[i]->vmcb01->save.cr0 &= ~CR0_PG;
		break;
	case 3:
		for (int i = 0; i < SV_VCPUS; i++) {
			sv.vcpus[i]->vmcb01->save.g_pat = pat;
			sv.vcpus[i]->vmcb01->control.vintr ^= below(2) ? 0 : 5;
		}
		sv.vcpus[FORGETS]->vmcb01->control.vintr = sv.vcpus[KEEPS]->vmcb01->control.vintr;
		break;
	case 4: /* INVLPGA */
		for (int i = 0; i < SV_VCPUS; i++)
			svm_l1_asid_flush(sv.vcpus[i], sv_vmcb12(0)->control.asid);
		break;
	case 5: /* WRMSR TSC */
		for (int i = 0; i < SV_VCPUS; i++) {
			struct svm_vcpu *svm = sv.vcpus[i];

			svm->vmcb01->control.tsc_offset = pat;
			svm->vmcb02->control.tsc_offset = pat + svm->nested.ctl.tsc_offset;
		}
		break;
	}
}

/* L2 has run: what the processor may have stored in vmcb02. */
static void run_l2(void)
{
	u64 r = random64();

	for (int i = 0; i < SV_VCPUS; i++) {
		struct svm_vcpu *svm = sv.vcpus[i];
		struct vmcb *v = svm->vmcb02;

		svm->nested.run_pending = 0;
		svm->vcpu.pending.type = EVENT_NONE;
		svm->vcpu.rip = r;
		svm->vcpu.gpr[RSP] = r * 3;
		svm->vcpu.rflags = RFLAGS_FIXED | (r & RFLAGS_IF);
		v->save.cr2 = r * 5;
		v->control.int_state = r & 1;
		v->control.vintr ^= r & V_IRQ;
		if (r & BIT(20))
			v->save.cr3 = r % BIT(30);
		if (r & BIT(21))
			v->save.ds.base = (u32)r;
		if (r & BIT(22))
			v->save.cpl = r & 3;
	}
}

static void step(u64 n)
{
	for (u32 i = below(4); i > 0; i--) {
		if (below(2))
			change_control();
		else
			change_save();
	}
	if (!below(8))
		change_l1();
	sv.vcpus[FORGETS]->kept = (struct svm_kept){0};
	sv_vmrun(KEEPS);
	sv_vmrun(FORGETS);
	compare(n);
	if (!sv.vcpus[KEEPS]->vcpu.guest_mode)
		return;
	if (below(8))
		run_l2();
	for (int i = 0; i < SV_VCPUS; i++)
		svm_nested_exit(sv.vcpus[i], SVM_EXIT_VMMCALL, n, n * 3);
	compare(n);
}

/* Everything as at first, so that it does not stay at what cannot be run. */
static void mend(void)
{
	struct vmcb *a = sv_vmcb12(KEEPS);

	a->control.intercepts[4] |= 1;
	a->control.iopm_base = a->control.msrpm_base = 0;
	a->control.asid = a->control.asid ? a->control.asid : 1;
	a->control.tlb_control = 0;
	a->control.ncr3 = SV_NP_ROOT;
	a->control.event_inj = 0;
	a->save.efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
	a->save.cr0 = CR0_PE | CR0_PG | CR0_ET;
	a->save.cr4 = CR4_PAE;
	a->save.cr3 = SV_L2_ROOT;
	a->save.dr6 = DR6_INIT;
	a->save.dr7 = DR7_INIT;
	a->save.g_pat = 0;
	a->save.cs.attrib = VMCB_SEG_CODE64;
	memcpy(sv_vmcb12(FORGETS), a, PAGE_SIZE);
}

static void test_in_step(void **state)
{
	u64 runs;

	(void)state;
	sv_make(0);
	for (u64 n = 0; n < STEPS; n++) {
		if (!below(6))
			mend();
		step(n);
	}
	runs = sv.vcpus[KEEPS]->vcpu.stats.nested_runs;
	assert_int_equal(sv.vcpus[FORGETS]->vcpu.stats.nested_runs, runs);
	assert_in_range(runs, STEPS / 4, STEPS * 3 / 4); /* both kinds are many */
	assert_false(sv.vm.ended);
	assert_int_equal(sv_end(), 0);
}

/* L1 may name any address, before it has named a good one and after: none is taken for a page. */
static void test_addresses_that_are_none(void **state)
{
	static const u64 bad[] = {~0ull, 0x3001, ~0ull, ~0xfffull, 1ull << 52, SV_VMCB(0) + 1};

	(void)state;
	sv_make(0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			assert_null(svm_vmcb_page(sv.vcpus[0], bad[i]));
		for (u64 gpa = SV_VMCB(0); gpa < SV_VMCB(SVM_VMCB_PAGES); gpa += PAGE_SIZE)
			assert_ptr_equal(svm_vmcb_page(sv.vcpus[0], gpa)->va, sv_va(gpa));
	}
	assert_int_equal(sv_end(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_that_are_none),
		cmocka_unit_test(test_in_step),
	};

	srand(11);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
