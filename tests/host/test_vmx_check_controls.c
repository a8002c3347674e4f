// SPDX-License-Identifier: MIT
/* objects: vmx/nested_check*.o tests/host/vmcs12_rows.o */
/*
 * The vm-entry checks on controls and host state, against tables made from the manual (SDM 3C
 * 26.2): a good vmcs12, and few changes at a time, each with the verdict that it must get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/vmcs12_rows.h"

#define PROC  0x84006172u
#define PROC2 0x82u
#define TOP   (1ull << 40) /* MAXPHYADDR */

/* clang-format off */
static const struct row controls[] = {
	GOOD(F(pin_controls, 0x16)),
	/* 26.2.1.1: words */
	BAD("pin-based controls", F(pin_controls, 0x06)),
	BAD("pin-based controls", F(pin_controls, 0x96)),
	BAD("primary processor-based controls", F(proc_controls, PROC & ~2)),
	BAD("primary processor-based controls", F(proc_controls, PROC | 1)),
	GOOD(F(proc_controls_2, 0xffffffff), F(proc_controls, PROC & ~(1u << 31)), F(ept_pointer, ~0ull)),
	GOOD(F(cr3_target_count, 4)),
	BAD("CR3-target count", F(cr3_target_count, 5)),
	/* bitmaps */
	GOOD(F(io_bitmap_a, 0x123)),
	BAD("I/O bitmap A", F(proc_controls, PROC | 1 << 25), F(io_bitmap_a, 0x1800)),
	BAD("I/O bitmap A", F(proc_controls, PROC | 1 << 25), F(io_bitmap_a, TOP)),
	BAD("I/O bitmap B", F(proc_controls, PROC | 1 << 25), F(io_bitmap_b, 0x1001)),
	BAD("I/O bitmap B", F(proc_controls, PROC | 1 << 25), F(io_bitmap_b, TOP * 2)),
	GOOD(F(proc_controls, PROC | 1 << 25), F(io_bitmap_b, TOP - 0x1000)),
	BAD("MSR bitmap", F(proc_controls, PROC | 1 << 28), F(msr_bitmap, 0x800)),
	BAD("MSR bitmap", F(proc_controls, PROC | 1 << 28), F(msr_bitmap, TOP)),
	/* APIC */
	GOOD(F(proc_controls, PROC | 1 << 21), F(virtual_apic, 0x5000), F(tpr_threshold, 15)),
	BAD("virtual-APIC address", F(proc_controls, PROC | 1 << 21), F(virtual_apic, 0x5001)),
	BAD("virtual-APIC address", F(proc_controls, PROC | 1 << 21), F(virtual_apic, TOP)),
	BAD("TPR threshold[31:4]", F(proc_controls, PROC | 1 << 21), F(tpr_threshold, 16)),
	GOOD(F(proc_controls, PROC | 1 << 21), F(tpr_threshold, 16), F(proc_controls_2, PROC2 | 1 << 9), F(pin_controls, 0x17)),
	BAD("interrupt delivery without interrupt exiting", F(proc_controls, PROC | 1 << 21), F(proc_controls_2, PROC2 | 1 << 9)),
	BAD("x2APIC mode without TPR shadow", F(proc_controls_2, PROC2 | 1 << 4)),
	BAD("APIC registers without TPR shadow", F(proc_controls_2, PROC2 | 1 << 8)),
	BAD("interrupt delivery without TPR shadow", F(proc_controls_2, PROC2 | 1 << 9)),
	GOOD(F(proc_controls_2, PROC2 | 1), F(apic_access, 0xfee00000)),
	BAD("APIC-access address", F(proc_controls_2, PROC2 | 1), F(apic_access, 0xfee00010)),
	BAD("APIC-access address", F(proc_controls_2, PROC2 | 1), F(apic_access, TOP)),
	BAD("APIC accesses and x2APIC mode", F(proc_controls, PROC | 1 << 21), F(proc_controls_2, PROC2 | 1 | 1 << 4)),
	/* NMI */
	GOOD(F(pin_controls, 0x3e), F(proc_controls, PROC | 1 << 22)),
	BAD("virtual NMIs without NMI exiting", F(pin_controls, 0x36)),
	BAD("NMI window without virtual NMIs", F(pin_controls, 0x1e), F(proc_controls, PROC | 1 << 22)),
	/* memory */
	BAD("VPID 0", F(proc_controls_2, PROC2 | 1 << 5)),
	GOOD(F(proc_controls_2, PROC2 | 1 << 5), F(vpid, 1)),
	GOOD(F(ept_pointer, (TOP - 0x1000) | 3 << 3 | 6 | 1 << 6)),
	BAD("EPT memory type", F(ept_pointer, 0x10000 | 3 << 3)),
	BAD("EPT memory type", F(ept_pointer, 0x10000 | 3 << 3 | 1)),
	BAD("EPT page-walk length", F(ept_pointer, 0x10000 | 4 << 3 | 6)),
	BAD("EPT page-walk length", F(ept_pointer, 0x10000 | 2 << 3 | 6)),
	BAD("EPT pointer", F(ept_pointer, 0x10000 | 3 << 3 | 6 | 1 << 7)),
	BAD("EPT pointer", F(ept_pointer, 0x10000 | 3 << 3 | 6 | 1 << 11)),
	BAD("EPT pointer", F(ept_pointer, TOP | 3 << 3 | 6)),
	BAD("unrestricted guest without EPT", F(proc_controls_2, 0x80)),
	BAD("PML without EPT", F(proc_controls_2, 1 << 17)),
	BAD("execute by mode without EPT", F(proc_controls_2, 1 << 22)),
	GOOD(F(proc_controls_2, 0)),
	/* 26.2.1.2: exit */
	BAD("exit controls", F(exit_controls, 0x36dfa)),
	BAD("exit controls", F(exit_controls, 0x36dfb | 1u << 31)),
	BAD("saving the preemption timer, which is off", F(exit_controls, 0x36dfb | 1 << 22)),
	GOOD(F(exit_controls, 0x36dfb | 1 << 22), F(pin_controls, 0x56)),
	GOOD(F(exit_msr_store_addr, ~0ull)),
	BAD("exit MSR-store list", F(exit_msr_store_count, 1), F(exit_msr_store_addr, 8)),
	BAD("exit MSR-store list", F(exit_msr_store_count, 1), F(exit_msr_store_addr, TOP)),
	BAD("exit MSR-store list", F(exit_msr_store_count, 2), F(exit_msr_store_addr, TOP - 16)),
	GOOD(F(exit_msr_store_count, 1), F(exit_msr_store_addr, TOP - 16)),
	BAD("exit MSR-load list", F(exit_msr_load_count, 1), F(exit_msr_load_addr, 1)),
	BAD("exit MSR-load list", F(exit_msr_load_count, 3), F(exit_msr_load_addr, TOP - 32)),
	/* 26.2.1.3: entry */
	BAD("entry controls", F(entry_controls, 0x11f9)),
	BAD("entry controls", F(entry_controls, 0x11fb | 1u << 31)),
	BAD("entry controls", F(entry_controls, 0x11fb | 1 << 10)),
	BAD("entry MSR-load list", F(entry_msr_load_count, 1), F(entry_msr_load_addr, 4)),
	BAD("entry MSR-load list", F(entry_msr_load_count, 1), F(entry_msr_load_addr, TOP)),
	GOOD(F(entry_intr_info, 0x7fffffff)),
	GOOD(F(entry_intr_info, 0x80000020)),
	BAD("reserved bits of the event", F(entry_intr_info, 0x80001020)),
	BAD("reserved bits of the event", F(entry_intr_info, 0xc0000020)),
	BAD("type of the event", F(entry_intr_info, 0x80000120)),
	GOOD(F(entry_intr_info, 0x80000202)),
	BAD("vector of the NMI", F(entry_intr_info, 0x80000203)),
	GOOD(F(entry_intr_info, 0x80000b0e), F(entry_intr_error, 0xffff)),
	BAD("vector of the exception", F(entry_intr_info, 0x80000320)),
	BAD("error code of the event", F(entry_intr_info, 0x8000030e)),
	BAD("error code of the event", F(entry_intr_info, 0x80000b06)),
	BAD("error code of the event", F(entry_intr_info, 0x80000820)),
	BAD("error code of the event", F(entry_intr_info, 0x80000b0d), F(guest_cr0, 0x20)),
	GOOD(F(entry_intr_info, 0x8000030d), F(guest_cr0, 0x20)),
	BAD("error code[31:16]", F(entry_intr_info, 0x80000b0d), F(entry_intr_error, 0x10000)),
	GOOD(F(entry_intr_info, 0x80000480), F(entry_insn_len, 2)),
	GOOD(F(entry_intr_info, 0x80000480), F(entry_insn_len, 0)),
	GOOD(F(entry_intr_info, 0x80000603), F(entry_insn_len, 15)),
	BAD("length of the event's instruction", F(entry_intr_info, 0x80000480), F(entry_insn_len, 16)),
	BAD("length of the event's instruction", F(entry_intr_info, 0x80000501), F(entry_insn_len, 16)),
	GOOD(F(entry_intr_info, 0x80000700)),
	BAD("vector of the pending trap", F(entry_intr_info, 0x80000701)),
};

static const struct row hosts[] = {
	GOOD(F(host_cr0, 0x80000021)),
	/* 26.2.2 */
	BAD("host CR0", F(host_cr0, 0x80000001)),
	BAD("host CR0", F(host_cr0, 0x21)),
	BAD("host CR0", F(host_cr0, 0x180000021)),
	BAD("host CR4", F(host_cr4, 0x20)),
	BAD("host CR4", F(host_cr4, 0x802020)),
	BAD("host CR3", F(host_cr3, TOP)),
	BAD("host SYSENTER_ESP", F(host_sysenter_esp, 1ull << 47)),
	BAD("host SYSENTER_EIP", F(host_sysenter_eip, 1ull << 63)),
	GOOD(F(host_pat, 2)),
	GOOD(F(exit_controls, 0x36ffb | 1 << 19)),
	BAD("host PAT", F(exit_controls, 0x36ffb | 1 << 19), F(host_pat, 0x0007040600070402)),
	BAD("host PAT", F(exit_controls, 0x36ffb | 1 << 19), F(host_pat, 0x0307040600070406)),
	BAD("host PAT", F(exit_controls, 0x36ffb | 1 << 19), F(host_pat, 0x0008040600070406)),
	GOOD(F(exit_controls, 0x36ffb | 1 << 21)),
	BAD("host EFER MBZ bits", F(exit_controls, 0x36ffb | 1 << 21), F(host_efer, 0x502)),
	BAD("host EFER.LMA", F(exit_controls, 0x36ffb | 1 << 21), F(host_efer, 0x100)),
	BAD("host EFER.LME", F(exit_controls, 0x36ffb | 1 << 21), F(host_efer, 0x400)),
	/* 26.2.3 */
	BAD("RPL or TI of a host selector", F(host_cs_selector, 0x0b)),
	BAD("RPL or TI of a host selector", F(host_ss_selector, 0x14)),
	BAD("RPL or TI of a host selector", F(host_ds_selector, 1)),
	BAD("RPL or TI of a host selector", F(host_es_selector, 2)),
	BAD("RPL or TI of a host selector", F(host_fs_selector, 4)),
	BAD("RPL or TI of a host selector", F(host_gs_selector, 7)),
	BAD("RPL or TI of a host selector", F(host_tr_selector, 0x1c)),
	BAD("host CS is null", F(host_cs_selector, 0)),
	BAD("host TR is null", F(host_tr_selector, 0)),
	GOOD(F(host_ss_selector, 0)),
	BAD("host FS base", F(host_fs_base, 1ull << 47)),
	BAD("host GS base", F(host_gs_base, 1ull << 48)),
	BAD("host TR base", F(host_tr_base, 1ull << 55)),
	BAD("host GDTR base", F(host_gdtr_base, 1ull << 47)),
	BAD("host IDTR base", F(host_idtr_base, 1ull << 47)),
	GOOD(F(host_idtr_base, 0xffff800000000000)),
	/* 26.2.4 */
	BAD("host address-space size", F(exit_controls, 0x36dfb)),
	BAD("host CR4.PAE", F(host_cr4, 0x2000)),
	BAD("host RIP", F(host_rip, 1ull << 47)),
};

static const struct row hosts_32[] = {
	GOOD(F(host_cr0, 0x80000021)),
	BAD("host SS is null", F(host_ss_selector, 0)),
	BAD("IA-32e guest of a 32-bit host", F(entry_controls, 0x13fb)),
	BAD("host CR4.PCIDE", F(host_cr4, 0x22020)),
	BAD("host RIP[63:32]", F(host_rip, 1ull << 32)),
	BAD("host address-space size", F(exit_controls, 0x36ffb)),
	BAD("host EFER.LMA", F(exit_controls, 0x36dfb | 1 << 21), F(host_efer, 0x500)),
	BAD("host EFER.LME", F(exit_controls, 0x36dfb | 1 << 21), F(host_efer, 0x100)),
};
/* clang-format on */

static void test_controls(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		struct vmcs12 v = vmcs12_good();

		vmcs12_apply(&v, &controls[i]);
		bad += vmcs12_compare("controls", i, controls[i].verdict,
				      vmx_check_controls(&v, &vmcs12_limits));
	}
	assert_int_equal(bad, 0);
}

static void expect(const struct vmcs12 *v, const struct vmx_limits *l, const char *verdict)
{
	assert_int_equal(vmcs12_compare("less", 0, verdict, vmx_check_controls(v, l)), 0);
}

/* A processor that lacks what the rows above have. */
static void test_less_ept(void **state)
{
	struct vmx_limits less = vmcs12_limits;
	struct vmcs12 v = vmcs12_good();

	(void)state;
	less.proc2 = 0x8200000000ull;
	v.proc_controls_2 |= 1 << 5;
	expect(&v, &less, "secondary processor-based controls");

	less = vmcs12_limits;
	less.ept_vpid &= ~(1ull << 21);
	v = vmcs12_good();
	v.ept_pointer |= 1 << 6;
	expect(&v, &less, "EPT accessed and dirty bits");
	less.ept_vpid = vmcs12_limits.ept_vpid & ~(1ull << 14);
	expect(&v, &less, "EPT memory type");
	less.ept_vpid = (vmcs12_limits.ept_vpid & ~(1ull << 6)) | 1ull << 7;
	expect(&v, &less, "EPT page-walk length");
	v.ept_pointer = 0x10000 | 4 << 3 | 6;
	expect(&v, &less, NULL);
}

static void test_less_events(void **state)
{
	struct vmx_limits less = vmcs12_limits;
	struct vmcs12 v = vmcs12_good();

	(void)state;
	less.misc &= ~(1ull << 30);
	v.entry_intr_info = 0x80000480;
	expect(&v, &less, "length of the event's instruction");
	less = vmcs12_limits;
	less.proc &= ~(1ull << 59);
	v.entry_intr_info = 0x80000700;
	expect(&v, &less, "type of the event");

	/* A processor may have SMM, but L1 is never in it. */
	less = vmcs12_limits;
	less.entry |= 3ull << 42;
	v = vmcs12_good();
	v.entry_controls |= 1 << 10;
	expect(&v, &less, "entry to SMM");
	v.entry_controls ^= 3 << 10;
	expect(&v, &less, "end of the dual-monitor treatment");
}

static void test_host(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct vmcs12 v = vmcs12_good();

		vmcs12_apply(&v, &hosts[i]);
		bad += vmcs12_compare("hosts", i, hosts[i].verdict,
				      vmx_check_host(&v, &vmcs12_limits, true));
	}
	for (size_t i = 0; i < ARRAY_SIZE(hosts_32); i++) {
		struct vmcs12 v = vmcs12_good_32();

		vmcs12_apply(&v, &hosts_32[i]);
		bad += vmcs12_compare("hosts_32", i, hosts_32[i].verdict,
				      vmx_check_host(&v, &vmcs12_limits, false));
	}
	assert_int_equal(bad, 0);
}

static void test_msr_entries(void **state)
{
	(void)state;
	assert_null(vmx_check_msr_entry(0xc0000080, 0, true));
	assert_null(vmx_check_msr_entry(0xc0000100, 0, false));
	assert_non_null(vmx_check_msr_entry(0xc0000100, 0, true));
	assert_non_null(vmx_check_msr_entry(0xc0000101, 0, true));
	assert_null(vmx_check_msr_entry(0xc0000102, 0, true));
	assert_non_null(vmx_check_msr_entry(0xc0000080, 1, true));
	assert_non_null(vmx_check_msr_entry(0x800, 0, true));
	assert_non_null(vmx_check_msr_entry(0x8ff, 0, false));
	assert_null(vmx_check_msr_entry(0x7ff, 0, true));
	assert_null(vmx_check_msr_entry(0x900, 0, true));
	assert_non_null(vmx_check_msr_entry(0x9b, 0, true));
	assert_null(vmx_check_msr_entry(0x9b, 0, false));
	assert_non_null(vmx_check_msr_entry(0x9e, 0, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls),    cmocka_unit_test(test_less_ept),
		cmocka_unit_test(test_less_events), cmocka_unit_test(test_host),
		cmocka_unit_test(test_msr_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
