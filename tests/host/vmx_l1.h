/* SPDX-License-Identifier: MIT */
/* An L1 in VMX operation that executes single instructions of VMX. */
#pragma once

#include "tests/host/fake_vmx.h"
#include "vmx/nested_insn.h"

#define MEMORY	 (16 * PAGE_SIZE) /* L1's, from 0 on */
#define OPERAND	 0x7ff8		  /* where memory operands are, linear and physical */
#define REGION	 0x1000		  /* VMXON's */
#define VMCS_A	 0x2000
#define VMCS_B	 0x3000
#define FOREIGN	 0x4000 /* of another revision */
#define RIP	 0x100
#define LENGTH	 4
#define ARITH	 RFLAGS_ARITH
#define MAXPHYS	 36
#define FAULTING 0x9000 /* a linear page that is not mapped */

struct l1 {
	struct vmx_vcpu vmx;
	u8 memory[MEMORY];
	u32 cpl, writes; /* writes that L0 has made there */
};
extern struct l1 l1;

/* 64-bit code, VMCS_A current; every flag that an outcome clears is set. The operand: (%rax). */
void l1_setup(void);
struct vmcs12 *l1_vmcs(u64 gpa);
/* What is at OPERAND. */
void l1_pointer(u64 value);
void l1_execute(enum vmx_exit_reason reason);

void assert_success(void);
void assert_fail_invalid(void);
void assert_fail(u32 error);
/* RIP is where it was, and nothing was written. */
void assert_fault(u8 vector);
