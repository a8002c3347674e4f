// SPDX-License-Identifier: MIT
/* objects: svm/probe.o vmx/probe.o */
/* What each vendor says of a machine that lacks it, or whose firmware forbids it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/svm.h"
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

static void test_vmx_refused(void **state)
{
	struct vmx_facts f = {0};

	(void)state;
	assert_says(vmx_refusal(&f), "this processor does not have it");
	f.vmx = true;
	assert_says(vmx_refusal(&f), "not there yet");
	f.feature_control = 5; /* locked, and VMXON allowed: SDM 3C 23.7 */
	assert_null(strstr(vmx_refusal(&f), "firmware"));
	f.feature_control = 1;
	assert_says(vmx_refusal(&f), "switched off by the firmware");
	f.feature_control = 3; /* allowed inside SMX only */
	assert_says(vmx_refusal(&f), "switched off by the firmware");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svm_usable),
		cmocka_unit_test(test_svm_refused),
		cmocka_unit_test(test_vmx_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
