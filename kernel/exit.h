/* SPDX-License-Identifier: MIT */
/* A decoded, vendor-neutral exit: why the guest stopped. vendor_ops.run() fills it in. */
#pragma once

#include "lib/types.h"

enum exit_kind {
	EXIT_HOST, /* a host interrupt or NMI; already taken or pending in L0 */
	EXIT_CPUID,
	EXIT_HLT,
	EXIT_IO,
	EXIT_MSR,
	EXIT_HYPERCALL,	   /* VMMCALL, VMCALL */
	EXIT_FAULT,	   /* #NPF, EPT violation */
	EXIT_EXCEPTION,	   /* an intercepted exception */
	EXIT_VIRT_INSN,	   /* VMRUN, VMLOAD, STGI, VMX instructions...; code is the vendor's */
	EXIT_INTR_WINDOW,  /* the guest can take an interrupt now */
	EXIT_SHUTDOWN,	   /* triple fault */
	EXIT_ENTRY_FAILED, /* the processor refused the guest's state */
	EXIT_XSETBV,
	EXIT_UNDEFINED, /* an instruction that Cleave does not offer: #UD */
	EXIT_IGNORE,	/* an instruction that does nothing here: WBINVD, INVD, PAUSE */
	EXIT_OTHER,	/* wanted by L1 only; L0 never asks for it */
	EXIT_KIND_NR
};

struct vm_exit {
	enum exit_kind kind;
	u64 code;     /* the vendor's exit code or reason */
	u32 insn_len; /* bytes, 0: unknown, the vendor's skip() finds it */
	union {
		struct {
			u16 port;
			u8 size; /* bytes: 1, 2, 4 */
			bool in, string, rep;
		} io;
		struct {
			u32 index; /* ECX */
			bool write;
		} msr;
		struct {
			u64 addr;  /* gpa, or ngpa in guest mode */
			u64 error; /* PFERR_* */
		} fault;
		struct {
			u8 vector;
			u32 error;
		} exception;
	};
};
