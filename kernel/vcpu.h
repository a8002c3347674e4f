/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: what both vendors share of it. One task runs it and owns everything here
 * unless a comment says otherwise; others may touch it only while it is parked.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"
#include "mmu/shadow_mmu.h"

struct vm;
struct task;

/* In the order of the instruction encoding's register numbers. */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_NR };

struct segment {
	u64 base;
	u32 limit;
	u16 selector;
	u16 attrib; /* as in the VMCB: type, S, DPL, P, AVL, L, D, G packed in 12 bits */
};

enum seg_reg {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_GDTR,
	SEG_IDTR,
	SEG_NR
};

/* An event on its way into the guest, in VMX's and SVM's common terms. */
enum event_type { EVENT_NONE, EVENT_INTR, EVENT_NMI, EVENT_EXCEPTION, EVENT_SOFT_INTR };
struct vcpu_event {
	u32 type; /* enum event_type */
	u8 vector;
	u8 has_error;
	u16 in_delivery; /* 1: its delivery had begun, so nobody's intercepts apply any more */
	u32 error;
	u32 insn_len; /* of INT n, INT3 or INTO under delivery: done again; 0: injected so */
};

#define VCPU_FPU_SIZE 4096 /* XSAVE area, largest that Cleave offers to a guest */

/*
 * The architectural state of the level that is running (L2's while in guest mode). Plain data:
 * it moves in a migration as state_desc vcpu_state_desc says. L1's time-stamp counter is not in it,
 * as it moves on by itself: vendor->l1_tsc().
 */
struct vcpu_state {
	u64 gpr[GPR_NR];
	u64 rip, rflags;
	u64 cr0, cr2, cr3, cr4, cr8, xcr0, efer;
	u64 dr[4], dr6, dr7;
	struct segment seg[SEG_NR];
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pat, tsc_aux, debugctl;
	u32 cpl;
	u32 interrupt_shadow; /* 1: the instruction after STI or MOV SS has not run yet */
	u32 halted;	      /* HLT executed, waiting for an event */
	u32 nmi_masked;
	struct vcpu_event pending; /* being delivered when the exit came, or queued by L0 */
	u8 fpu[VCPU_FPU_SIZE];	   /* XSAVE standard format */
};
extern const struct state_desc vcpu_state_desc;

/* Makes @fpu what a processor has after reset. */
void vcpu_fpu_init(u8 fpu[VCPU_FPU_SIZE]);

/* Where a vCPU is, for those who want to stop it at a given instant. A mask. */
enum vcpu_instant {
	INSTANT_L1 = 1 << 0,
	INSTANT_L2 = 1 << 1,	     /* and it has executed something since VMRUN */
	INSTANT_TRANSITION = 1 << 2, /* VMRUN is done, L2 has not executed anything */
	INSTANT_EVENT = 1 << 3,	     /* an event is half delivered */
	INSTANT_GIF0 = 1 << 4,	     /* L1 has cleared GIF */
	INSTANT_HALTED = 1 << 5,     /* L2 executed HLT, which L1 does not intercept */
};

struct vcpu_stats {
	u64 exits, nested_exits, nested_runs, injections;
	u64 exits_by_kind[32]; /* by enum exit_kind */
};

struct vcpu {
	struct vm *vm;
	int id;
	struct task *task;
	u64 gpr[GPR_NR]; /* RAX, RSP mirror the VMCB between exit and entry */
	u64 rip, rflags;
	bool guest_mode; /* L2 runs */
	bool parked;	 /* its task does not touch it: not started, parked or ended */
	u32 parked_gen;	 /* the pause (vm.pause_gen) for which it has parked */
	struct vcpu_event pending;
	struct nested_mmu nested; /* the nested tree as this vCPU uses it */
	void *fpu; /* XSAVE area, 64-byte aligned; valid while another vCPU has the CPU */
	struct vcpu_stats stats;
	/* What the vCPU does before it runs on, looked at together. */
	union {
		struct {
			/* 1: the platform may have an interrupt. Set by any task, atomically. */
			u32 irq_pending;
			bool halted;
		};
		u64 attention;
	};
	u8 cr8_window; /* priority that vendor->cr8_window() was asked for */
	u32 reclaims;  /* faults at reclaim_rip that found no memory: kernel/exit_fault.c */
	u64 reclaim_rip;
	/* Stores to the tracked table at stuck_gpa, by the code at stuck_rip, that L0 cannot make.
	 */
	u32 stuck;
	u64 stuck_rip, stuck_gpa;
	u64 throttle_since; /* time_ns() since which the vCPU has run without being held back */
};
