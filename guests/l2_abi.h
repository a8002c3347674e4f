/* SPDX-License-Identifier: MIT */
/*
 * What L1 and its L2 agree on: where things are in L2's memory, the parameters that L1 leaves
 * there, the hypercalls (VMMCALL or VMCALL: RAX the number, RBX RCX RDX RSI the arguments, RAX the
 * result).
 */
#pragma once

#include "lib/types.h"

/* L2 runs in the mode that L1 was built for: 64-bit, or 32-bit with PAE paging. */
#ifdef __x86_64__
#define L2_IS_64BIT  true
#define L2_MAPPED_GB 16
#define L2_ALIAS_GB  4
#else
#define L2_IS_64BIT  false
#define L2_MAPPED_GB 4
#define L2_ALIAS_GB  1
#endif

/* L2-physical addresses. L2's own page tables map the first L2_MAPPED_GB one to one. */
#define L2_PARAMS	0x8000
#define L2_PAGE_TABLES	0x10000 /* PML4, PDPT, then L2_MAPPED_GB page directories */
#define L2_STACK_TOP	0x80000
#define L2_IMAGE	0x100000
#define L2_CORE_END	((u64)4 << 20) /* the working set starts here */
#define L2_HUGE_BASE	((u64)1 << 30) /* mapped as one 1G page, for np=mixed and aliased */
#define L2_LAZY_BASE	((u64)3 << 30) /* pages that L1 maps when they are touched */
#define L2_ALIAS_OFFSET ((u64)L2_ALIAS_GB << 30) /* alias n of an address is n * this above it */

#define L2_VECTOR_EVENT 0x50 /* injected with the entry */
#define L2_VECTOR_VIRQ	0x51 /* raised, for when L2 can take it */
#define L2_VECTOR_TIMER 0x52 /* answers HC_TIMER, by either */

/* One piece of the working set: @pages pages, @stride bytes apart. */
struct l2_segment {
	u64 base;
	u64 stride;
	u64 pages;
	u32 aliases; /* reachable at base + n * L2_ALIAS_OFFSET for each bit n */
	u32 reserved;
};

#define L2_SEGMENTS 8

enum l2_pattern { L2_SEQ, L2_RANDOM, L2_STRIDE };
enum l2_hlt { L2_HLT_L1, L2_HLT_L0, L2_HLT_NONE };

struct l2_params {
	u64 seed;
	u64 interrupt_stack; /* its top; in lazily mapped memory */
	u64 rate;	     /* turns of a delay loop per page */
	u32 writes;	     /* percent */
	u32 pattern;
	u32 hlt;
	u32 segments;
	u32 vmx; /* VMCALL and VMXOFF in place of VMMCALL and VMRUN. l2_start.S knows where this is
		  */
	u32 reserved;
	struct l2_segment segment[L2_SEGMENTS];
};

/* Ports that L2 uses. All are intercepted but the scratch register of the UART. */
#define L2_PORT_PROGRESS 0x80
#define L2_PORT_SCRATCH	 0x3ff

/* L1 answers reads of these: the first through its MSR permission map, the other is nobody's. */
#define L2_MSR_PRESENT	     0x1b
#define L2_MSR_PRESENT_VALUE 0x436c65617665ul
#define L2_MSR_ABSENT	     0xc0010fffu

enum l2_hypercall {
	HC_NOP = 0x4c320000,
	HC_HELLO,    /* IDT and GDT are loaded: interrupts may come */
	HC_FAIL,     /* L2 printed why */
	HC_COUNTS,   /* RBX, RCX, RDX, RSI: events, virtual and timer interrupts, exceptions seen */
	HC_TIMER,    /* RBX: a timer interrupt in so many microseconds */
	HC_PASS,     /* RBX: passes done, RCX: checks made, RDX: pages; result: L2_DO_xxx */
	HC_VERIFIED, /* RBX: pages, RCX: passes. All pages were right */
	HC_DONE,
};

#define L2_DO_VERIFY 1
#define L2_DO_STOP   2
