/* SPDX-License-Identifier: MIT */
/* Whether SVM can be used here. Pure C: the host tests give it each answer that a machine can. */
#pragma once

#include "lib/types.h"

/* What the processor and the firmware say. */
struct svm_facts {
	bool svm;     /* CPUID 8000_0001 ECX.SVM */
	u64 vm_cr;    /* the MSR; 0 without SVM */
	u32 asids;    /* CPUID 8000_000A EBX */
	u32 features; /* CPUID 8000_000A EDX */
};

/* NULL when Cleave can run guests; else why not and what to do, in words for one line. */
const char *svm_refusal(const struct svm_facts *f);
