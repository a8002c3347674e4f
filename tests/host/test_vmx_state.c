// SPDX-License-Identifier: MIT
/* objects: vmx/state.o vmx/tsc.o vmx/fields.o vmx/nested_check*.o vmx/cr.o vmx/fetch.o vmx/intr.o
 * vmx/skip.o
 */
// objects: vmx/explain.o kernel/vcpu_state.o tests/host/fake_vmx.o tests/host/vmx_vcpu.o
/*
 * A vCPU's registers out of the VMCS and back: each byte of the state that moves comes back, and a
 * state that no processor could be in is refused and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "tests/host/vmx_vcpu.h"

#define SECOND 10000000000ull /* of the counter, and more than a test takes */

/* --- the tests ------------------------------------------------------------------------------ */

static void compare(const struct vcpu_state *a, const struct vcpu_state *b)
{
	for (u32 i = 0; i < vcpu_state_desc.nr_fields; i++) {
		const struct state_field *f = &vcpu_state_desc.fields[i];

		if (memcmp((const u8 *)a + f->offset, (const u8 *)b + f->offset, f->size))
			fail_msg("%s does not come back", f->name);
	}
}

static void round_trip(void)
{
	struct vmx_vcpu *vmx = vmx_test_vcpu(), *other = vmx_test_vcpu();
	static struct vcpu_state in, out;

	vmx_test_state(&in);
	neighbours.releases = neighbours.saves = 0;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &in), 0);
	assert_int_equal(neighbours.releases, 1);
	assert_true(vmx->vpid01.linear_stale);
	scramble(&out, sizeof(out));
	vmx_get_state(&vmx->vcpu, &out);
	assert_int_equal(neighbours.saves, 1);
	compare(&in, &out);
	/* Padding too is the same each time: it is compared between source and destination. */
	assert_int_equal(vmx_set_state(&other->vcpu, &out), 0);
	scramble(&in, sizeof(in));
	vmx_get_state(&other->vcpu, &in);
	assert_memory_equal(&in, &out, sizeof(in));
	vmx_test_free(vmx);
	vmx_test_free(other);
}

static void test_round_trip(void **state)
{
	(void)state;
	vmx_test_host();
	srand(5);
	for (int i = 0; i < 40; i++) {
		fake_vmcs_forget_all();
		round_trip();
	}
}

/* It goes on from where it was put. */
static void test_tsc(void **state)
{
	struct vmx_vcpu *vmx;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	vmx_set_l1_tsc(&vmx->vcpu, 1234567);
	assert_true(vmx_l1_tsc(&vmx->vcpu) - 1234567 < SECOND);
	assert_int_equal(*fake_field(VMCS_tsc_offset), vmx->tsc_offset);
	vmx_test_free(vmx);
}

/* After the VMCS has it, each register is in all places that the run loop reads. */
static void test_registers_are_mirrored(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state in;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(6);
	vmx_test_state(&in);
	in.interrupt_shadow = in.nmi_masked = 1;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &in), 0);
	assert_true(vmx->vcpu.rip == in.rip && vmx->vmcs01.rip == in.rip);
	assert_int_equal(*fake_field(VMCS_guest_rip), in.rip);
	assert_true(vmx->vcpu.gpr[RSP] == in.gpr[RSP] && vmx->vmcs01.rsp == in.gpr[RSP]);
	assert_int_equal(*fake_field(VMCS_guest_rsp), in.gpr[RSP]);
	assert_true(vmx->vcpu.rflags == in.rflags && vmx->vmcs01.rflags == in.rflags);
	assert_int_equal(*fake_field(VMCS_guest_rflags), in.rflags);
	assert_int_equal(vmx->interruptibility, VMX_BLOCK_STI | VMX_BLOCK_NMI);
	assert_int_equal(vmx->vmcs01.interruptibility, VMX_BLOCK_STI | VMX_BLOCK_NMI);
	assert_int_equal(*fake_field(VMCS_guest_interruptibility), VMX_BLOCK_STI | VMX_BLOCK_NMI);
	/* CR0 and CR4 as VMX wants them, and as the guest does. */
	assert_int_equal(*fake_field(VMCS_guest_cr0), (in.cr0 & ~(CR0_CD | CR0_NW)) | 0x80000031);
	assert_int_equal(*fake_field(VMCS_cr0_shadow), in.cr0);
	assert_int_equal(*fake_field(VMCS_guest_cr4), in.cr4 | CR4_VMXE);
	assert_int_equal(*fake_field(VMCS_cr4_shadow), in.cr4);
	assert_true(*fake_field(VMCS_entry_controls) & VMX_ENTRY_IA32E);
	/* What is not present is not usable. */
	assert_int_equal(*fake_field(VMCS_guest_es_ar), 0x4013 | VMX_AR_UNUSABLE);
	assert_int_equal(*fake_field(VMCS_guest_tr_ar), 0x808b);
	/* CR8 is where the processor looks for it, SDM 3C 29.3. */
	assert_int_equal(((u32 *)vmx->vapic)[0x80 / 4], in.cr8 << 4);
	vmx_test_free(vmx);
}

/* Every field that is marked as moving is written: none keeps what another guest left there. */
static void test_every_field(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state in;
	struct fake_vmcs *vmcs;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(8);
	vmx_test_state(&in);
	vmcs = fake_vmcs();
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs_fields[i].moves && vmcs_fields[i].encoding != VMCS_guest_pending_debug)
			vmcs->fields[vmcs_fields[i].encoding] = 0x5a5a5a5a5a5a5a5aull;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &in), 0);
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs->fields[vmcs_fields[i].encoding] == 0x5a5a5a5a5a5a5a5aull)
			fail_msg("%s is as it was", vmcs_fields[i].name);
	vmx_test_free(vmx);
}

/* The shadow of STI has IF set; which one it was travels beside. */
static void test_shadows(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state s;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(9);
	vmx_test_state(&s);
	s.interrupt_shadow = 1;
	s.nmi_masked = 0;
	s.rflags &= ~RFLAGS_TF;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	assert_int_equal(vmx->interruptibility, VMX_BLOCK_STI);
	vmx->nested.mov_ss = true;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	assert_int_equal(vmx->interruptibility, VMX_BLOCK_MOV_SS);
	vmx->nested.mov_ss = false;
	s.rflags &= ~RFLAGS_IF;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	assert_int_equal(vmx->interruptibility, VMX_BLOCK_MOV_SS);
	s.rflags |= RFLAGS_TF; /* and then a single step is pending */
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	assert_int_equal(*fake_field(VMCS_guest_pending_debug), VMX_DEBUG_BS);
	vmx_test_free(vmx);
}

/* PAE paging has four of its entries in registers. */
static void test_pdptes(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state s;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(10);
	vmx_test_state(&s);
	s.efer &= ~(EFER_LMA | EFER_LME);
	s.rip = (u32)s.rip;
	s.cr4 &= ~CR4_PCIDE;
	s.seg[SEG_CS].attrib = 0xc9b | s.cpl << 5;
	s.cr3 = 0x12345678;
	neighbours.pdptes[0] = 0x5001;
	neighbours.pdptes[3] = 0x8001;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	assert_int_equal(neighbours.pdptes_at, 0x12345660);
	assert_int_equal(*fake_field(VMCS_guest_pdpte0), 0x5001);
	assert_int_equal(*fake_field(VMCS_guest_pdpte1), 0);
	assert_int_equal(*fake_field(VMCS_guest_pdpte3), 0x8001);
	assert_false(*fake_field(VMCS_entry_controls) & VMX_ENTRY_IA32E);
	neighbours.pdptes[1] = BIT(50) | 1; /* reserved */
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), -EINVAL);
	neighbours.pdptes[1] = 0;
	vmx_test_free(vmx);
}

/* SDM 3A table 9-1; entry takes it. */
static void test_reset(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state s;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	assert_int_equal(vmx_reset(vmx), 0);
	vmx_get_state(&vmx->vcpu, &s);
	assert_true(s.rip == 0xfff0 && s.rflags == 2 && s.cr0 == 0x60000010);
	assert_true(s.seg[SEG_CS].base == 0xffff0000 && s.seg[SEG_CS].selector == 0xf000);
	assert_true(s.dr6 == 0xffff0ff0 && s.dr7 == 0x400 && s.pat == 0x0007040600070406ull);
	assert_int_equal(*fake_field(VMCS_guest_cr0), 0x30);
	vmx_test_free(vmx);
}

#define REFUSED(change)                                                   \
	do {                                                              \
		static struct vcpu_state s;                               \
                                                                          \
		s = good;                                                 \
		change;                                                   \
		assert_int_equal(vmx_set_state(&vmx->vcpu, &s), -EINVAL); \
		assert_memory_equal(&before, vmx, sizeof(before));        \
		assert_memory_equal(&vmcs, fake_vmcs(), sizeof(vmcs));    \
	} while (0)

static void test_refused(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state good;
	static struct vmx_vcpu before;
	static struct fake_vmcs vmcs;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(7);
	vmx_test_state(&good);
	assert_int_equal(vmx_set_state(&vmx->vcpu, &good), 0);
	before = *vmx;
	vmcs = *fake_vmcs();
	REFUSED(s.cr0 |= BIT(40));
	REFUSED(s.cr0 |= CR0_NW);
	REFUSED(s.cr0 |= BIT(7));
	REFUSED(s.cr3 |= BIT(45));
	REFUSED(s.cr4 |= CR4_VMXE);
	REFUSED(s.cr4 |= BIT(24));
	REFUSED(s.cr4 &= ~BIT(5));
	REFUSED(s.efer |= BIT(1));
	REFUSED(s.efer &= ~EFER_LMA);
	REFUSED(s.dr6 |= BIT(32));
	REFUSED(s.dr7 |= BIT(33));
	REFUSED(s.rflags |= BIT(3));
	REFUSED(s.rip = BIT(62));
	REFUSED(s.seg[SEG_CS].attrib |= 0x400);
	REFUSED(s.seg[SEG_CS].attrib &= ~0x80);
	REFUSED(s.seg[SEG_TR].attrib = 0x889);
	REFUSED(s.seg[SEG_GDTR].limit = 0x10000);
	REFUSED(s.pat = 2);
	REFUSED(s.lstar = BIT(62));
	REFUSED(s.cstar = BIT(62));
	REFUSED(s.kernel_gs_base = BIT(62));
	REFUSED(s.sfmask = BIT(32));
	REFUSED(s.sysenter_cs = BIT(32));
	REFUSED(s.sysenter_eip = BIT(62));
	REFUSED(s.cpl ^= 1);
	REFUSED(s.cr8 = 16);
	REFUSED(s.interrupt_shadow = 2);
	REFUSED(s.halted = 2);
	REFUSED(s.nmi_masked = 2);
	REFUSED(s.tsc_aux = BIT(32));
	REFUSED(s.debugctl = BIT(32));
	REFUSED(s.pending.type = 5);
	REFUSED(s.pending.has_error = 0);
	/* An interrupt without IF: entry would refuse it. */
	REFUSED((s.pending = (struct vcpu_event){.type = EVENT_INTR, .vector = 32},
		 s.rflags &= ~RFLAGS_IF, s.interrupt_shadow = 0));
	neighbours.bad_xcr0 = true;
	REFUSED((void)s);
	neighbours.bad_xcr0 = false;
	neighbours.bad_fpu = true;
	REFUSED((void)s);
	neighbours.bad_fpu = false;
	vmx_test_free(vmx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_registers_are_mirrored),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_shadows),
		cmocka_unit_test(test_pdptes),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
