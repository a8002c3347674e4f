/* SPDX-License-Identifier: MIT */
/*
 * What nesting adds to a vCPU's state. The struct that moves in a migration is the struct that is
 * used while running, so that there is no second list of fields to forget one in.
 */
#pragma once

#include "lib/state.h"
#include "lib/vmcb.h"
#include "svm/nested_check.h"

struct svm_nested_state {
	/* 0 or 1 each */
	u32 svme;	 /* L1's EFER.SVME; the real one is always set */
	u32 gif;	 /* L1's global interrupt flag */
	u32 guest_mode;	 /* L2 runs: vmcb02 is current */
	u32 run_pending; /* VMRUN was carried out, L2 has not been entered since */

	u64 vmcb12;   /* gpa of L1's VMCB; of the last one when not in guest mode */
	u64 hsave_pa; /* L1's VM_HSAVE_PA; nothing is stored there */
	u64 vm_cr;

	/*
	 * The private copy of vmcb12's control area that L2 runs under. vintr is current only in
	 * a saved state: while L2 runs the processor changes it in vmcb02.
	 */
	struct vmcb_control ctl;

	/*
	 * L1 while L2 runs. Filled in when the state is saved: until then L1's registers rest in
	 * vmcb01. What VMLOAD loads is not switched by VMRUN and moves with the vCPU's own state.
	 */
	struct vmcb_save l1;
	u64 l1_vintr;
	u64 l1_int_state;
};

extern const struct state_desc svm_nested_state_desc;

/*
 * @out: @n, with vmcb01's and vmcb02's parts of it as they are now.
 * @window: vmcb02's V_IRQ is L0's own and L1's is still in @n.
 */
void svm_nested_state_save(const struct svm_nested_state *n, const struct vmcb *vmcb01,
			   const struct vmcb *vmcb02, bool window, struct svm_nested_state *out);

/* NULL, or what is wrong with a state that came from a stream; a constant. */
const char *svm_nested_state_check(const struct svm_nested_state *in, const struct svm_limits *l);

/*
 * Takes a checked state. When it is in guest mode and @n was not, the registers in vmcb01 are taken
 * for L2's and move to vmcb02, so that the vCPU's state may be set before or after this.
 */
void svm_nested_state_load(struct svm_nested_state *n, struct vmcb *vmcb01, struct vmcb *vmcb02,
			   const struct svm_nested_state *in);

/* Copies what VMLOAD and VMSAVE move. */
void svm_vmload_copy(struct vmcb_save *to, const struct vmcb_save *from);
/* V_INTR bits that belong to L1: all but what L0 decides. */
#define SVM_VINTR_OF_L1 (V_TPR_MASK | V_IRQ | V_INTR_PRIO_MASK | V_IGN_TPR | V_INTR_VECTOR_MASK)
