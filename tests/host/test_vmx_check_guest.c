// SPDX-License-Identifier: MIT
/* objects: vmx/nested_check*.o tests/host/vmcs12_rows.o */
/*
 * The vm-entry checks on the guest state, against tables made from the manual (SDM 3C 26.3): a good
 * vmcs12, and few changes at a time, each with the verdict that it must get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/vmcs12_rows.h"

#define TOP (1ull << 40) /* MAXPHYADDR */

/* clang-format off */
static const struct row guests[] = {
	GOOD(F(guest_cr0, 0x80000021)),
	/* 26.3.1.1 */
	BAD("CR0", F(guest_cr0, 0x80000001)),
	BAD("CR0", F(guest_cr0, 0x180000021)),
	GOOD(F(guest_cr0, 0xe0000021)),
	BAD("CR0.PG without CR0.PE", F(guest_cr0, 0x80000020)),
	BAD("CR0", F(proc_controls_2, 2), F(guest_cr0, 0x21), F(entry_controls, 0x11fb)),
	BAD("CR4", F(guest_cr4, 0x20)),
	BAD("CR4", F(guest_cr4, 0x802020)),
	BAD("IA-32e guest without CR0.PG", F(guest_cr0, 0x21)),
	BAD("IA-32e guest without CR4.PAE", F(guest_cr4, 0x2000)),
	GOOD(F(guest_cr4, 0x22020)),
	BAD("CR3", F(guest_cr3, TOP)),
	GOOD(F(guest_debugctl, 4), F(guest_dr7, 1ull << 32), F(entry_controls, 0x13fb & ~4)),
	BAD("DEBUGCTL", F(guest_debugctl, 4), F(entry_controls, 0x13ff)),
	GOOD(F(guest_debugctl, 3), F(entry_controls, 0x13ff)),
	BAD("DR7[63:32]", F(guest_dr7, 1ull << 32), F(entry_controls, 0x13ff)),
	BAD("SYSENTER_ESP", F(guest_sysenter_esp, 1ull << 47)),
	BAD("SYSENTER_EIP", F(guest_sysenter_eip, 1ull << 47)),
	GOOD(F(guest_pat, 2)),
	BAD("PAT", F(entry_controls, 0x13fb | 1 << 14), F(guest_pat, 2)),
	GOOD(F(entry_controls, 0x13fb | 1 << 15)),
	BAD("EFER MBZ bits", F(entry_controls, 0x13fb | 1 << 15), F(guest_efer, 0x502)),
	BAD("EFER.LMA", F(entry_controls, 0x13fb | 1 << 15), F(guest_efer, 0x100)),
	BAD("EFER.LME", F(entry_controls, 0x13fb | 1 << 15), F(guest_efer, 0x400)),
	/* 26.3.1.2: CS */
	BAD("type of CS", F(guest_cs_ar, 0xa09a)),
	GOOD(F(guest_cs_ar, 0xa09d)),
	GOOD(F(guest_cs_ar, 0xa093)),
	BAD("type of CS", F(proc_controls_2, 2), F(guest_cs_ar, 0xa093)),
	BAD("S of CS", F(guest_cs_ar, 0xa08b)),
	BAD("DPL of CS, a data segment", F(guest_cs_ar, 0xa0b3)),
	BAD("DPL of CS", F(guest_cs_ar, 0xa0bb)),
	BAD("DPL of conforming CS", F(guest_cs_ar, 0xa0bd)),
	BAD("access rights of CS", F(guest_cs_ar, 0xa01b)),
	BAD("access rights of CS", F(guest_cs_ar, 0xa19b)),
	BAD("access rights of CS", F(guest_cs_ar, 0x2a09b)),
	BAD("access rights of CS", F(guest_cs_limit, 0xfffffffe)),
	BAD("access rights of CS", F(guest_cs_ar, 0x209b), F(guest_cs_limit, 0x100000)),
	GOOD(F(guest_cs_ar, 0x209b), F(guest_cs_limit, 0xffffe)),
	BAD("L and D of CS", F(guest_cs_ar, 0xe09b)),
	BAD("base of CS", F(guest_cs_base, 1ull << 32)),
	/* SS */
	GOOD(F(guest_ss_selector, 3)),
	BAD("RPL of SS", F(proc_controls_2, 2), F(guest_ss_selector, 3)),
	BAD("DPL of SS", F(proc_controls_2, 2), F(guest_ss_ar, 0xc0b3), F(guest_cs_ar, 0xa0bb)),
	BAD("DPL of SS with CS a data segment or CR0.PE clear", F(guest_cs_ar, 0xa093), F(guest_ss_ar, 0xc0b3)),
	GOOD(F(guest_ss_ar, 0x10000), F(guest_ss_base, 1ull << 32)),
	GOOD(F(guest_ss_ar, 0xc097)),
	BAD("type of SS", F(guest_ss_ar, 0xc091)),
	BAD("type of SS", F(guest_ss_ar, 0xc09b)),
	BAD("S of SS", F(guest_ss_ar, 0xc083)),
	BAD("access rights of SS", F(guest_ss_ar, 0xc013)),
	BAD("access rights of SS", F(guest_ss_ar, 0xc893)),
	BAD("base of SS", F(guest_ss_base, 1ull << 32)),
	/* the others */
	GOOD(F(guest_ds_ar, 0xc0f3), F(guest_ds_limit, 0xffffffff), F(guest_ds_selector, 3)),
	BAD("data segment not accessed", F(guest_ds_ar, 0x92)),
	BAD("data segment not readable", F(guest_es_ar, 0x99)),
	GOOD(F(guest_es_ar, 0x9b)),
	BAD("S of a data segment", F(guest_fs_ar, 0x83)),
	GOOD(F(guest_gs_ar, 0x93), F(guest_gs_selector, 3)),
	BAD("DPL of a data segment", F(proc_controls_2, 2), F(guest_gs_ar, 0x93), F(guest_gs_selector, 3)),
	GOOD(F(proc_controls_2, 2), F(guest_gs_ar, 0x9f), F(guest_gs_selector, 3)),
	BAD("access rights of a data segment", F(guest_gs_ar, 0x13)),
	BAD("access rights of a data segment", F(guest_ds_ar, 0x100093)),
	BAD("access rights of a data segment", F(guest_ds_ar, 0x8093)),
	BAD("base of DS", F(guest_ds_ar, 0x93), F(guest_ds_base, 1ull << 32)),
	BAD("base of ES", F(guest_es_ar, 0x93), F(guest_es_base, 1ull << 32)),
	GOOD(F(guest_es_base, 1ull << 32)),
	BAD("base of FS", F(guest_fs_base, 1ull << 47)),
	BAD("base of GS", F(guest_gs_base, 1ull << 47)),
	GOOD(F(guest_gs_base, 0xffff800000000000)),
	/* TR and LDTR */
	BAD("TI of TR", F(guest_tr_selector, 4)),
	BAD("TR unusable", F(guest_tr_ar, 0x1008b)),
	BAD("type of TR", F(guest_tr_ar, 0x83)),
	BAD("type of TR", F(guest_tr_ar, 0x89)),
	BAD("S of TR", F(guest_tr_ar, 0x9b)),
	BAD("access rights of TR", F(guest_tr_ar, 0x0b)),
	BAD("access rights of TR", F(guest_tr_ar, 0x808b)),
	BAD("base of TR", F(guest_tr_base, 1ull << 47)),
	GOOD(F(guest_ldtr_ar, 0x82)),
	GOOD(F(guest_ldtr_selector, 4)),
	BAD("TI of LDTR", F(guest_ldtr_ar, 0x82), F(guest_ldtr_selector, 4)),
	BAD("type of LDTR", F(guest_ldtr_ar, 0x83)),
	BAD("S of LDTR", F(guest_ldtr_ar, 0x92)),
	BAD("access rights of LDTR", F(guest_ldtr_ar, 0x02)),
	BAD("base of LDTR", F(guest_ldtr_ar, 0x82), F(guest_ldtr_base, 1ull << 47)),
	/* 26.3.1.3 */
	BAD("GDTR base", F(guest_gdtr_base, 1ull << 47)),
	BAD("IDTR base", F(guest_idtr_base, 1ull << 47)),
	BAD("GDTR limit", F(guest_gdtr_limit, 0x10000)),
	BAD("IDTR limit", F(guest_idtr_limit, 0x10000)),
	/* 26.3.1.4 */
	GOOD(F(guest_rip, 1ull << 47)),
	BAD("RIP[63:48]", F(guest_rip, 1ull << 48)),
	GOOD(F(guest_rip, 0xffff000000000000)),
	BAD("RIP[63:32]", F(guest_rip, 1ull << 32), F(guest_cs_ar, 0xc09b)),
	BAD("RFLAGS", F(guest_rflags, 0)),
	BAD("RFLAGS", F(guest_rflags, 0xa)),
	BAD("RFLAGS", F(guest_rflags, 0x22)),
	BAD("RFLAGS", F(guest_rflags, 0x8002)),
	BAD("RFLAGS", F(guest_rflags, 0x400002)),
	BAD("interrupt without RFLAGS.IF", F(entry_intr_info, 0x80000020)),
	GOOD(F(entry_intr_info, 0x80000020), F(guest_rflags, 0x202)),
	/* 26.3.1.5: activity */
	GOOD(F(guest_activity, 1)),
	GOOD(F(guest_activity, 2)),
	GOOD(F(guest_activity, 3)),
	BAD("activity state", F(guest_activity, 4)),
	BAD("halted with SS.DPL", F(guest_activity, 1), F(guest_ss_ar, 0xc0f3), F(guest_cs_ar, 0xa0fb)),
	BAD("activity state in a shadow", F(guest_activity, 2), F(guest_interruptibility, 2)),
	BAD("activity state in a shadow", F(guest_activity, 1), F(guest_interruptibility, 1), F(guest_rflags, 0x202)),
	GOOD(F(guest_activity, 1), F(entry_intr_info, 0x80000020), F(guest_rflags, 0x202)),
	GOOD(F(guest_activity, 1), F(entry_intr_info, 0x80000202)),
	GOOD(F(guest_activity, 1), F(entry_intr_info, 0x80000301)),
	GOOD(F(guest_activity, 1), F(entry_intr_info, 0x80000312)),
	GOOD(F(guest_activity, 1), F(entry_intr_info, 0x80000700)),
	BAD("event for the activity state", F(guest_activity, 1), F(entry_intr_info, 0x80000306)),
	BAD("event for the activity state", F(guest_activity, 1), F(entry_intr_info, 0x80000480)),
	GOOD(F(guest_activity, 2), F(entry_intr_info, 0x80000202)),
	GOOD(F(guest_activity, 2), F(entry_intr_info, 0x80000312)),
	BAD("event for the activity state", F(guest_activity, 2), F(entry_intr_info, 0x80000301)),
	BAD("event for the activity state", F(guest_activity, 2), F(entry_intr_info, 0x80000020), F(guest_rflags, 0x202)),
	BAD("event for the activity state", F(guest_activity, 3), F(entry_intr_info, 0x80000202)),
	/* interruptibility */
	BAD("interruptibility state", F(guest_interruptibility, 0x20)),
	BAD("interruptibility state", F(guest_interruptibility, 4)),
	BAD("interruptibility state", F(guest_interruptibility, 0x10)),
	BAD("blocking by STI and by MOV SS", F(guest_interruptibility, 3), F(guest_rflags, 0x202)),
	BAD("blocking by STI without RFLAGS.IF", F(guest_interruptibility, 1)),
	GOOD(F(guest_interruptibility, 2)),
	GOOD(F(guest_interruptibility, 8)),
	BAD("interrupt in a shadow", F(guest_interruptibility, 1), F(guest_rflags, 0x202), F(entry_intr_info, 0x80000020)),
	BAD("interrupt in a shadow", F(guest_interruptibility, 2), F(guest_rflags, 0x202), F(entry_intr_info, 0x80000020)),
	BAD("NMI after MOV SS", F(guest_interruptibility, 2), F(entry_intr_info, 0x80000202)),
	GOOD(F(guest_interruptibility, 8), F(entry_intr_info, 0x80000202)),
	BAD("NMI while NMIs are blocked", F(guest_interruptibility, 8), F(entry_intr_info, 0x80000202), F(pin_controls, 0x3e)),
	/* pending debug exceptions */
	GOOD(F(guest_pending_debug, 0x500f)),
	BAD("pending debug exceptions", F(guest_pending_debug, 0x10)),
	BAD("pending debug exceptions", F(guest_pending_debug, 0x2000)),
	BAD("pending debug exceptions", F(guest_pending_debug, 0x8000)),
	BAD("pending debug exceptions", F(guest_pending_debug, 1ull << 17)),
	BAD("pending debug exception of RTM", F(guest_pending_debug, 0x11000)),
	BAD("pending single step", F(guest_interruptibility, 2), F(guest_rflags, 0x102)),
	BAD("pending single step", F(guest_activity, 1), F(guest_pending_debug, 0x4000)),
	GOOD(F(guest_interruptibility, 2), F(guest_rflags, 0x102), F(guest_pending_debug, 0x4000)),
	BAD("pending single step", F(guest_interruptibility, 2), F(guest_rflags, 0x102), F(guest_pending_debug, 0x4000), F(guest_debugctl, 2)),
	/* link pointer, and PDPTEs, which do not count in IA-32e mode */
	GOOD(F(link_pointer, 0x3000)),
	BAD_Q("VMCS link pointer", ENTRY_FAIL_LINK, F(link_pointer, 0x3001)),
	BAD_Q("VMCS link pointer", ENTRY_FAIL_LINK, F(link_pointer, TOP)),
	GOOD(F(guest_pdpte0, 3)),
};

static const struct row guests_pae[] = {
	GOOD(F(guest_pdpte0, 0x1001), F(guest_pdpte3, 0xffffffffe1e)),
	BAD_Q("PDPTE 0", ENTRY_FAIL_PDPTE, F(guest_pdpte0, 0x1003)),
	BAD_Q("PDPTE 1", ENTRY_FAIL_PDPTE, F(guest_pdpte1, 0x1021)),
	BAD_Q("PDPTE 2", ENTRY_FAIL_PDPTE, F(guest_pdpte2, 0x1101)),
	BAD_Q("PDPTE 3", ENTRY_FAIL_PDPTE, F(guest_pdpte3, TOP | 1)),
	GOOD(F(guest_pdpte0, 3), F(guest_cr4, 0x2000)),
	GOOD(F(guest_pdpte0, 3), F(proc_controls_2, 0)),
	BAD("CR4.PCIDE outside IA-32e mode", F(guest_cr4, 0x22020)),
	BAD("RIP[63:32]", F(guest_rip, 1ull << 32)),
	GOOD(F(guest_tr_ar, 0x83)),
	BAD("EFER.LMA", F(entry_controls, 0x11fb | 1 << 15), F(guest_efer, 0x500)),
	BAD("EFER.LME", F(entry_controls, 0x11fb | 1 << 15), F(guest_efer, 0x100)),
};

static const struct row guests_real[] = {
	GOOD(F(guest_cr0, 0x20)),
	GOOD(F(entry_controls, 0x11fb | 1 << 15), F(guest_efer, 0x100)),
	BAD("DPL of SS with CS a data segment or CR0.PE clear", F(guest_ss_ar, 0xb3), F(guest_cs_ar, 0x9d)),
	BAD("CR0", F(proc_controls_2, 2)),
};

static const struct row guests_v86[] = {
	GOOD(F(guest_cr0, 0x80000021)),
	BAD("RFLAGS.VM", F(guest_cr0, 0x20)),
	BAD("base in virtual-8086 mode", F(guest_cs_base, 0)),
	BAD("base in virtual-8086 mode", F(guest_gs_base, 0x10)),
	BAD("limit in virtual-8086 mode", F(guest_ss_limit, 0xfffff)),
	BAD("limit in virtual-8086 mode", F(guest_es_limit, 0xfffe)),
	BAD("access rights in virtual-8086 mode", F(guest_ds_ar, 0x93)),
	BAD("access rights in virtual-8086 mode", F(guest_fs_ar, 0x100f3)),
};
/* clang-format on */

static int run(const char *name, struct vmcs12 (*base)(void), const struct row *rows, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct vmcs12 v = base();
		u64 qualification = 99;

		vmcs12_apply(&v, &rows[i]);
		bad += vmcs12_compare(name, i, rows[i].verdict,
				      vmx_check_guest(&v, &vmcs12_limits, &qualification));
		if (qualification != rows[i].qualification) {
			print_error("%s row %zu: qualification %llu\n", name, i,
				    (unsigned long long)qualification);
			bad++;
		}
	}
	return bad;
}

static void test_guest(void **state)
{
	int bad = 0;

	(void)state;
	bad += run("guests", vmcs12_good, guests, ARRAY_SIZE(guests));
	bad += run("guests_pae", vmcs12_good_pae, guests_pae, ARRAY_SIZE(guests_pae));
	bad += run("guests_real", vmcs12_good_real, guests_real, ARRAY_SIZE(guests_real));
	bad += run("guests_v86", vmcs12_good_v86, guests_v86, ARRAY_SIZE(guests_v86));
	assert_int_equal(bad, 0);
}

/* MISC says which activity states there are, each by itself. */
static void test_activity_states(void **state)
{
	(void)state;
	for (u32 activity = 1; activity <= 3; activity++) {
		struct vmx_limits less = vmcs12_limits;
		struct vmcs12 v = vmcs12_good();
		u64 qualification;

		less.misc &= ~(1ull << (5 + activity));
		v.guest_activity = activity;
		assert_string_equal(vmx_check_guest(&v, &less, &qualification), "activity state");
		v.guest_activity = activity % 3 + 1;
		assert_null(vmx_check_guest(&v, &less, &qualification));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_activity_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
