/* SPDX-License-Identifier: MIT */
/*
 * Private copies of what VMRUN loads of vmcb12, which L1 may be writing to all the while: each word
 * is read once. An L1 changes little of it between two runs, so that each part is first compared
 * with the copy of the last time; one that is the same has been checked and put in place already.
 * Plain C without hardware.
 */
#pragma once

#include "lib/vmcb.h"

/*
 * The control area but for what is copied each time, below: intercepts, permission maps, TSC
 * offset, ASID with TLB_CONTROL, nested paging.
 */
bool svm_control_differs(const struct vmcb_control *copy, const struct vmcb_control *vmcb12);
void svm_control_copy(struct vmcb_control *copy, const struct vmcb_control *vmcb12);
/* V_INTR, the interrupt shadow, EVENTINJ and the next RIP. */
void svm_control_copy_events(struct vmcb_control *copy, const struct vmcb_control *vmcb12);

/* The state-save area but for what is copied each time, below. */
bool svm_save_differs(const struct vmcb_save *copy, const struct vmcb_save *vmcb12);
void svm_save_copy(struct vmcb_save *copy, const struct vmcb_save *vmcb12);
/* RAX, RSP, RIP, RFLAGS and CR2. */
void svm_save_copy_flow(struct vmcb_save *copy, const struct vmcb_save *vmcb12);
