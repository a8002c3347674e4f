// SPDX-License-Identifier: MIT
/* objects: svm/probe.o vmx/probe.o */
/* What each vendor says of a machine that lacks it, or whose firmware forbids it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/svm.h"
#include "lib/vmx.h"
#include "lib/x86.h"
#include "svm/probe.h"
#include "vmx/probe.h"

static const struct svm_facts good = {.svm = true, .asids = 16, .features = SVM_FEATURE_NP};

static void assert_says(const char *why, const char *part)
{
	assert_non_null(why);
	if (!strstr(why, part))
		fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static void test_svm_usable(void **state)
{
	struct svm_facts f = good;

	(void)state;
	assert_null(svm_refusal(&f));
	f.vm_cr = VM_CR_LOCK; /* locked, but not against SVM */
	assert_null(svm_refusal(&f));
}

static void test_svm_refused(void **state)
{
	struct svm_facts none = {0}, off = good, no_np = good, no_asid = good;

	(void)state;
	assert_says(svm_refusal(&none), "this processor does not have it");
	off.vm_cr = VM_CR_SVMDIS;
	assert_says(svm_refusal(&off), "switched off by the firmware (VM_CR.SVMDIS)");
	off.vm_cr |= VM_CR_LOCK;
	assert_says(svm_refusal(&off), "enable SVM");
	no_np.features = ~(u32)SVM_FEATURE_NP;
	assert_says(svm_refusal(&no_np), "nested paging");
	no_asid.asids = 1;
	assert_says(svm_refusal(&no_asid), "no ASID");
}

/* As Bochs's Skylake has them: low half must be 1, high half may be 1. */
static const struct vmx_facts vmx_good = {
	.vmx = true,
	.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
	.basic = VMX_BASIC_TYPE_WB | 4096ull << VMX_BASIC_SIZE_SHIFT | VMX_BASIC_TRUE | 1,
	.misc = 0x5,
	.pin = 0x0000007f00000016,
	.proc = 0xf7f9fffe04006172,
	.proc2 = 0x00ffffff00000000,
	.exit = 0x007fffff00036dfb,
	.entry = 0x0000ffff000011fb,
	.ept_vpid = 0x00000f0106334141,
	.rdtscp = true,
};

static void test_vmx_usable(void **state)
{
	struct vmx_facts f = vmx_good;

	(void)state;
	assert_null(vmx_refusal(&f));
	f.feature_control = 0; /* not locked: L0 sets it */
	assert_null(vmx_refusal(&f));
	f.feature_control = FEATURE_CONTROL_VMX;
	assert_null(vmx_refusal(&f));
}

static void test_vmx_refused(void **state)
{
	struct vmx_facts none = {0}, f = vmx_good;

	(void)state;
	assert_says(vmx_refusal(&none), "this processor does not have it");
	f.feature_control = FEATURE_CONTROL_LOCK;
	assert_says(vmx_refusal(&f), "switched off by the firmware");
	f.feature_control = FEATURE_CONTROL_LOCK | 2; /* allowed inside SMX only */
	assert_says(vmx_refusal(&f), "enable VMX");
	f = vmx_good;
	f.basic = (vmx_good.basic & ~VMX_BASIC_TYPE) | 0;
	assert_says(vmx_refusal(&f), "another kind of memory");
	f = vmx_good;
	f.basic += BIT(VMX_BASIC_SIZE_SHIFT);
	assert_says(vmx_refusal(&f), "another kind of memory");
	f = vmx_good;
	f.proc |= VMX_PROC_CR3_LOAD; /* as without the TRUE_ MSRs */
	assert_says(vmx_refusal(&f), "exits that are not wanted");
}

/* Each control, one at a time: the line names it. */
static void test_vmx_lacks(void **state)
{
	static const struct {
		size_t word;
		u64 bit;
		const char *says;
	} lacks[] = {
		{offsetof(struct vmx_facts, pin), VMX_PIN_INTR << 32, "external-interrupt"},
		{offsetof(struct vmx_facts, pin), VMX_PIN_NMI << 32, "NMI exiting"},
		{offsetof(struct vmx_facts, pin), VMX_PIN_VIRTUAL_NMI << 32, "virtual NMIs"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_INTR_WINDOW << 32, "interrupt-window"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_TSC_OFFSET << 32, "TSC offsetting"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_HLT << 32, "HLT exiting"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_MWAIT << 32, "MWAIT"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_RDPMC << 32, "RDPMC"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_TPR_SHADOW << 32, "TPR shadow"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_NMI_WINDOW << 32, "NMI-window"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_IO_ALL << 32, "I/O exiting"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_MSR_BITMAPS << 32, "MSR bitmaps"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_MONITOR << 32, "MONITOR"},
		{offsetof(struct vmx_facts, proc), VMX_PROC_SECONDARY << 32, "secondary"},
		{offsetof(struct vmx_facts, proc2), VMX_PROC2_EPT << 32, "EPT"},
		{offsetof(struct vmx_facts, proc2), VMX_PROC2_VPID << 32, "VPIDs"},
		{offsetof(struct vmx_facts, proc2), VMX_PROC2_UNRESTRICTED << 32, "unrestricted"},
		{offsetof(struct vmx_facts, exit), VMX_EXIT_CTL_SAVE_DEBUG << 32,
		 "saving of debug"},
		{offsetof(struct vmx_facts, exit), VMX_EXIT_CTL_HOST_64 << 32, "64-bit hosts"},
		{offsetof(struct vmx_facts, exit), VMX_EXIT_CTL_LOAD_PAT << 32, "IA32_PAT"},
		{offsetof(struct vmx_facts, exit), VMX_EXIT_CTL_SAVE_EFER << 32,
		 "saving of IA32_EFER"},
		{offsetof(struct vmx_facts, exit), VMX_EXIT_CTL_LOAD_EFER << 32,
		 "loading of IA32_EFER"},
		{offsetof(struct vmx_facts, entry), VMX_ENTRY_LOAD_DEBUG << 32, "loading of debug"},
		{offsetof(struct vmx_facts, entry), VMX_ENTRY_IA32E << 32, "64-bit guests"},
		{offsetof(struct vmx_facts, entry), VMX_ENTRY_LOAD_PAT << 32, "IA32_PAT at entry"},
		{offsetof(struct vmx_facts, entry), VMX_ENTRY_LOAD_EFER << 32,
		 "IA32_EFER at entry"},
		{offsetof(struct vmx_facts, ept_vpid), VMX_EPT_WALK_4, "4 levels"},
		{offsetof(struct vmx_facts, ept_vpid), VMX_EPT_WB, "write-back"},
		{offsetof(struct vmx_facts, ept_vpid), VMX_EPT_2M, "2M"},
		{offsetof(struct vmx_facts, ept_vpid), VMX_EPT_INVEPT_SINGLE, "INVEPT"},
		{offsetof(struct vmx_facts, ept_vpid), VMX_VPID_ALL, "INVVPID"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++) {
		struct vmx_facts f = vmx_good;
		u64 *word = (u64 *)((char *)&f + lacks[i].word);

		assert_true(*word & lacks[i].bit);
		*word &= ~lacks[i].bit;
		assert_says(vmx_refusal(&f), lacks[i].says);
	}
}

static void test_vmx_controls(void **state)
{
	struct vmx_facts f = vmx_good;
	struct vmx_controls c = vmx_controls_for(&f);

	(void)state;
	/* What must be 1 is, what may not be 1 is not. */
	assert_int_equal(vmx_control_adjust(0x0000000f00000002, 0x15), 0x7);
	assert_int_equal(c.pin,
			 0x16 | VMX_PIN_INTR | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI | VMX_PIN_TIMER);
	assert_int_equal(c.proc & (u32)f.proc, (u32)f.proc);
	assert_false(c.proc & ~(f.proc >> 32));
	/* No windows yet, and nothing that was not asked for. */
	assert_int_equal(c.proc & ~(u32)f.proc,
			 VMX_PROC_TSC_OFFSET | VMX_PROC_HLT | VMX_PROC_MWAIT | VMX_PROC_RDPMC |
				 VMX_PROC_TPR_SHADOW | VMX_PROC_IO_ALL | VMX_PROC_MSR_BITMAPS |
				 VMX_PROC_MONITOR | VMX_PROC_SECONDARY);
	assert_int_equal(c.proc2, VMX_PROC2_EPT | VMX_PROC2_VPID | VMX_PROC2_UNRESTRICTED |
					  VMX_PROC2_RDTSCP | VMX_PROC2_WBINVD);
	assert_false(c.entry & VMX_ENTRY_IA32E);
	assert_true(c.exit & VMX_EXIT_CTL_HOST_64);
	assert_false(c.exit & VMX_EXIT_CTL_ACK_INTR);
	/* Liked, but not there; RDTSCP only where CPUID has it. */
	f.pin &= ~(VMX_PIN_TIMER << 32);
	f.proc2 &= ~(VMX_PROC2_WBINVD << 32);
	f.rdtscp = false;
	assert_null(vmx_refusal(&f));
	assert_false(vmx_controls_for(&f).pin & VMX_PIN_TIMER);
	assert_int_equal(vmx_controls_for(&f).proc2,
			 VMX_PROC2_EPT | VMX_PROC2_VPID | VMX_PROC2_UNRESTRICTED);
}

/* SDM 3C 24.6.11 */
static void test_vmx_eptp(void **state)
{
	struct vmx_facts f = vmx_good;

	(void)state;
	assert_int_equal(vmx_eptp(&f, (hpa_t){0x123456000}), 0x12345605e);
	f.ept_vpid &= ~VMX_EPT_AD;
	assert_int_equal(vmx_eptp(&f, (hpa_t){0x123456000}), 0x12345601e);
}

static void test_vmx_timer(void **state)
{
	struct vmx_facts f = {.misc = 5};

	(void)state;
	assert_int_equal(vmx_timer_ticks(&f, 6400), 200);
	assert_int_equal(vmx_timer_ticks(&f, 31), 1);
	f.misc = 0x20; /* other fields do not count */
	assert_int_equal(vmx_timer_ticks(&f, 6400), 6400);
	assert_int_equal(vmx_timer_ticks(&f, BIT(40)), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svm_usable), cmocka_unit_test(test_svm_refused),
		cmocka_unit_test(test_vmx_usable), cmocka_unit_test(test_vmx_refused),
		cmocka_unit_test(test_vmx_lacks),  cmocka_unit_test(test_vmx_controls),
		cmocka_unit_test(test_vmx_eptp),   cmocka_unit_test(test_vmx_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
