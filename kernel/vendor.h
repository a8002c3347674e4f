/* SPDX-License-Identifier: MIT */
/*
 * The one door to the hardware: what svm/ and vmx/ each provide. Chosen once at boot.
 * Unless it says otherwise, an operation is called by the vCPU's own task with no lock held.
 */
#pragma once

#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "mmu/pt_format.h"

struct vendor_caps {
	const char *what;	     /* "AMD SVM" */
	const struct pt_format *fmt; /* of the nested tables that the processor walks */
	u32 tags;		     /* ASIDs or VPIDs */
	bool huge_1g;
	bool no_dirty_bits; /* the format has them, this processor does not set them */
};

/* What virt_insn and the reflect operations tell the run loop. */
enum nested_result {
	NESTED_DONE, /* instruction carried out or faulted; run on */
	NESTED_DEAD, /* the VM cannot go on; a message was printed */
};

struct vendor_ops {
	const char *name;  /* "svm", "vmx" */
	u64 shutdown_code; /* vm_exit.code of EXIT_SHUTDOWN */

	/*
	 * Can this CPU do it, and does the firmware let it? 0, or -ENODEV with one clear line in
	 * @why (at most @size bytes) when not.
	 */
	int (*probe)(struct vendor_caps *caps, char *why, size_t size);
	/* Turns it on and off on the current CPU. 0, -ENOMEM. */
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);

	/* Allocates a vCPU in its reset state; the vendor's struct has struct vcpu first. */
	struct vcpu *(*vcpu_create)(struct vm *vm, int id);
	void (*vcpu_free)(struct vcpu *vcpu);

	/*
	 * Enters the guest once: injects vcpu->pending when it can, flushes what tlb tags ask
	 * for, loads FPU state if another vCPU had the CPU; on the way out decodes the exit
	 * into @exit and saves an event whose delivery was cut short in vcpu->pending. Handles
	 * nothing.
	 */
	void (*run)(struct vcpu *vcpu, struct vm_exit *exit);

	/* The level that runs, as plain data. Parked vCPUs only. set: 0 or -EINVAL. */
	void (*get_state)(struct vcpu *vcpu, struct vcpu_state *state);
	int (*set_state)(struct vcpu *vcpu, const struct vcpu_state *state);

	/* True when the guest would take an external interrupt now (IF, shadow, GIF, no event). */
	bool (*intr_allowed)(struct vcpu *vcpu);
	/* Asks for EXIT_INTR_WINDOW as soon as it would. */
	void (*intr_window)(struct vcpu *vcpu);
	/* The time-stamp counter as L1 reads it, whichever level runs. */
	u64 (*l1_tsc)(struct vcpu *vcpu);
	/* Parked vCPUs only. */
	void (*set_l1_tsc)(struct vcpu *vcpu, u64 tsc);
	/* CR8 of L1, which is bits 7:4 of its local APIC's TPR (SDM 3A 10.8.6.1). */
	u8 (*get_cr8)(struct vcpu *vcpu);
	void (*set_cr8)(struct vcpu *vcpu, u8 cr8);
	/* Asks for EXIT_INTR_WINDOW when L1 lowers CR8 below @priority; 0: no more. L1 runs. */
	void (*cr8_window)(struct vcpu *vcpu, u8 priority);
	/*
	 * A device's interrupt waits and L2 runs: true when L1 intercepts it, and then the exit to
	 * L1 has been made.
	 */
	bool (*nested_intr)(struct vcpu *vcpu);
	/*
	 * Moves RIP past the instruction that caused @exit. -EFAULT: #PF or the like was queued, or
	 * it is to be executed again; trace event skip_failed.
	 */
	int (*skip)(struct vcpu *vcpu, const struct vm_exit *exit);
	/*
	 * For carrying out an instruction of the guest's (kernel/emulate.h). Adds code bytes from
	 * RIP on to the *@have that @code holds, up to the end of a page or INSN_MAX_LENGTH. 0;
	 * -EFAULT: an exception was queued instead; -EAGAIN: the bytes cannot be had now.
	 */
	int (*fetch_insn)(struct vcpu *vcpu, u8 *code, u32 *have);
	/* The code's width, 16, 32 or 64, and the bases of ES to GS as they count in it. */
	u8 (*segment_bases)(struct vcpu *vcpu, u64 base[SEG_GS + 1]);
	/*
	 * Where a linear address leads for an access at the guest's privilege. 0; -EFAULT: #PF was
	 * queued; -EAGAIN: L1's nested tables do not map it.
	 */
	int (*translate)(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa);
	/* Value of an MSR that the vendor keeps; -ENOENT: not the vendor's; -EINVAL: #GP. */
	int (*msr_read)(struct vcpu *vcpu, u32 msr, u64 *val);
	int (*msr_write)(struct vcpu *vcpu, u32 msr, u64 val);
	/* Masks and adds what the guest may see in the CPUID leaf just read from the CPU. */
	void (*cpuid)(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4]);

	/* Nesting. */
	enum nested_result (*virt_insn)(struct vcpu *vcpu, const struct vm_exit *exit);
	bool (*nested_owns)(struct vcpu *vcpu, const struct vm_exit *exit);
	enum nested_result (*nested_reflect)(struct vcpu *vcpu, const struct vm_exit *exit);
	/* A fault on L2's memory that mmu_nested_fault() gave to L1. */
	enum nested_result (*nested_reflect_fault)(struct vcpu *vcpu, const struct vm_exit *exit,
						   const struct nested_fault *fault);
	/* BIT mask of enum vcpu_instant that describes where the vCPU is now. */
	u32 (*instants)(struct vcpu *vcpu);

	/*
	 * Nested and vendor state that moves beside vcpu_state: a plain struct described by
	 * @nested_desc. load validates everything in it: 0, -EINVAL, -ENOMEM.
	 */
	const struct state_desc *nested_desc;
	void (*nested_save)(struct vcpu *vcpu, void *state);
	int (*nested_load)(struct vcpu *vcpu, const void *state);
};

extern const struct vendor_ops svm_ops, vmx_ops;
/* The chosen one. Set by kernel/hypervisor.c before the first VM, constant after. */
extern const struct vendor_ops *vendor;
/* What its probe() found. */
extern struct vendor_caps vendor_caps;
