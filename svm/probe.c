// SPDX-License-Identifier: MIT
/* APM 2 15.4: SVM needs the processor's support and the firmware's consent. */
#include "svm/probe.h"
#include "lib/svm.h"

const char *svm_refusal(const struct svm_facts *f)
{
	if (!f->svm)
		return "this processor does not have it";
	if (f->vm_cr & VM_CR_SVMDIS)
		return "switched off by the firmware (VM_CR.SVMDIS); enable SVM or AMD-V in its "
		       "setup";
	if (!(f->features & SVM_FEATURE_NP))
		return "this processor's lacks nested paging";
	if (f->asids < 2)
		return "this processor offers no ASID";
	return NULL;
}
