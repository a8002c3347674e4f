/* SPDX-License-Identifier: MIT */
/*
 * A VM for tests of what L0 carries out: with a real MMU, a shadowed directory of L1's, and a
 * vendor whose guest has its code where the test puts it.
 */
#pragma once

#include "kernel/vm.h"

/* L1's tables: L2's first 2M lead to 4K pages, of which the last is the directory itself. */
#define EV_PD  (0x102 * PAGE_SIZE)
#define EV_PT  (0x103 * PAGE_SIZE)
#define EV_RWX (BIT(0) | BIT(1) | BIT(2)) /* of L1's entries */
/* Where L2 sees the directory. */
#define EV_L2_PD (511 * PAGE_SIZE)
/* Where there is no memory. */
#define EV_OUTSIDE (64ull << 30)
#define EV_RIP	   0x1000 /* at first */

struct emulate_vm {
	struct vm vm;
	struct vcpu vcpu;
	u8 code[15];
	u32 code_len, page_end;	     /* page_end of its bytes lie in the first page */
	int fetch_error;	     /* what fetching from the second page gives */
	int translate_error;	     /* what translating a linear address gives */
	int reflected, traps, badly; /* faults for L1, single-step traps, skips without a length */
};
extern struct emulate_vm ev;

int ev_setup(void **state);
/* The number of leaks and of faults that the audit finds. */
int ev_teardown(void **state);

/* The instruction at RIP. */
void ev_code(const char *bytes, u32 len);
#define EV_CODE(bytes) ev_code(bytes, sizeof(bytes) - 1)

/* The guest's access to @addr, its own idea of a physical address, faults; @error: PFERR_*. */
void ev_fault(u64 addr, u64 error);
/* L1's memory at @gpa; is the page tracked? */
u64 *ev_word(u64 gpa);
bool ev_tracked(u64 gpa);
