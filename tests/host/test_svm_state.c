// SPDX-License-Identifier: MIT
/* objects: svm/state.o svm/tsc.o svm/nested_check.o kernel/vcpu_state.o */
/*
 * A vCPU's registers out of the VMCBs and back: each byte of the state that moves comes back, at
 * both levels, and a state that no processor could be in is refused and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "svm/svm.h"

#define CR4_OK	  0x350fffull
#define EFER_OK	  0x5d01ull
#define APIC_BASE 0xfee00900ull
#define SECOND	  10000000000ull /* of the counter, and more than a test takes */

/* --- what svm/state.c needs of its neighbours ---------------------------------------------- */

struct svm_host svm_host;
static u32 saves, releases, flushes;
static bool bad_xcr0, bad_fpu;

void svm_cpu_save(struct svm_vcpu *svm)
{
	(void)svm;
	saves++;
}

void svm_cpu_release(struct svm_vcpu *svm)
{
	(void)svm;
	releases++;
}

void svm_l1_asid_flush_all(struct svm_vcpu *svm)
{
	(void)svm;
	flushes++;
}

int xcr0_check(u64 xcr0)
{
	(void)xcr0;
	return bad_xcr0 ? -EINVAL : 0;
}

int fpu_check(const u8 *fpu)
{
	(void)fpu;
	return bad_fpu ? -EINVAL : 0;
}

u64 svm_efer(const struct svm_vcpu *svm)
{
	return svm->vmcb->save.efer & ~EFER_SVME;
}

u64 svm_event_encode(const struct vcpu_event *e)
{
	static const u64 types[] = {0, SVM_EVENT_TYPE_INTR, SVM_EVENT_TYPE_NMI, SVM_EVENT_TYPE_EXCP,
				    SVM_EVENT_TYPE_SOFT};

	return e->type ? SVM_EVENT_VALID | types[e->type] | e->vector : 0;
}

/* --- a vCPU, and a state in which every field says something -------------------------------- */

static void scramble(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((u8 *)p)[i] = (u8)(rand() >> 7);
}

static u64 random64(void)
{
	u64 v;

	scramble(&v, sizeof(v));
	return v;
}

static struct svm_vcpu *vcpu_new(bool guest_mode)
{
	struct svm_vcpu *svm = calloc(1, sizeof(*svm));

	svm_host.limits = (struct svm_limits){
		.maxphyaddr = 40,
		.nested_paging = true,
		.flush_by_asid = true,
		.cr4_allowed = CR4_OK,
		.efer_allowed = EFER_OK,
	};
	svm->vmcb01 = aligned_alloc(4096, 4096);
	svm->vmcb02 = aligned_alloc(4096, 4096);
	scramble(svm->vmcb01, 4096);
	scramble(svm->vmcb02, 4096);
	svm->vcpu.fpu = calloc(1, VCPU_FPU_SIZE);
	svm->nested.ctl.tsc_offset = random64();
	svm->vmcb = guest_mode ? svm->vmcb02 : svm->vmcb01;
	svm->vcpu.guest_mode = guest_mode;
	return svm;
}

static void vcpu_delete(struct svm_vcpu *svm)
{
	free(svm->vmcb01);
	free(svm->vmcb02);
	free(svm->vcpu.fpu);
	free(svm);
}

/* A 64-bit guest; what VMRUN would correct has the value that it would get. */
static void state_fill(struct vcpu_state *s)
{
	scramble(s, sizeof(*s));
	s->rflags = (s->rflags & 0x3c7fd5) | 2; /* not virtual 8086 mode */
	s->cr0 = (s->cr0 & 0x5003e) | 0x80000011;
	s->cr3 &= GENMASK(39, 0);
	s->cr4 = (s->cr4 & CR4_OK) | 0x20;
	s->cr8 &= 15;
	s->efer = (s->efer & 0x4801) | 0x500;
	s->dr6 = (s->dr6 & 0xe00f) | 0xffff0ff0;
	s->dr7 = (u32)s->dr7 | 0x400;
	s->pat = 0x0706050401000706ull;
	s->tsc_aux = (u32)s->tsc_aux;
	s->debugctl = (u32)s->debugctl;
	s->cpl &= 3;
	s->interrupt_shadow &= 1;
	s->halted &= 1;
	s->nmi_masked = 0;
	s->pending.type = 1 + s->pending.type % 4;
	s->pending.vector &= 0x1c;
	s->pending.has_error &= 1;
	s->pending.in_delivery &= 1;
	for (int i = 0; i < SEG_NR; i++) {
		s->seg[i].attrib &= 0xfff;
		s->seg[i].base = (u64)((s64)(s->seg[i].base << 16) >> 16);
	}
	s->seg[SEG_CS].attrib = 0x29b;
}

/* --- the tests ------------------------------------------------------------------------------ */

static void compare(const struct vcpu_state *a, const struct vcpu_state *b)
{
	for (u32 i = 0; i < vcpu_state_desc.nr_fields; i++) {
		const struct state_field *f = &vcpu_state_desc.fields[i];

		if (memcmp((const u8 *)a + f->offset, (const u8 *)b + f->offset, f->size))
			fail_msg("%s does not come back", f->name);
	}
}

static void round_trip(bool guest_mode)
{
	struct svm_vcpu *svm = vcpu_new(guest_mode), *other = vcpu_new(guest_mode);
	struct vcpu_state in, out;
	struct vmcb_save l1 = svm->vmcb01->save;

	state_fill(&in);
	releases = saves = flushes = 0;
	assert_int_equal(svm_set_state(&svm->vcpu, &in), 0);
	assert_true(releases == 1 && flushes == 1);
	assert_true(svm->vmcb->save.efer & EFER_SVME);
	if (guest_mode) { /* L1's registers stay where they are, but for what VMLOAD loads */
		assert_int_equal(svm->vmcb01->save.rip, l1.rip);
		assert_int_equal(svm->vmcb01->save.cr3, l1.cr3);
		assert_int_equal(svm->vmcb01->save.star, in.star);
	}
	scramble(&out, sizeof(out));
	svm_get_state(&svm->vcpu, &out);
	assert_int_equal(saves, 1);
	compare(&in, &out);
	/* Padding too is the same each time: it is compared between source and destination. */
	assert_int_equal(svm_set_state(&other->vcpu, &out), 0);
	scramble(&in, sizeof(in));
	svm_get_state(&other->vcpu, &in);
	assert_memory_equal(&in, &out, sizeof(in));
	vcpu_delete(svm);
	vcpu_delete(other);
}

static void test_round_trip(void **state)
{
	(void)state;
	srand(5);
	for (int i = 0; i < 200; i++)
		round_trip(i & 1);
}

/* It goes on from where it was put, in both VMCBs. */
static void test_tsc(void **state)
{
	struct svm_vcpu *svm = vcpu_new(false);

	(void)state;
	svm_set_l1_tsc(&svm->vcpu, 1234567);
	assert_true(svm_l1_tsc(&svm->vcpu) - 1234567 < SECOND);
	assert_int_equal(svm->vmcb02->control.tsc_offset,
			 svm->vmcb01->control.tsc_offset + svm->nested.ctl.tsc_offset);
	vcpu_delete(svm);
}

/* After the VMCB has it, each register is in all places that the run loop reads. */
static void test_registers_are_mirrored(void **state)
{
	struct svm_vcpu *svm = vcpu_new(false);
	struct vcpu_state in;

	(void)state;
	srand(6);
	state_fill(&in);
	assert_int_equal(svm_set_state(&svm->vcpu, &in), 0);
	assert_int_equal(svm->vmcb->save.rax, in.gpr[RAX]);
	assert_int_equal(svm->vmcb->save.rsp, in.gpr[RSP]);
	assert_int_equal(svm->vmcb->save.rip, in.rip);
	assert_int_equal(svm->vmcb->save.rflags, in.rflags);
	assert_int_equal(svm->vcpu.rip, in.rip);
	assert_int_equal(svm->vcpu.rflags, in.rflags);
	/* V_TPR is all of vintr that the state sets. */
	assert_int_equal(svm->vmcb->control.vintr & 0xff, in.cr8);
	vcpu_delete(svm);
}

#define REFUSED(change)                                                   \
	do {                                                              \
		struct vcpu_state s = good;                               \
                                                                          \
		change;                                                   \
		assert_int_equal(svm_set_state(&svm->vcpu, &s), -EINVAL); \
		assert_memory_equal(&before, svm, sizeof(before));        \
		assert_memory_equal(&vmcb, svm->vmcb, sizeof(vmcb));      \
	} while (0)

static void test_refused(void **state)
{
	struct svm_vcpu *svm = vcpu_new(false);
	struct vcpu_state good;
	struct svm_vcpu before;
	struct vmcb vmcb;

	(void)state;
	srand(7);
	state_fill(&good);
	assert_int_equal(svm_set_state(&svm->vcpu, &good), 0);
	before = *svm;
	vmcb = *svm->vmcb;
	REFUSED(s.cr0 |= BIT(40));
	REFUSED(s.cr3 |= BIT(45));
	REFUSED(s.cr4 |= BIT(13));
	REFUSED(s.cr4 &= ~BIT(5));
	REFUSED(s.efer |= BIT(1));
	REFUSED(s.dr6 |= BIT(32));
	REFUSED(s.dr7 |= BIT(33));
	REFUSED(s.seg[SEG_CS].attrib |= VMCB_SEG_DB);
	REFUSED(s.pat = 2);
	REFUSED(s.cpl = 4);
	REFUSED(s.cr8 = 16);
	REFUSED(s.interrupt_shadow = 2);
	REFUSED(s.halted = 2);
	REFUSED(s.nmi_masked = 1);
	REFUSED(s.tsc_aux = BIT(32));
	REFUSED(s.debugctl = BIT(32));
	REFUSED(s.pending.type = 5);
	REFUSED(s.pending.has_error = 2);
	REFUSED(s.pending.in_delivery = 2);
	REFUSED((s.pending.type = EVENT_EXCEPTION, s.pending.vector = 32));
	bad_xcr0 = true;
	REFUSED((void)s);
	bad_xcr0 = false;
	bad_fpu = true;
	REFUSED((void)s);
	bad_fpu = false;
	vcpu_delete(svm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_registers_are_mirrored),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
