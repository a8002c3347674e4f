// SPDX-License-Identifier: MIT
/* objects: vmx/state.o vmx/fields.o vmx/nested_check*.o vmx/cr.o vmx/fetch.o vmx/intr.o vmx/skip.o
 */
// objects: vmx/explain.o kernel/vcpu_state.o tests/host/fake_vmx.o tests/host/vmx_vcpu.o
/* CR0 and CR4 as the guest sees them, its MOVs that exit; and why an entry failed, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "tests/host/vmx_vcpu.h"

#define CR0_LONG	(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)
#define INSN_LEN	3
#define MOV_TO(cr, gpr) (VMX_CR_TO | (cr) | (u64)(gpr) << VMX_CR_GPR_SHIFT)

/* A 32-bit guest as a boot loader leaves it. */
static struct vmx_vcpu *guest_new(void)
{
	static struct vcpu_state s;
	struct vmx_vcpu *vmx;

	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(3);
	vmx_test_state(&s);
	s.cpl = 0;
	s.rip = 0x1000;
	s.rflags = 2;
	s.cr0 = CR0_PE | CR0_ET;
	s.cr4 = 0;
	s.efer = 0;
	s.interrupt_shadow = 0;
	s.pending.type = EVENT_NONE;
	s.seg[SEG_CS].attrib = 0xc9b;
	s.seg[SEG_SS].attrib = 0xc93;
	s.seg[SEG_TR].attrib = 0x883;
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	vmx->vpid01.linear_stale = false;
	return vmx;
}

static void mov_to_cr(struct vmx_vcpu *vmx, u32 cr, u64 value)
{
	const struct vm_exit exit = {.code = VMX_EXIT_CR_ACCESS, .insn_len = INSN_LEN};

	vmx->vcpu.pending.type = EVENT_NONE;
	vmx->vcpu.rip = 0x1000;
	vmx->vcpu.gpr[R9] = value;
	*fake_field(VMCS_exit_qualification) = MOV_TO(cr, R9);
	assert_int_equal(vmx_cr_access(vmx, &exit), NESTED_DONE);
}

static void assert_done(const struct vmx_vcpu *vmx)
{
	assert_int_equal(vmx->vcpu.pending.type, EVENT_NONE);
	assert_int_equal(vmx->vcpu.rip, 0x1000 + INSN_LEN);
}

static void assert_gp(const struct vmx_vcpu *vmx)
{
	assert_int_equal(vmx->vcpu.pending.type, EVENT_EXCEPTION);
	assert_int_equal(vmx->vcpu.pending.vector, EXC_GP);
	assert_true(vmx->vcpu.pending.has_error && !vmx->vcpu.pending.error);
	assert_int_equal(vmx->vcpu.rip, 0x1000);
}

/* Caching and NE: the guest sees what it wrote, the processor runs on as VMX wants it. */
static void test_cr0(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	mov_to_cr(vmx, 0, CR0_PE | CR0_ET | CR0_CD | CR0_TS);
	assert_done(vmx);
	assert_int_equal(vmx_cr0(), CR0_PE | CR0_ET | CR0_CD | CR0_TS);
	assert_int_equal(*fake_field(VMCS_guest_cr0), CR0_PE | CR0_ET | CR0_NE | CR0_TS);
	assert_true(vmx->vpid01.linear_stale);
	/* What it changes without an exit counts, too. */
	*fake_field(VMCS_guest_cr0) &= ~CR0_TS;
	*fake_field(VMCS_guest_cr0) |= CR0_MP;
	assert_int_equal(vmx_cr0(), CR0_PE | CR0_ET | CR0_CD | CR0_MP);
	/* Reserved bits are ignored, ET stays. In 32-bit code there is no upper half. */
	mov_to_cr(vmx, 0, BIT(40) | BIT(7) | CR0_PE);
	assert_done(vmx);
	assert_int_equal(vmx_cr0(), CR0_PE | CR0_ET);
	vmx_test_free(vmx);
}

static void test_cr0_refused(void **state)
{
	struct vmx_vcpu *vmx = guest_new();
	u64 real = *fake_field(VMCS_guest_cr0);

	(void)state;
	mov_to_cr(vmx, 0, CR0_PG | CR0_NE);
	assert_gp(vmx);
	mov_to_cr(vmx, 0, CR0_PE | CR0_NW);
	assert_gp(vmx);
	*fake_field(VMCS_guest_efer) = EFER_LME; /* without PAE */
	mov_to_cr(vmx, 0, CR0_LONG);
	assert_gp(vmx);
	*fake_field(VMCS_guest_cr4) |= CR4_PAE;
	*fake_field(VMCS_guest_cs_ar) |= VMX_AR_L;
	mov_to_cr(vmx, 0, CR0_LONG);
	assert_gp(vmx);
	assert_int_equal(*fake_field(VMCS_guest_cr0), real);
	assert_int_equal(*fake_field(VMCS_guest_efer), EFER_LME);
	assert_false(vmx->vpid01.linear_stale);
	vmx_test_free(vmx);
}

/* SDM 3A 9.8.5: NE and PG by one MOV, as kernels do it. */
static void test_long_mode(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	*fake_field(VMCS_guest_efer) = EFER_LME;
	*fake_field(VMCS_guest_cr4) |= CR4_PAE;
	mov_to_cr(vmx, 0, CR0_LONG);
	assert_done(vmx);
	assert_int_equal(vmx_cr0(), CR0_LONG);
	assert_int_equal(*fake_field(VMCS_guest_efer), EFER_LME | EFER_LMA);
	assert_true(*fake_field(VMCS_entry_controls) & VMX_ENTRY_IA32E);
	assert_int_equal(*fake_field(VMCS_guest_tr_ar) & VMX_AR_TYPE, 11);
	assert_int_equal(neighbours.pdptes_at, 0);
	/* 64-bit code cannot leave it; 32-bit code can. Upper bits count in 64-bit code. */
	*fake_field(VMCS_guest_cs_ar) = 0xa09b;
	mov_to_cr(vmx, 0, CR0_PE | CR0_ET);
	assert_gp(vmx);
	mov_to_cr(vmx, 0, CR0_LONG | BIT(40));
	assert_gp(vmx);
	*fake_field(VMCS_guest_cs_ar) = 0xc09b;
	mov_to_cr(vmx, 0, CR0_PE | CR0_ET);
	assert_done(vmx);
	assert_int_equal(*fake_field(VMCS_guest_efer), EFER_LME);
	assert_false(*fake_field(VMCS_entry_controls) & VMX_ENTRY_IA32E);
	vmx_test_free(vmx);
}

static void test_pae(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	*fake_field(VMCS_guest_cr4) |= CR4_PAE;
	*fake_field(VMCS_guest_cr3) = 0x7020;
	neighbours.pdptes[0] = 0x8001;
	neighbours.pdptes[3] = 0x9001;
	mov_to_cr(vmx, 0, CR0_PE | CR0_PG | CR0_NE);
	assert_done(vmx);
	assert_int_equal(neighbours.pdptes_at, 0x7020);
	assert_int_equal(*fake_field(VMCS_guest_pdpte0), 0x8001);
	assert_int_equal(*fake_field(VMCS_guest_pdpte3), 0x9001);
	assert_false(*fake_field(VMCS_entry_controls) & VMX_ENTRY_IA32E);
	/* Only the change of some bits reads them again. */
	neighbours.pdptes[0] = 0xa001;
	mov_to_cr(vmx, 0, CR0_PE | CR0_PG);
	assert_done(vmx);
	assert_int_equal(*fake_field(VMCS_guest_pdpte0), 0x8001);
	neighbours.pdptes[1] = BIT(60) | 1;
	mov_to_cr(vmx, 0, CR0_PE | CR0_PG | CR0_CD);
	assert_gp(vmx);
	assert_int_equal(*fake_field(VMCS_guest_pdpte0), 0x8001);
	vmx_test_free(vmx);
}

/* Whatever of CR4 exits is what the guest may not have; other accesses do not exit. */
static void test_others(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	mov_to_cr(vmx, 4, CR4_VMXE);
	assert_gp(vmx);
	assert_int_equal(vmx_cr4(), 0);
	assert_int_equal(*fake_field(VMCS_guest_cr4), CR4_VMXE);
	mov_to_cr(vmx, 3, 0);
	assert_gp(vmx);
	vmx_test_free(vmx);
}

/* SDM 3C 23.7, 23.8: VMXE is L1's to set, and to clear while it is not in VMX operation. */
static void test_vmxe(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	vmx_host.cr4_allowed = CR4_OK | CR4_VMXE;
	*fake_field(VMCS_guest_efer) = EFER_LME;
	mov_to_cr(vmx, 4, CR4_VMXE | CR4_PAE);
	assert_done(vmx);
	assert_int_equal(vmx_cr4(), CR4_VMXE | CR4_PAE);
	mov_to_cr(vmx, 4, CR4_VMXE | CR4_PAE | BIT(31));
	assert_gp(vmx);
	mov_to_cr(vmx, 0, CR0_LONG);
	assert_done(vmx);
	mov_to_cr(vmx, 4, CR4_VMXE);
	assert_gp(vmx);
	vmx->nested.vmxon = 1;
	mov_to_cr(vmx, 4, CR4_PAE);
	assert_gp(vmx);
	mov_to_cr(vmx, 4, CR4_VMXE | CR4_PAE | CR4_PGE);
	assert_done(vmx);
	vmx->nested.vmxon = 0;
	mov_to_cr(vmx, 4, CR4_PAE);
	assert_done(vmx);
	assert_int_equal(vmx_cr4(), CR4_PAE);
	assert_int_equal(*fake_field(VMCS_guest_cr4), CR4_VMXE | CR4_PAE);
	vmx_test_free(vmx);
}

static void test_vmxe_pae(void **state)
{
	struct vmx_vcpu *vmx = guest_new();

	(void)state;
	vmx_host.cr4_allowed = CR4_OK | CR4_VMXE;
	*fake_field(VMCS_guest_cr4) |= CR4_PAE;
	*fake_field(VMCS_guest_cr3) = 0x7020;
	mov_to_cr(vmx, 0, CR0_PE | CR0_PG | CR0_NE);
	neighbours.pdptes[2] = 0x8001;
	mov_to_cr(vmx, 4, CR4_VMXE | CR4_PAE);
	assert_done(vmx);
	assert_int_equal(*fake_field(VMCS_guest_pdpte2), 0); /* these bits do not load them */
	mov_to_cr(vmx, 4, CR4_PAE | CR4_PGE);
	assert_done(vmx);
	assert_int_equal(*fake_field(VMCS_guest_pdpte2), 0x8001);
	neighbours.pdptes[1] = BIT(60) | 1;
	mov_to_cr(vmx, 4, CR4_VMXE | CR4_PAE);
	assert_gp(vmx);
	assert_int_equal(vmx_cr4(), CR4_PAE | CR4_PGE);
	vmx_test_free(vmx);
}

/* In VMX operation PE, PG and NE stay, and a change of them exits. */
static void test_fixed(void **state)
{
	struct vmx_vcpu *vmx = guest_new();
	const u64 fixed = CR0_PG | CR0_NE | CR0_PE;

	(void)state;
	*fake_field(VMCS_guest_efer) = EFER_LME;
	*fake_field(VMCS_guest_cr4) |= CR4_PAE;
	mov_to_cr(vmx, 0, CR0_LONG);
	*fake_field(VMCS_guest_cs_ar) = 0xc09b;
	*fake_field(VMCS_guest_cr0) |= CR0_TS;
	vmx_cr_masks(vmx);
	assert_int_equal(*fake_field(VMCS_cr0_mask) & fixed, CR0_NE);
	vmx->nested.vmxon = 1;
	vmx_cr_masks(vmx);
	assert_int_equal(*fake_field(VMCS_cr0_mask) & fixed, fixed);
	assert_int_equal(*fake_field(VMCS_cr0_shadow), CR0_LONG | CR0_TS);
	mov_to_cr(vmx, 0, CR0_LONG & ~CR0_PG);
	assert_gp(vmx);
	mov_to_cr(vmx, 0, CR0_LONG & ~CR0_NE);
	assert_gp(vmx);
	mov_to_cr(vmx, 0, CR0_LONG | CR0_CD);
	assert_done(vmx);
	vmx->nested.vmxon = 0;
	vmx_cr_masks(vmx);
	assert_int_equal(*fake_field(VMCS_cr0_mask) & fixed, CR0_NE);
	mov_to_cr(vmx, 0, CR0_PE | CR0_ET);
	assert_done(vmx);
	vmx_test_free(vmx);
}

static void assert_said(const char *part)
{
	if (!strstr(neighbours.said, part))
		fail_msg("\"%s\" does not say \"%s\"", neighbours.said, part);
}

static void test_explained(void **state)
{
	struct vmx_vcpu *vmx;
	static struct vcpu_state s;

	(void)state;
	vmx_test_host();
	vmx = vmx_test_vcpu();
	srand(11);
	vmx_test_state(&s);
	assert_int_equal(vmx_set_state(&vmx->vcpu, &s), 0);
	vmx_explain_failure(vmx, BIT(32) | VMX_EXIT_FAILED | VMX_ERROR_ENTRY_CONTROLS);
	assert_said("VM entry with invalid control field(s) (error 7)");
	vmx_explain_failure(vmx, VMX_EXIT_FAILED | VMX_EXIT_GUEST_STATE);
	assert_said("a check that Cleave does not know");
	vmcs_write(VMCS_guest_rflags, BIT(3));
	vmx_explain_failure(vmx, VMX_EXIT_FAILED | VMX_EXIT_GUEST_STATE);
	assert_said("guest state: RFLAGS");
	*fake_field(VMCS_exit_qualification) = 3;
	vmx_explain_failure(vmx, VMX_EXIT_FAILED | VMX_EXIT_MSR_LOADING);
	assert_said("MSR_LOADING, qualification 0x3");
	/* A processor without some field: it reads as 0. */
	fake_vmx_lacks(VMCS_preemption_timer, true);
	vmx_explain_failure(vmx, VMX_EXIT_FAILED | VMX_EXIT_GUEST_STATE);
	fake_vmx_lacks(VMCS_preemption_timer, false);
	vmx_test_free(vmx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0),	  cmocka_unit_test(test_cr0_refused),
		cmocka_unit_test(test_long_mode), cmocka_unit_test(test_pae),
		cmocka_unit_test(test_others),	  cmocka_unit_test(test_explained),
		cmocka_unit_test(test_vmxe),	  cmocka_unit_test(test_vmxe_pae),
		cmocka_unit_test(test_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
