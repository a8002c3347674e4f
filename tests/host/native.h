/* SPDX-License-Identifier: MIT */
/* Runs single instructions on this machine's processor, from registers and memory that are given.
 */
#pragma once

#include "kernel/vcpu.h"

#define NATIVE_DATA_SIZE (5 * PAGE_SIZE)

struct native_state {
	u64 gpr[GPR_NR]; /* RSP is not used */
	u64 rflags;
};

/* Where code is put and where memory lies: below 2 GiB, so that any address size reaches it. */
u64 native_code(void);
u64 native_data(void);
/* @len bytes of one instruction, which does not jump, use RSP or fault. */
void native_run(const u8 *code, u32 len, struct native_state *s);
