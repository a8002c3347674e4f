/* SPDX-License-Identifier: MIT */
/*
 * What a guest hypervisor wants of its processor, whichever vendor's: a vCPU, the way in and out,
 * exits decoded, events for L2, permissions and flushes. Behind it are svm_virt.c and vmx_virt.c.
 */
#pragma once

#include "guests/cpu.h"
#include "guests/npt.h"

/* What an exit means. Its instruction, where it has one, is not skipped yet. */
enum virt_exit_kind {
	VIRT_NOTHING, /* the backend, or L1's interrupt handler, did all */
	VIRT_CPUID,
	VIRT_HYPERCALL,
	VIRT_IO,
	VIRT_MSR,
	VIRT_FORBIDDEN, /* an instruction of the vendor's own virtualization */
	VIRT_HLT,
	VIRT_NESTED_FAULT, /* #NPF, EPT violation */
	VIRT_PAGE_FAULT,   /* #PF, where L1 shadows */
	VIRT_WINDOW,	   /* virt_ops.window(): L2 can take an interrupt now */
	VIRT_UNEXPECTED,
};

struct virt_exit {
	enum virt_exit_kind kind;
	u64 length; /* of the instruction */
	union {
		struct {
			u16 port;
			bool plain_out; /* OUT of AL: all that L2 does */
		} io;
		bool msr_write;
		struct {
			u64 address; /* L2-physical */
			bool write;
		} fault;
	};
	/* The vendor's own words, for messages. */
	u64 code, info_1, info_2, rip;
};

struct virt_config {
	u64 cr3, rip, rsp; /* of L2 */
	const struct npt *npt;
	bool shadow;   /* L2 runs without nested paging: npt is what its CR3 shows */
	bool no_ad;    /* the processor shall not set A and D in npt (VMX only) */
	bool halts;    /* HLT is left to the processor */
	bool emulated; /* mend what an emulator's own virtualization does wrong */
};

/* RAX .. R15 of L2 between two entries. Offsets are known to svm_enter*.S and vmx_enter.S. */
struct virt_regs {
	u64 rbx, rcx, rdx, rsi, rdi, rbp;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 host_damaged; /* set if an exit came back with wrong registers or flags */
	u64 rax;	  /* SVM: only between an exit and the next entry; it is the VMCB's */
};

struct virt_ops {
	const char *name;      /* "AMD SVM" */
	bool vmx;	       /* L2 calls by VMCALL, not VMMCALL */
	const char *tags_name; /* what the processor marks its TLB entries by: "ASIDs" */
	/* NULL, or why this processor cannot run guests. */
	const char *(*enable)(void);
	/* The format of the nested tables; where L1 shadows, of those instead. */
	const struct npt_format *(*format)(bool shadow);
	/* Allocates everything; L2 has the mode of this kernel. Returns the number of tags. */
	u32 (*create)(const struct virt_config *config);
	/* Runs L2 to its next exit; interrupts are off before, and on when it returns. */
	void (*enter)(struct virt_regs *regs, struct virt_exit *exit);
	/* To the next instruction. */
	void (*skip)(u64 length);
	/* Has the next entry forget what is cached of L1's tables; each way in turn. */
	void (*flush)(void);
	/* Exits for reads or writes of one MSR, or for one port; all ports exit at first. */
	void (*msr_exits)(u32 msr, bool read, bool write);
	void (*port_exits)(u16 port, bool exits);

	/* Whether an external interrupt may go in with the next entry. */
	bool (*can_interrupt)(void);
	/* The next entry delivers it; dies where one is on its way already. */
	void (*interrupt)(u8 vector);
	void (*exception)(u8 vector, bool has_error);
	/* It is delivered as soon as L2 can take it; raised() until then. */
	void (*raise)(u8 vector);
	bool (*raised)(void);
	/* Exit as VIRT_WINDOW when L2 can take an interrupt; one is raised() meanwhile. */
	void (*window)(bool on);
	/* After an exit: whether it cut a delivery short, which the next entry then repeats. */
	bool (*reinject)(void);

	/* NULL, or what is wrong with the last fault of L2's nested access, where @leaf maps. */
	const char *(*fault_wrong)(u64 leaf);
	/* Around an entry: NULL, or what it changed of that which only software writes. */
	void (*remember)(void);
	const char *(*changed)(void);
};

extern const struct virt_ops svm_virt, vmx_virt;

/* The one for this processor; NULL: it has neither. */
const struct virt_ops *virt_choose(void);
