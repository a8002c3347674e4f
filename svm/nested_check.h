/* SPDX-License-Identifier: MIT */
/*
 * The checks that VMRUN makes, APM 2 15.5.1, on a private copy of what L1 wrote. Plain C without
 * hardware; a migration's stream goes through the same checks.
 */
#pragma once

#include "lib/vmcb.h"

/* What the processor that L1 believes to have allows. */
struct svm_limits {
	u8 maxphyaddr;
	bool nested_paging;
	bool flush_by_asid;
	u64 cr4_allowed;
	u64 efer_allowed;
};

/*
 * Each returns NULL, or the name of the first check that failed, a constant.
 *
 * Registers: the state-save area. A guest of SVM and a host alike.
 */
const char *svm_check_registers(const struct vmcb_save *s, const struct svm_limits *l);
/* The control area. @host_paging: L1 has CR0.PG set. */
const char *svm_check_control(const struct vmcb_control *c, const struct svm_limits *l,
			      bool host_paging);
/* An EVENTINJ or EXITINTINFO word, valid or not, APM 2 15.20. */
const char *svm_check_event(u64 event);
/* The page attribute table, APM 2 15.25.4. */
const char *svm_check_pat(u64 pat);
/* All of the above, as VMRUN does it. */
const char *svm_check_vmcb(const struct vmcb_control *c, const struct vmcb_save *s,
			   const struct svm_limits *l, bool host_paging);

/*
 * Brings a checked state-save area into the form that no processor and no emulator takes
 * offence at: what the hardware ignores or forces (reserved bits of RFLAGS, CR0 and the
 * attributes, EFER.LMA, canonical bases, CPL by mode) is so already. What VMLOAD loads is left out.
 */
void svm_normalise_registers(struct vmcb_save *s);
/* The same when only RIP and RFLAGS may be in another form. */
void svm_normalise_flow(struct vmcb_save *s);
