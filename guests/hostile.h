/* SPDX-License-Identifier: MIT */
/*
 * Hostile guest hypervisors: what they share. A test makes checks, each of which prints one line; a
 * tiny L2 does single memory accesses and other small things for it.
 */
#pragma once

#include "guests/guest.h"
#include "guests/npt.h"
#include "guests/svm.h"

/* Prints "HOSTILE @name: ok", or that it failed with what is in @fmt, and counts it. */
__printf(3, 4) void hostile_check(const char *name, bool ok, const char *fmt, ...);

/* Prints that @name is not tried here, because @why. */
void hostile_skip(const char *name, const char *why);

/* Whether this runs under Cleave; QEMU's own SVM lacks some of the architecture. */
bool hostile_on_cleave(void);

/* The first physical address that the processor does not have. */
u64 hostile_physical_limit(void);

/* What hvm_run() has L2 do. RBX, RCX, RDX are its registers. Known to hostile_l2.S. */
enum hvm_op {
	HVM_NOP,   /* VMMCALL only */
	HVM_READ,  /* RDX = *RBX */
	HVM_WRITE, /* *RBX = RDX */
	HVM_CALL,  /* call RBX */
	HVM_CPUID, /* CPUID leaf RBX, RDX = its EBX */
	HVM_RDTSC, /* RDX = TSC */
	HVM_UD,	   /* UD2 */
	HVM_OUT,   /* OUT to port 0x80 */
	HVM_RDMSR, /* RDMSR RBX */
};

/*
 * L2: it shares L1's page tables (boot.S: one to one) and code. Its nested tables map L1's
 * image one to one and writable; a test adds what it wants to hvm.npt.
 */
struct hvm {
	struct svm_vcpu v;
	struct npt npt;
	u64 value; /* RDX after the last run */
};
extern struct hvm hvm;

/* Makes the VMCB a valid one again. The first call makes all else, too. */
void hvm_reset(void);

/* Has L2 do @op and exit by VMMCALL; the result is the exit code's low half. */
u32 hvm_run(enum hvm_op op, u64 rbx, u64 rdx);

#define EXIT_INVALID ((u32)SVM_EXIT_INVALID)

/* One test each; registered in hostile.c. */
void test_bad_vmcb(void);
void test_npt_outside(void);
void test_npt_edit(void);
void test_npt_build(void);
void test_vmcb_edit(void);
void test_vmcb_fuzz(void);
void test_selfmap(void);
void test_outside_memory(void);
void test_msr(void);
void test_instructions(void);
void test_vmload_bad(void);
void test_svm_off(void);

static inline u32 try_vmrun(u64 vmcb)
{
	return TRY("vmrun %%rax",
		   : "+a"(vmcb)::"rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
		     "r13", "r14", "r15", "memory", "cc");
}

static inline u32 try_vmload(u64 vmcb)
{
	return TRY("vmload %%rax", ::"a"(vmcb) : "memory");
}

static inline u32 try_vmsave(u64 vmcb)
{
	return TRY("vmsave %%rax", ::"a"(vmcb) : "memory");
}
